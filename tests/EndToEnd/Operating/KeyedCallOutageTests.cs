namespace LlmGateway.EndToEnd;

/// <summary>Calls with an <c>Idempotency-Key</c> while the ledger is away.</summary>
[Collection(nameof(Outages))]
public sealed class KeyedCallOutageTests : IAsyncLifetime
{
    /// <summary>What proxies are about to give back would be held until its lease ends.</summary>
    public async ValueTask InitializeAsync() => await Books.WaitUntilRightAsync();

    public async ValueTask DisposeAsync() => await Books.WaitUntilRightAsync();

    [Fact]
    public async Task A_call_that_ends_while_the_ledger_is_away_is_answered_charged_once_and_not_run_again()
    {
        var (user, tag) = (await Backend.App.NewUserAsync(), Sandbox.NewTag());
        KeyedCall? call = null;
        var (running, group) = await Barrier.StartAsync(
            prompt => (call = KeyedCall.Chat(user, "barrier", prompt, Sandbox.Tagged(tag))).SendAsync());
        Reply answer;
        await using (await Outage.StopAsync("wallet"))
        {
            await Sandbox.ReleaseAsync(group);
            answer = (await running).MustBe(200);
            (await call!.SendAsync(Stack.Proxy2)).MustBe(503);
        }

        (await call.FinalAsync(Stack.Proxy2)).MustBeProblem(409, "idempotency_answer_not_kept", "Idempotency-Key");

        Assert.Single(await Sandbox.CallsAsync(tag));
        var row = await Books.OnlyUsageAsync(user);
        Assert.Equal((answer.RequestId, Outcome.Completed), (row.RequestId, row.Outcome));
        Assert.Equal(1_000_000_000 - row.Charged, await user.BalanceAfterAsync(1));
        // What its proxy wanted to give back meanwhile is held until the lease ends.
        await Books.EndLeasesAsync(user);
    }
}
