using System.Text.Json;

namespace LlmGateway.Harness;

/// <summary>The provider's side: what reached it, and what it is told to do.</summary>
static class Sandbox
{
    /// <summary>One call as the provider received it.</summary>
    /// <param name="Outcome"><c>running</c>, <c>completed</c>, <c>aborted</c> by the caller or <c>cut</c> by the sandbox.</param>
    public sealed record Call(
        string Outcome,
        string Path,
        string Query,
        string Body,
        int TokensIn,
        int TokensOut,
        IReadOnlyDictionary<string, string> Headers);

    sealed record Log(IReadOnlyList<Call> Requests);

    static readonly JsonSerializerOptions Web = new(JsonSerializerDefaults.Web);

    /// <summary>A name under which one test finds its own calls; goes into the request's <c>user</c>, where it costs no tokens.</summary>
    public static string NewTag() => Guid.NewGuid().ToString("N");

    public static string Tagged(string tag) => $"\"user\":\"[[tag:{tag}]]\"";

    public static async Task<IReadOnlyList<Call>> CallsAsync(string tag)
    {
        var reply = await Gateway.SendAsync("GET", $"/sandbox/requests?tag={tag}", at: Stack.Sandbox);
        return JsonSerializer.Deserialize<Log>(reply.MustBe(200).Text, Web)!.Requests;
    }

    public static async Task<Call> CallAsync(string tag, Func<Call, bool> isGood, string what)
    {
        var calls = await Eventually.GetAsync(() => CallsAsync(tag), calls => calls.Count == 1 && isGood(calls[0]), what);
        return calls[0];
    }

    public static async Task<int> WaitingAsync(string group) =>
        (await Gateway.SendAsync("GET", $"/sandbox/waiting?group={group}", at: Stack.Sandbox)).Json.Int("waiting");

    public static async Task<int> ReleaseAsync(string group) =>
        (await Gateway.SendAsync("POST", $"/sandbox/release?group={group}", at: Stack.Sandbox)).Json.Int("released");

    /// <summary>The same question without the gateway in between.</summary>
    public static Task<Reply> AskAsync(string body) => Gateway.SendAsync("POST", Chat.Path, "sk-sandbox", body, Stack.Sandbox);
}
