using System.Collections.Concurrent;

namespace LlmGateway.Faults;

/// <summary>
/// Callers who repeat each call under its <c>Idempotency-Key</c>, at either proxy, until there is an answer or they are told that it is not
/// kept. Each call must have been charged once, and each repetition must have got the same bytes.
/// </summary>
sealed class Repeats(Account account)
{
    const long Roomy = 100_000_000_000;

    /// <summary>A key whose proxy and ledger have died waits for both.</summary>
    static readonly TimeSpan Patience = TimeSpan.FromSeconds(120);

    /// <summary>The request of each call that was answered.</summary>
    readonly ConcurrentDictionary<string, Guid> _answered = new();
    int _notKept;

    public static async Task<Repeats> OpenAsync(Backend backend) => new(await Account.OpenAsync(backend, Roomy));

    public async Task CallAsync(Random random)
    {
        var stream = random.Next(2) == 0;
        var body = Chat.Body("small", string.Join(' ', Enumerable.Repeat("word", random.Next(1, 9))), stream ? "\"stream\":true" : null);
        var call = new KeyedCall(account.Key, Chat.Path, body);
        var wasRefused = random.Next(4) == 0;
        if (wasRefused)
            await TryAsync(call with { Body = "{" }, random); // is refused and frees the key
        var answer = await FinalAsync(call, random, wasRefused);
        if (answer.Status == 409)
        {
            Interlocked.Increment(ref _notKept);
            return;
        }
        _answered[call.Key] = answer.RequestId;
        var again = await FinalAsync(call, random);
        if (again.Status == 200 && !again.Bytes.AsSpan().SequenceEqual(answer.Bytes))
            throw new InvalidDataException($"a repetition got another answer: {answer.Text} and {again.Text}");
    }

    /// <param name="wasRefused">Another body came under the key. When a process died then, its key is not free at once.</param>
    static async Task<Reply> FinalAsync(KeyedCall call, Random random, bool wasRefused = false)
    {
        var end = await Eventually.GetAsync(
            () => TryAsync(call, random, wasRefused), tried => tried.Final is not null, $"the end of the call {call.Key}", Patience);
        return end.Final!;
    }

    static async Task<Attempt> TryAsync(KeyedCall call, Random random, bool wasRefused = false)
    {
        Reply reply;
        try
        {
            reply = await Reply.ReadAsync(await Fate.SendOnceAsync(call.Request(Stack.Proxies[random.Next(2)])));
        }
        catch (Exception e) when (e is HttpRequestException or IOException)
        {
            return new(null, e.Message);
        }
        var final = reply.Status switch
        {
            200 => IsWhole(reply) ? reply : null,
            409 => KeyedCall.IsInUse(reply) ? null : reply.MustBeProblem(409, "idempotency_answer_not_kept", "Idempotency-Key"),
            400 or 502 or 503 or 504 => null,
            422 when wasRefused => null,
            _ => throw new InvalidDataException($"a repeated call was answered with {reply}"),
        };
        return new(final, $"{reply.Status} {reply.Text}");
    }

    /// <param name="Final">Null when there may be another answer.</param>
    sealed record Attempt(Reply? Final, string Said);

    static bool IsWhole(Reply reply) => reply.Text.StartsWith('{')
        || (reply.Text.EndsWith("data: [DONE]\n\n", StringComparison.Ordinal)
            && !reply.Text.Contains("\"error\"", StringComparison.Ordinal));

    /// <summary>Call it when everything runs again.</summary>
    public async Task CheckAsync()
    {
        var rows = await Eventually.GetAsync(
            () => Books.UsageAsync(account.User),
            rows => Whole(rows).Count() >= _answered.Count + _notKept,
            $"a charge of each of {_answered.Count} answers, and of {_notKept} that are not kept",
            TimeSpan.FromSeconds(60));
        Assert.Equal(_answered.Count + _notKept, Whole(rows).Count());
        Assert.Empty(_answered.Values.Except(Whole(rows).Select(row => row.RequestId)));
        await Eventually.HoldsAsync(
            async () => await account.User.BalanceAsync() == Roomy - (await Books.UsageAsync(account.User)).Sum(row => row.Charged),
            "a balance that follows from the charges of repeated calls");
    }

    static IEnumerable<UsageRow> Whole(IEnumerable<UsageRow> rows) => rows.Where(row => row.Outcome == Outcome.Completed);
}
