namespace LlmGateway.EndToEnd;

/// <summary>
/// Tests that have Billing reconcile, which finds what another test has lost on purpose, or that need what the platform has at Stripe. One
/// after the other. All others order what is about their own wallet, and run beside them.
/// </summary>
[CollectionDefinition(nameof(Payments))]
public sealed class Payments;

/// <summary>What neither an answer nor a webhook of Stripe's has told.</summary>
[Collection(nameof(Payments))]
public sealed class ReconciliationTests
{
    [Fact]
    public async Task What_no_webhook_has_told_the_reconciler_finds()
    {
        var purchase = await Purchase.BeginAsync(await Backend.App.NewUserAsync(credit: null), "10");
        await using (var orders = new StripeOrders(purchase.User.WalletId))
        {
            await orders.HoldAsync();
            (await purchase.PayAsync()).MustBe(200);
            await orders.LoseAsync();
        }
        Assert.Equal(0, await purchase.User.BalanceAsync());

        await Purchase.ReconcileAsync();

        await purchase.MustHaveAsync("8.333333333");
        await Purchase.ReconcileAsync();
        Assert.Equal(["topup 8.333333333"], await purchase.EntriesAsync());
    }

    [Fact]
    public async Task A_refund_whose_answer_is_lost_happens_once()
    {
        var purchase = await Purchase.PaidAsync();
        await purchase.MustHaveAsync("8.333333333");
        await using (var orders = new StripeOrders(purchase.Intent))
        {
            await orders.HoldAsync();
            await orders.FailAsync("error-after", "POST /v1/refunds");

            Assert.Equal("pending", (await purchase.RefundAsync("\"amount\":\"10.5\"")).MustBe(201).Json.Text("status"));
            await orders.ReleaseAsync();
        }

        await Eventually.HoldsAsync(
            async () => (await Backend.App.GetAsync($"/v1/wallets/{purchase.User.WalletId}/refunds")).MustBe(200).Json.Items("refunds")
                .Single().Text("status") == "succeeded",
            "the end of the refund");
        await Purchase.ReconcileAsync();
        Assert.Equal(0, await purchase.User.BalanceAsync());
        var refunds = (await Purchase.StripeAsync("GET", $"/v1/refunds?payment_intent={purchase.Intent}")).MustBe(200).Json.Items("data");
        Assert.Equal(1050, Assert.Single(refunds).Int("amount"));
        Assert.Equal(["refund -8.333333333", "topup 8.333333333"], await purchase.EntriesAsync());
    }

    [Theory]
    [InlineData("intent = 'pi_' || replace(gen_random_uuid()::text, '-', '')")] // as of a Stripe that has started anew
    [InlineData("livemode = true, created_at = now() - interval '25 hours'")] // of the world of before other keys
    public async Task A_purchase_that_no_Stripe_of_ours_knows_is_over_when_the_reconciler_asks_after_it(string change)
    {
        var purchase = await Purchase.BeginAsync(await Backend.App.NewUserAsync(credit: null), "10");
        await purchase.MustBeginAsync();
        Assert.Equal(1, await Purchase.NumberAsync(
            "billing", $"with changed as (update payment set looked_at = 'epoch', {change} where intent = $1 returning 1) "
                + "select count(*) from changed", purchase.Intent));

        await Purchase.ReconcileAsync();

        Assert.Equal("canceled", (await purchase.ShownAsync()).Text("status"));
    }
}
