using System.Text.Json;

namespace LlmGateway.EndToEnd;

/// <summary>The running stack that is tested: what <c>./dev test</c> started, as described in the file that <c>LLMGATEWAY_STATE</c> names.</summary>
static class Stack
{
    static readonly Lazy<JsonElement> State = new(Read);

    /// <summary>Two processes of the same application: what one knows the other must know, too.</summary>
    public static Uri Proxy => Url("proxy");

    public static Uri Proxy2 => Url("proxy2");

    public static Uri Sandbox => Url("sandbox");

    public static Uri Wallet => Url("wallet");

    public static Uri[] Proxies => [Proxy, Proxy2];

    public static IEnumerable<Uri> Services => [Wallet, Url("sessions"), Sandbox, Proxy, Proxy2];

    public static string InternalKey => State.Value.GetProperty("internalKey").GetString()!;

    public static string Connection(string name) => State.Value.GetProperty("connections").GetProperty(name).GetString()!;

    /// <summary>The id of a process as of now, null while it is down.</summary>
    public static int? ProcessId(string name) => Named(Read(), name).GetProperty("pid") is { ValueKind: JsonValueKind.Number } pid ? pid.GetInt32() : null;

    /// <summary>A file of a process's name in here keeps that process from being started again.</summary>
    public static string Held => Path.Combine(Data, "held");

    public static string Data => State.Value.GetProperty("data").GetString()!;

    public static Uri Url(string name) => new(Named(State.Value, name).GetProperty("url").GetString()!);

    static JsonElement Named(JsonElement state, string name) =>
        state.GetProperty("services").EnumerateArray().Single(process => process.GetProperty("name").GetString() == name);

    static JsonElement Read() => Environment.GetEnvironmentVariable("LLMGATEWAY_STATE") is { Length: > 0 } path
        ? JsonSerializer.Deserialize<JsonElement>(File.ReadAllBytes(path))
        : throw new InvalidOperationException("These tests need a running stack: use './dev test', or set LLMGATEWAY_STATE to the state file of one.");
}
