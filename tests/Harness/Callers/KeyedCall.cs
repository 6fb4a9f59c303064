namespace LlmGateway.Harness;

/// <summary>One paid call under one <c>Idempotency-Key</c>, which may be sent as often as one likes.</summary>
sealed record KeyedCall(string Credential, string Path, string Body)
{
    public string Key { get; init; } = Guid.NewGuid().ToString();

    public static KeyedCall Chat(User user, string model, string prompt, string? more = null) =>
        new(user.Token, Harness.Chat.Path, Harness.Chat.Body(model, prompt, more));

    public HttpRequestMessage Request(Uri? at = null) =>
        Gateway.Request("POST", Path, Credential, Body, at, ("Idempotency-Key", Key));

    public Task<Reply> SendAsync(Uri? at = null) => Gateway.SendAsync(Request(at));

    /// <summary>The answer, or what else is final: repeats while the first call runs, and while something is away.</summary>
    public Task<Reply> FinalAsync(Uri at) => Eventually.GetAsync(
        async () => await TrySendAsync(at),
        reply => reply is not null && reply.Status is not (502 or 503) && !IsInUse(reply),
        "the end of a repeated call",
        TimeSpan.FromSeconds(120))!;

    public static bool IsInUse(Reply reply) => reply is { Status: 409, Code: "idempotency_key_in_use" };

    async Task<Reply?> TrySendAsync(Uri at)
    {
        try
        {
            return await SendAsync(at);
        }
        catch (HttpRequestException)
        {
            return null; // nobody is there
        }
    }
}
