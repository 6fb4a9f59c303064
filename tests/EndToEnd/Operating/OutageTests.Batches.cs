namespace LlmGateway.EndToEnd;

public sealed partial class OutageTests
{
    [Fact]
    public async Task A_batch_that_ends_while_the_wallet_service_is_away_is_settled_when_it_is_back()
    {
        var user = await Backend.Wires.NewUserAsync();
        var id = await NewBatchAsync(user);
        Assert.True(await user.BalanceAfterAsync(1) < Start);

        await using (await Outage.StopAsync("wallet"))
        {
            (await Gateway.SendAsync("POST", $"/v1/messages/batches/{id}/cancel", user.Token)).MustBe(200);
            // A caller who asks sees that the batch has ended, which settles it at once. That is not possible now.
            await Eventually.GetAsync(
                () => Gateway.SendAsync("GET", $"/v1/messages/batches/{id}", user.Token),
                reply => reply.MustBe(200).Json.Text("processing_status") == "ended",
                "the end");
        }

        await Eventually.HoldsAsync(async () =>
        {
            (await Gateway.SendAsync("GET", $"/v1/messages/batches/{id}", user.Token)).MustBe(200);
            return await user.BalanceAsync() == Start;
        }, "the money of the cancelled batch", TimeSpan.FromSeconds(60));
    }

    [Fact]
    public async Task A_batch_whose_proxy_dies_is_settled_by_another_and_the_rest_of_its_bound_goes_back()
    {
        var user = await Backend.Wires.NewUserAsync();
        var id = await NewBatchAsync(user, Stack.Proxy2);
        await Outage.KillAsync("proxy2");

        Assert.True(await user.BalanceAfterAsync(1) < Start);
        (await Gateway.SendAsync("POST", $"/v1/messages/batches/{id}/cancel", user.Token)).MustBe(200);
        await Eventually.GetAsync(
            user.BalanceAsync,
            balance => balance == Start,
            "the money of the cancelled batch",
            TimeSpan.FromSeconds(60));
        await Books.EndLeasesAsync(user);
    }

    /// <summary>One that does not end before it is cancelled.</summary>
    static async Task<string> NewBatchAsync(User user, Uri? at = null)
    {
        const string body =
            """{"requests":[{"custom_id":"a","params":{"model":"messages-batch-pending","max_tokens":500,"messages":"""
                + """[{"role":"user","content":"hello"}]}}]}""";
        return (await Gateway.SendAsync("POST", "/v1/messages/batches", user.Token, body, at)).MustBe(200).Json.Text("id");
    }
}
