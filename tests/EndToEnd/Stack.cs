using System.Text.Json;

namespace LlmGateway.EndToEnd;

/// <summary>The running stack that is tested: what <c>./dev test</c> started, as described in the file that <c>LLMGATEWAY_STATE</c> names.</summary>
static class Stack
{
    static readonly Lazy<JsonElement> State = new(Read);

    /// <summary>Two processes of the same application: what one knows the other must know, too.</summary>
    public static Uri Proxy => Service("proxy");

    public static Uri Proxy2 => Service("proxy2");

    public static Uri Sandbox => Service("sandbox");

    public static Uri Wallet => Service("wallet");

    public static string InternalKey => State.Value.GetProperty("internalKey").GetString()!;

    public static Uri Service(string name) => new(State.Value.GetProperty("services").EnumerateArray()
        .Single(service => service.GetProperty("name").GetString() == name).GetProperty("url").GetString()!);

    public static string Connection(string name) => State.Value.GetProperty("connections").GetProperty(name).GetString()!;

    static JsonElement Read() => Environment.GetEnvironmentVariable("LLMGATEWAY_STATE") is { Length: > 0 } path
        ? JsonSerializer.Deserialize<JsonElement>(File.ReadAllBytes(path))
        : throw new InvalidOperationException("These tests need a running stack: use './dev test', or set LLMGATEWAY_STATE to the state file of one.");
}
