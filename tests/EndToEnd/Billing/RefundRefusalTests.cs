namespace LlmGateway.EndToEnd;

/// <summary>Refunds that Stripe refuses or has no answer to, and calls for one that are repeated in another way.</summary>
[Collection(nameof(Payments))]
public sealed class RefundRefusalTests
{
    const string Bought = "8.333333333";

    [Fact]
    public async Task What_Stripe_refuses_is_failed_and_in_the_wallet_again_in_one_commit()
    {
        var purchase = await Purchase.PaidAsync();
        await purchase.MustHaveAsync(Bought);
        await Eventually.HoldsAsync(async () => await purchase.WaitingEventsAsync() == 0, "the end of all events");
        // An intent that Stripe does not know cannot be refunded.
        await Purchase.RunAsync("billing", "update payment set intent = intent || '_gone' where intent = $1", purchase.Intent);
        var fault = $"fault_{Guid.NewGuid():N}";
        // Whoever fails between the two: what gives it back cannot be written.
        await Purchase.RunAsync("billing", $"""
            create function {fault}() returns trigger language plpgsql as $$ begin raise exception 'ordered by a test'; end $$;
            create trigger {fault} before insert on posting for each row
            when (new.type = 'RefundFailed' and new.payment = '{purchase.Id["pay_".Length..]}') execute function {fault}();
            """);
        try
        {
            Assert.Equal(500, (await purchase.RefundAsync("")).Status);
            Assert.Equal("pending", (await OnlyRefundAsync(purchase)).Text("status"));
            await purchase.MustHaveAsync("0");
        }
        finally
        {
            await Purchase.RunAsync("billing", $"drop trigger {fault} on posting; drop function {fault}();");
        }

        await Purchase.ReconcileAsync();

        Assert.Equal("failed", (await OnlyRefundAsync(purchase)).Text("status"));
        await purchase.MustHaveAsync(Bought);
        Assert.Equal([$"reversal {Bought}", $"refund -{Bought}", $"topup {Bought}"], await purchase.EntriesAsync());
        await Purchase.RunAsync("billing", "update payment set intent = $1 where intent = $1 || '_gone'", purchase.Intent);
    }

    [Fact]
    public async Task A_key_that_has_refunded_refunds_no_other_payment_or_amount_also_when_its_answer_is_forgotten()
    {
        var first = await Purchase.PaidAsync();
        await first.MustHaveAsync(Bought);
        var second = await Purchase.BeginAsync(first.User, "10");
        (await second.PayAsync()).MustBe(200);
        await second.MustHaveAsync("16.666666666");
        var key = Guid.NewGuid().ToString();
        var refund = (await AskAsync(first, "1")).MustBe(201).Json.Text("id");

        await Purchase.ForgetAnswerAsync(key);

        foreach (var (purchase, amount) in ((Purchase, string)[])[(first, "2"), (second, "1"), (second, "2")])
            (await AskAsync(purchase, amount)).MustBeProblem(422, "idempotency_key_reused", "Idempotency-Key");

        Assert.Equal(refund, (await AskAsync(first, "1")).MustBe(201).Json.Text("id"));
        Assert.Equal(100, Assert.Single(await AtStripeAsync(first)));
        Assert.Empty(await AtStripeAsync(second));
        Assert.Equal([refund], (await RefundsAsync(first)).Select(one => one.Text("id")));

        Task<Reply> AskAsync(Purchase purchase, string amount) => Backend.App.PostAsync(
            $"/v1/wallets/{first.User.WalletId}/refunds", $$"""{"payment":"{{purchase.Id}}","amount":"{{amount}}"}""", key);
    }

    [Fact]
    public async Task What_was_given_up_without_an_answer_follows_Stripe_when_it_was_refunded_after_all()
    {
        var purchase = await Purchase.PaidAsync();
        await purchase.MustHaveAsync(Bought);
        await using (var orders = new StripeOrders(purchase.Intent))
        {
            await orders.FailAsync("cut-before", "POST /v1/refunds", count: 1000);
            Assert.Equal("pending", (await purchase.RefundAsync("")).MustBe(201).Json.Text("status"));
            await Purchase.RunAsync("billing", """
                update refund set created_at = now() - interval '24 hours' where payment = (select id from payment where intent = $1)
                """, purchase.Intent);
            await Purchase.ReconcileAsync();
        }
        var refund = await OnlyRefundAsync(purchase);
        Assert.Equal("failed", refund.Text("status"));
        Assert.Contains("no answer", refund.Text("failure"));
        await purchase.MustHaveAsync(Bought);

        // What was on its way for a day arrives.
        (await Purchase.StripeAsync(
            "POST", "/v1/refunds", $"payment_intent={purchase.Intent}&amount=1050&metadata[llmgateway_refund]={refund.Text("id")}"))
            .MustBe(200);

        await purchase.MustHaveAsync("0");
        await Eventually.HoldsAsync(
            async () => (await OnlyRefundAsync(purchase)).Text("status") == "succeeded", "the refund's state at Stripe");
        Assert.Equal(
            [$"refund -{Bought}", $"reversal {Bought}", $"refund -{Bought}", $"topup {Bought}"], await purchase.EntriesAsync());
    }

    static async Task<System.Text.Json.JsonElement> OnlyRefundAsync(Purchase purchase) => Assert.Single(await RefundsAsync(purchase));

    static async Task<System.Text.Json.JsonElement[]> RefundsAsync(Purchase purchase) =>
        [.. (await Backend.App.GetAsync($"/v1/wallets/{purchase.User.WalletId}/refunds")).MustBe(200).Json.Items("refunds")];

    static async Task<int[]> AtStripeAsync(Purchase purchase) =>
    [
        .. (await Purchase.StripeAsync("GET", $"/v1/refunds?payment_intent={purchase.Intent}")).MustBe(200).Json.Items("data")
            .Select(one => one.Int("amount")),
    ];
}
