namespace LlmGateway.EndToEnd;

/// <summary>
/// Known attacks on gateways for models: what they send on any wire, and where they would leave a trace.
/// </summary>
static class Attack
{
    static readonly string[] Services = ["sandbox", "wallet", "sessions", "webhooks", "billing", "proxy", "proxy2"];

    /// <summary>What every process has printed. No text can be found in an empty log, so a service without lines is an error.</summary>
    public static async Task<(string Name, string Text)[]> LogsAsync()
    {
        var logs = new List<(string Name, string Text)>();
        foreach (var log in Directory.GetFiles(Path.Combine(Stack.App.Data, "logs"), "*.log"))
        {
            using var reader = new StreamReader(
                new FileStream(log, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete));
            var text = await reader.ReadToEndAsync(TestContext.Current.CancellationToken);
            logs.Add((Path.GetFileNameWithoutExtension(log), text));
        }
        Assert.All(Services, name => Assert.Contains("Now listening on", logs.Single(log => log.Name == name).Text));
        return [.. logs];
    }

    public static string Question(Speaker speaker, string model, string tag) =>
        speaker.Body(model, $"[[tag:{tag}]] two three", stream: false);

    public static string With(string body, string member) => $"{body[..^1]},{member}}}";

    public static IEnumerable<(string Path, string Body)> Counts(string model, string tag) =>
    [
        ("/v1/messages/count_tokens", $$$"""{"model":"{{{model}}}","messages":[{"role":"user","content":"[[tag:{{{tag}}}]]"}]}"""),
        ($"/v1beta/models/{model}:countTokens", $$$"""{"contents":[{"parts":[{"text":"[[tag:{{{tag}}}]]"}]}]}"""),
    ];

    public static Task<Reply> PostAsync(Speaker speaker, string credential, string model, string body, bool stream = false) =>
        Gateway.SendAsync("POST", speaker.Path(model, stream), credential, body);

    public static void MustName(Speaker speaker, Reply reply, int status, string field) =>
        Assert.Contains($"'{field}'", speaker.ReadError(status, reply.MustBe(status).Json));

    /// <summary>Makes one good call: when the ledger has that, it would have every call before it, too.</summary>
    public static async Task MustHaveCalledNothingAsync(User user, string tag)
    {
        (await user.ChatAsync("chat-small", Price.Question)).MustBe(200);
        Assert.Equal(1_000_000_000 - Price.OfQuestion - Price.OfAnswer, await user.BalanceAfterAsync(1));
        Assert.Empty(await Sandbox.CallsAsync(tag));
    }
}
