using LlmGateway.ServiceDefaults;

namespace LlmGateway.EndToEnd;

/// <summary>
/// Whichever process dies between whichever steps of a keyed call: its caller repeats it elsewhere until there is something final.
/// </summary>
[Collection(nameof(Outages))]
public sealed class KeyedCallCrashTests : IAsyncLifetime
{
    /// <summary>What proxies are about to give back would be held until its lease ends.</summary>
    public async ValueTask InitializeAsync() => await Books.WaitUntilRightAsync();

    public ValueTask DisposeAsync() => default;

    /// <summary>
    /// One after the other, so that what one life has left is handed in by the next or the one after it. Keys whose life is over are
    /// doubted for a while before they are free; all callers wait for that together.
    /// </summary>
    [Fact]
    public async Task Calls_whose_proxy_dies_are_charged_once_and_their_repetitions_get_an_answer_or_are_told()
    {
        (string Point, bool Stream)[] deaths =
        [
            ("proxy.call.keyed", false), ("proxy.whole.settled", false), ("proxy.call.recorded", true), ("proxy.call.kept", false),
            ("proxy.call.kept", true), ("proxy.end.released", true), ("proxy.end.spooled", false),
        ];
        var calls = new List<(User User, KeyedCall Call, Reply? First)>();
        foreach (var (point, stream) in deaths)
            calls.Add(await DieAsync("proxy2", point, stream));

        var finals = await Task.WhenAll(calls.Select(call => call.Call.FinalAsync(Stack.Proxy)));
        await Books.WaitUntilRightAsync();
        foreach (var ((user, call, first), final) in calls.Zip(finals))
            await CheckAsync(user, call, first, final);
    }

    [Theory]
    [InlineData("wallet.call.keyed", false)]
    [InlineData("wallet.call.settled", true)]
    public async Task A_call_whose_ledger_dies_is_charged_once_and_its_repetition_gets_an_answer_or_is_told(string point, bool stream)
    {
        var (user, call, first) = await DieAsync("wallet", point, stream);

        var final = await call.FinalAsync(Stack.Proxy);
        await Books.EndLeasesAsync(user); // it may have granted them in answers that were lost
        await Books.WaitUntilRightAsync();
        await CheckAsync(user, call, first, final);
    }

    /// <summary>A call during which the process dies at the point.</summary>
    static async Task<(User User, KeyedCall Call, Reply? First)> DieAsync(string process, string point, bool stream)
    {
        var user = await Backend.App.NewUserAsync();
        var call = KeyedCall.Chat(user, "small", Price.Question, stream ? "\"stream\":true" : null);
        Stack.App.Once(process, Failpoint.Variable, $"{point}:1:kill");
        await Outage.KillAsync(process);
        var armed = Stack.ProcessId(process);

        var first = await TryAsync(call);
        await Eventually.HoldsAsync(
            () => Task.FromResult(Stack.ProcessId(process) is { } now && now != armed), $"the death of {process} at {point}");
        await Outage.WaitUntilAllIsHealthyAsync();
        return (user, call, first);
    }

    static async Task CheckAsync(User user, KeyedCall call, Reply? first, Reply final)
    {
        var charged = Assert.Single(await Books.UsageAsync(user), row => row.Charged > 0);
        Assert.Equal((Outcome.Completed, 43_000L), (charged.Outcome, charged.Charged));
        Assert.Equal(1_000_000_000 - 43_000, await user.BalanceAsync());
        if (final.Status == 200)
            Assert.Equal((charged.RequestId, 20), (final.RequestId, final.Content.Split(' ').Length));
        else
            final.MustBeProblem(409, "idempotency_answer_not_kept", "Idempotency-Key");
        if (first is { Status: 200 } && final.Status == 200)
            Assert.Equal(first.Bytes, final.Bytes);
        // What is final stays so.
        Assert.Equal(final.Status, (await call.SendAsync(Stack.Proxy2)).Status);
    }

    /// <summary>Null when the connection broke.</summary>
    static async Task<Reply?> TryAsync(KeyedCall call)
    {
        try
        {
            return await call.SendAsync(Stack.Proxy2);
        }
        catch (HttpRequestException)
        {
            return null;
        }
    }
}
