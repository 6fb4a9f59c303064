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

    [Theory]
    [InlineData("proxy2", "proxy.call.keyed", false)]
    [InlineData("proxy2", "proxy.whole.settled", false)]
    [InlineData("proxy2", "proxy.call.recorded", true)]
    [InlineData("proxy2", "proxy.call.kept", false)]
    [InlineData("proxy2", "proxy.call.kept", true)]
    [InlineData("proxy2", "proxy.end.released", true)]
    [InlineData("proxy2", "proxy.end.spooled", false)]
    [InlineData("wallet", "wallet.call.keyed", false)]
    [InlineData("wallet", "wallet.call.settled", true)]
    public async Task A_call_whose_process_dies_is_charged_once_and_its_repetition_gets_an_answer_or_is_told(
        string process, string point, bool stream)
    {
        var user = await Backend.App.NewUserAsync();
        var call = KeyedCall.Chat(user, "small", Price.Question, stream ? "\"stream\":true" : null);
        Stack.App.Once(process, Failpoint.Variable, $"{point}:1:kill");
        await Outage.KillAsync(process);
        var armed = Stack.ProcessId(process);

        var first = await TryAsync(call);
        var final = await call.FinalAsync(Stack.Proxy);
        await Outage.WaitUntilAllIsHealthyAsync();
        Assert.NotEqual(armed, Stack.ProcessId(process)); // it has died at its point
        if (process == "wallet")
            await Books.EndLeasesAsync(user); // it may have granted them in answers that were lost
        await Books.WaitUntilRightAsync();

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
