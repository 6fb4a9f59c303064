using LlmGateway.ServiceDefaults;

namespace LlmGateway.EndToEnd;

/// <summary>What becomes of a batch, and of the money that is held for it, when something fails while it is created.</summary>
[Collection(nameof(Outages))]
public sealed class BatchFailureTests : IAsyncLifetime
{
    const string Path = "/v1/messages/batches";

    const long Start = 1_000_000_000;

    /// <summary>What proxies are about to give back would be held until its lease ends.</summary>
    public async ValueTask InitializeAsync() => await Books.WaitUntilRightAsync();

    public async ValueTask DisposeAsync() => await Books.WaitUntilRightAsync();

    [Fact]
    public async Task A_batch_that_its_customer_can_reach_is_paid_although_its_proxy_dies_and_is_not_created_again()
    {
        var (user, tag) = (await Backend.Wires.NewUserAsync(), Sandbox.NewTag());
        var call = new KeyedCall(user.Token, Path, Body(tag));
        Stack.App.Once("proxy2", Failpoint.Variable, "proxy.call.recorded:1:kill");
        await Outage.KillAsync("proxy2");

        await Assert.ThrowsAsync<HttpRequestException>(() => call.SendAsync(Stack.Proxy2));
        (await call.FinalAsync(Stack.Proxy)).MustBeProblem(409, "idempotency_answer_not_kept", "Idempotency-Key");
        await Outage.WaitUntilAllIsHealthyAsync();

        var row = await Books.OnlyUsageAsync(user);
        Assert.Equal((Outcome.Completed, row.Cost, 0, "batch"), (row.Outcome, row.Charged, row.Absorbed, row.Reason));
        Assert.Equal(Start - row.Cost, await user.BalanceAsync());
        Assert.Single(await Sandbox.CallsAsync(tag));

        var id = Assert.Single((await Gateway.SendAsync("GET", Path, user.Token)).MustBe(200).Json.Items("data")).Text("id");
        (await Gateway.SendAsync("POST", $"{Path}/{id}/cancel", user.Token)).MustBe(200);
        await Eventually.GetAsync(
            user.BalanceAsync, balance => balance == Start, "the money of the cancelled batch", TimeSpan.FromSeconds(60));
        Assert.Equal(0, (await Books.OnlyUsageAsync(user)).Absorbed);
    }

    [Fact]
    public async Task A_batch_that_cannot_be_written_down_holds_nothing_and_takes_no_slot()
    {
        var user = await Backend.Wires.NewUserAsync();
        (await Backend.Wires.PutAsync($"/v1/customers/{user.CustomerId}/rates", """{"concurrent":1}""")).MustBe(200);
        Stack.App.Once("proxy2", Failpoint.Variable, "proxy.journal.begun:1:throw");
        await Outage.KillAsync("proxy2");
        var call = new KeyedCall(user.Token, Path, Body(Sandbox.NewTag()));

        (await call.SendAsync(Stack.Proxy2)).MustBe(503);

        var row = await Books.OnlyUsageAsync(user);
        Assert.Equal((Outcome.Failed, 0, 0), (row.Outcome, row.Cost, row.Charged));
        await Eventually.HoldsAsync(async () => await Books.HeldAsync([user]) == 0, "nothing that is held");
        (await call.SendAsync(Stack.Proxy2)).MustBe(200);
    }

    static string Body(string tag) => $$$"""
        {"requests":[{"custom_id":"a","params":{"model":"messages-batch-pending","max_tokens":500,
        "metadata":{"user_id":"[[tag:{{{tag}}}]]"},"messages":[{"role":"user","content":"hello"}]}}]}
        """;
}
