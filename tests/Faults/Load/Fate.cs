namespace LlmGateway.Faults;

/// <summary>How a call ended for its caller.</summary>
enum Seen
{
    /// <summary>The whole answer came.</summary>
    Completed,

    /// <summary>The gateway said no, with a reason, before the first word.</summary>
    Refused,

    /// <summary>Anything else: the connection broke, the answer ended early, or the caller left.</summary>
    Broken,
}

/// <summary>One paid call as its caller knows it.</summary>
/// <param name="Id">The request's id, when the caller has got to know it.</param>
/// <param name="Cost">Of the whole answer, in nano-dollars; by our own count when it broke off.</param>
sealed record Fate(Seen Seen, int Status, Guid? Id, long Cost)
{
    /// <summary>
    /// Each call has a connection of its own. On one that was used before, the client itself repeats a call that was cut off, and then one
    /// call has two rows. A caller who leaves reads nothing more, so that the gateway notices.
    /// </summary>
    static readonly HttpClient Once = new(new SocketsHttpHandler
    {
        UseProxy = false, UseCookies = false, AllowAutoRedirect = false, PooledConnectionLifetime = TimeSpan.Zero,
        MaxResponseDrainSize = 0,
    });

    /// <summary>
    /// Tokens that our own count finds in <c>[[tokens:N]]</c> beyond the one word that it is to the sandbox: brackets, word, colon, number,
    /// brackets.
    /// </summary>
    const int MoreInRequest = 4;

    public static Task<HttpResponseMessage> SendOnceAsync(HttpRequestMessage request) =>
        Once.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);

    /// <summary>
    /// One call with an answer of <paramref name="tokens"/> words; its caller leaves after <paramref name="leaveAfter"/> of them.
    /// The prompt's words are such that our own count, for what was broken off, is the provider's.
    /// </summary>
    public static async Task<Fate> OfAsync(string credential, string model, int words, int tokens, bool stream, int? leaveAfter, Uri at)
    {
        var cost = words * Price.Input + tokens * Price.Output;
        var asks = tokens > Price.AnswerTokens;
        var brokenCost = cost + (asks ? MoreInRequest * Price.Input : 0);
        // Sessions of clients are counted, and each credential has one.
        var more = $"\"max_tokens\":{tokens},\"user\":\"{credential[^8..]}\"" + (stream ? ",\"stream\":true" : "");
        var prompt = Enumerable.Repeat("word", words);
        // The sandbox answers in twenty words unless the prompt asks for more.
        var body = Chat.Body(model, string.Join(' ', asks ? prompt.Skip(1).Prepend($"[[tokens:{tokens}]]") : prompt), more);
        Guid? id = null;
        try
        {
            using var response = await SendOnceAsync(Gateway.Request("POST", Chat.Path, credential, body, at));
            id = response.Headers.TryGetValues("X-Request-Id", out var ids) ? Guid.ParseExact(ids.Single()["req_".Length..], "N") : null;
            var status = (int)response.StatusCode;
            if (status != 200)
                return new(status is 502 or 504 ? Seen.Broken : Seen.Refused, status, id, brokenCost);
            if (leaveAfter is { } last)
            {
                await LeaveAsync(response, last);
                return new(Seen.Broken, status, id, brokenCost);
            }
            var reply = await Reply.ReadAsync(response);
            var whole = !stream || reply.Text.EndsWith("data: [DONE]\n\n", StringComparison.Ordinal)
                && !reply.Text.Contains("\"error\"", StringComparison.Ordinal);
            if (!whole)
                return new(Seen.Broken, status, id, brokenCost);
            // While leases of the dead hold a wallet, what is left of it can pay for fewer words than were asked for.
            var said = reply.Content.Split(' ').Length;
            if (said > tokens)
                throw new InvalidDataException($"{tokens} words at most were expected: {reply.Text}");
            return new(Seen.Completed, status, id, words * Price.Input + said * Price.Output);
        }
        catch (Exception e) when (e is HttpRequestException or IOException)
        {
            return new(Seen.Broken, 0, id, brokenCost);
        }
    }

    /// <summary>Reads so many events and goes.</summary>
    static async Task LeaveAsync(HttpResponseMessage response, int events)
    {
        using var reader = new StreamReader(await response.Content.ReadAsStreamAsync());
        for (var seen = 0; seen < events && await reader.ReadLineAsync() is { } line;)
            if (line.StartsWith("data: ", StringComparison.Ordinal))
                seen++;
    }
}
