namespace LlmGateway.EndToEnd;

/// <summary>
/// Refunds and disputes in every state, told twenty times, shuffled, to both workers: taken back is what Stripe says in the end.
/// </summary>
[Collection(nameof(Payments))]
public sealed class ReversalOrderTests
{
    [Fact]
    public async Task Refunds_that_are_told_twenty_times_and_shuffled_are_taken_once_and_those_that_fail_come_back()
    {
        await using var second = await SecondBilling.StartAsync();
        var (kept, failing) = (await Purchase.PaidAsync(), await Purchase.PaidAsync(method: Purchase.RefundFails));
        await kept.MustHaveAsync("8.333333333");
        await failing.MustHaveAsync("8.333333333");
        await Purchase.OrderAsync("/webhooks", """{"hold":true,"repeat":20}""");
        try
        {
            foreach (var cents in (int[])[315, 1, 1, 733])
                (await kept.RefundAtStripeAsync(cents)).MustBe(200);
            (await failing.RefundAtStripeAsync(1050)).MustBe(200);
            await Eventually.HoldsAsync(
                async () => (await Purchase.StripeAsync("GET", $"/v1/refunds?payment_intent={failing.Intent}")).MustBe(200).Json
                    .Items("data").Single().Text("status") == "failed",
                "the failure of a refund");
            await Purchase.OrderAsync("/webhooks/release?shuffled=true");
            await Purchase.OrderAsync("/webhooks/settle");
        }
        finally
        {
            await Purchase.OrderAsync("/webhooks");
        }
        foreach (var purchase in (Purchase[])[kept, failing])
            await Eventually.HoldsAsync(async () => await purchase.WaitingEventsAsync() == 0, "the end of all events");

        Assert.Equal(("0", "8.333333333"), (Gateway.Usd(await kept.User.BalanceAsync()), Gateway.Usd(await failing.User.BalanceAsync())));
        Assert.Equal((0, 0), (await kept.OwedAsync(), await failing.OwedAsync()));
        Assert.Equal(-8_333_333_333, (await kept.EntriesAsync()).Where(entry => entry.StartsWith("refund", StringComparison.Ordinal))
            .Sum(entry => (long)(decimal.Parse(entry.Split(' ')[1], System.Globalization.CultureInfo.InvariantCulture) * 1_000_000_000)));
    }

    [Theory]
    [InlineData("winning_evidence", "won", "active", "8.333333333")]
    [InlineData("losing_evidence", "lost", "frozen", "0")]
    public async Task A_dispute_that_is_told_twenty_times_and_shuffled_is_taken_once_and_its_end_is_told_once(
        string evidence, string end, string wallet, string balance)
    {
        await using var second = await SecondBilling.StartAsync();
        await Purchase.OrderAsync("/webhooks", """{"hold":true,"repeat":20}""");
        var purchase = await Purchase.BeginAsync(await Backend.App.NewUserAsync(credit: null), "10");
        string dispute;
        try
        {
            (await purchase.PayAsync(Purchase.Disputed)).MustBe(200);
            dispute = (await Eventually.GetAsync(DisputesAsync, all => all.Length == 1, "a dispute"))[0].Text("id");
            (await Purchase.StripeAsync("POST", $"/v1/disputes/{dispute}", $"evidence[uncategorized_text]={evidence}")).MustBe(200);
            await Eventually.GetAsync(DisputesAsync, all => all[0].Text("status") == end, $"a dispute that is {end}");
            await Purchase.OrderAsync("/webhooks/release?shuffled=true");
            await Purchase.OrderAsync("/webhooks/settle");
        }
        finally
        {
            await Purchase.OrderAsync("/webhooks");
        }
        await Eventually.HoldsAsync(async () => await purchase.WaitingEventsAsync() == 0, "the end of all events");

        Assert.Equal(balance, Gateway.Usd(await purchase.User.BalanceAsync()));
        Assert.Equal(0, await purchase.OwedAsync());
        Assert.Equal(wallet, (await Backend.App.GetAsync($"/v1/wallets/{purchase.User.WalletId}")).MustBe(200).Json.Text("status"));
        Assert.Equal(2, await Eventually.GetAsync(ToldAsync, told => told >= 2, "the telling of the dispute"));

        async Task<long> ToldAsync()
        {
            await using var query = Books.Webhooks.CreateCommand(
                "select count(*) from event where starts_with(type, 'dispute.') and body like '%' || $1 || '%'");
            query.Parameters.Add(new() { Value = dispute });
            return (long)(await query.ExecuteScalarAsync(TestContext.Current.CancellationToken))!;
        }

        async Task<System.Text.Json.JsonElement[]> DisputesAsync() =>
        [
            .. (await Purchase.StripeAsync("GET", $"/v1/disputes?payment_intent={purchase.Intent}")).MustBe(200).Json.Items("data"),
        ];
    }
}
