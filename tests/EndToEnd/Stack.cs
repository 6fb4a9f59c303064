using System.Text.Json;

namespace LlmGateway.EndToEnd;

/// <summary>
/// The running stack under test: <c>./dev test</c> started it and described it in the file that <c>LLMGATEWAY_STATE</c> names.
/// </summary>
static class Stack
{
    static readonly Lazy<JsonElement> State = new(Read);

    public static Uri Proxy => Url("proxy");

    /// <summary>A second process of the same application. Both must answer alike.</summary>
    public static Uri Proxy2 => Url("proxy2");

    public static Uri Sandbox => Url("sandbox");

    public static Uri Wallet => Url("wallet");

    public static Uri[] Proxies => [Proxy, Proxy2];

    public static IEnumerable<Uri> Services => [Wallet, Url("sessions"), Sandbox, Proxy, Proxy2];

    public static string InternalKey => State.Value.GetProperty("internalKey").GetString()!;

    public static string Connection(string name) => State.Value.GetProperty("connections").GetProperty(name).GetString()!;

    /// <summary>The current id of a process; null while it is down.</summary>
    public static int? ProcessId(string name) =>
        Named(Read(), name).GetProperty("pid") is { ValueKind: JsonValueKind.Number } pid ? pid.GetInt32() : null;

    /// <summary>A file in this folder keeps the process of the same name from being started again.</summary>
    public static string Held => Path.Combine(Data, "held");

    public static string Data => State.Value.GetProperty("data").GetString()!;

    public static Uri Url(string name) => new(Named(State.Value, name).GetProperty("url").GetString()!);

    static JsonElement Named(JsonElement state, string name) =>
        state.GetProperty("services").EnumerateArray().Single(process => process.GetProperty("name").GetString() == name);

    static JsonElement Read() => Environment.GetEnvironmentVariable("LLMGATEWAY_STATE") is { Length: > 0 } path
        ? JsonSerializer.Deserialize<JsonElement>(File.ReadAllBytes(path))
        : throw new InvalidOperationException(
            "These tests need a running stack: use './dev test', or set LLMGATEWAY_STATE to the state file of one.");
}
