namespace LlmGateway.EndToEnd;

/// <summary>Payments, refunds and payouts while a server is away, or Stripe gives no answer.</summary>
public sealed partial class OutageTests
{
    const string Refund = """{"payment":"$","amount":"3.15"}""";

    static readonly string[] RefundedOnce = ["refund -2.499999999", "topup 8.333333333"];

    [Fact]
    public async Task While_Stripe_gives_no_answer_nothing_has_failed_and_afterwards_each_thing_happens_once()
    {
        var paid = await Purchase.PaidAsync();
        var buyer = await Backend.App.NewUserAsync(credit: null);
        var (payee, account) = await Payee.ReadyAsync();
        var key = $"{Guid.NewGuid()}";
        await using (await Outage.FreezeAsync("sandbox"))
        {
            var replies = await Task.WhenAll(RefundAsync(), Purchase.AskAsync(buyer, """{"amount":"10"}"""), payee.PayOutAsync());

            Assert.Equal("pending", replies[0].MustBe(201).Json.Text("status"));
            replies[1].MustBeProblem(503, "dependency_unavailable");
            replies[2].MustBeProblem(503, "dependency_unavailable");
        }
        await Purchase.ReconcileAsync();

        // What Stripe was asked for while it stood still it may have done: nobody asks for it under another key.
        (await RefundAsync()).MustBe(201);
        var refunds = (await Backend.App.GetAsync($"/v1/wallets/{paid.User.WalletId}/refunds")).MustBe(200).Json.Items("refunds");
        Assert.Equal("succeeded", Assert.Single(refunds).Text("status"));
        Assert.Equal(RefundedOnce, await paid.EntriesAsync());
        Assert.Single((await Purchase.StripeAsync("GET", $"/v1/refunds?payment_intent={paid.Intent}")).Json.Items("data"));
        (await payee.PayOutAsync()).MustBe(200);
        Assert.Equal([200], await Payee.TransfersAsync(account));
        await MustBuyOnceAsync(await Purchase.BeginAsync(buyer, "10"));

        Task<Reply> RefundAsync() => Backend.App.PostAsync(
            $"/v1/wallets/{paid.User.WalletId}/refunds", Refund.Replace("$", paid.Id), key);
    }

    [Fact]
    public async Task Without_RabbitMQ_cards_are_charged_refunded_and_paid_out_and_all_is_told_when_it_is_back()
    {
        var purchase = await Purchase.BeginAsync(await Backend.App.NewUserAsync(credit: null), "10");
        (await Backend.App.PutAsync("/v1/invoices/seller", """{"name":"Acme GmbH","address":"Street 1"}""")).MustBe(200);
        var (payee, account) = await Payee.ReadyAsync();
        string payout;
        await using (await Outage.StopAsync("rabbitmq"))
        {
            (await purchase.PayAsync()).MustBe(200);
            await purchase.MustBecomeAsync("succeeded");
            (await purchase.RefundAsync("\"amount\":\"3.15\"")).MustBe(201);
            payout = (await payee.PayOutAsync()).MustBe(200).Json.Text("id");
        }

        Assert.Equal(RefundedOnce, await purchase.EntriesAsync());
        Assert.Equal([200], await Payee.TransfersAsync(account));
        await Eventually.HoldsAsync(
            async () => await ToldAsync("payout.", payout) == "payout.created payout.paid"
                && await ToldAsync("invoice.", purchase.Id) == "invoice.created invoice.paid invoice.created",
            "the telling of what has happened", TimeSpan.FromSeconds(60));
        await Books.WaitUntilAllIsToldAsync();
    }

    [Fact]
    public async Task Without_PostgreSQL_nobody_is_charged_twice_and_what_Stripe_took_meanwhile_is_in_the_wallet_when_it_is_back()
    {
        var purchase = await Purchase.BeginAsync(await Backend.App.NewUserAsync(credit: null), "10");
        await using (await Outage.StopAsync("postgres"))
        {
            (await purchase.PayAsync()).MustBe(200);
            (await Purchase.AskAsync(purchase.User, """{"amount":"10"}""")).MustBe(503);
            (await purchase.RefundAsync("")).MustBe(503);
        }
        await Purchase.ReconcileAsync();

        await purchase.MustHaveAsync("8.333333333");
        Assert.Equal(["topup 8.333333333"], await purchase.EntriesAsync());
        (await purchase.RefundAsync("\"amount\":\"3.15\"")).MustBe(201);
        Assert.Equal(RefundedOnce, await purchase.EntriesAsync());
    }

    /// <summary>It takes the database's events for a moment: no other test pays meanwhile.</summary>
    [Fact]
    public async Task With_a_real_key_a_database_that_has_played_payments_is_refused_at_the_start()
    {
        var purchase = await Purchase.BeginAsync(await Backend.App.NewUserAsync(credit: null), "10");
        (await purchase.PayAsync()).MustBe(200);
        await purchase.MustHaveAsync("8.333333333");

        var said = await SecondBilling.EndAsync(new()
        {
            ["Stripe__Live__SecretKey"] = "sk_live_of_nobody", ["Stripe__Live__PublishableKey"] = "pk_live_of_nobody",
            ["Stripe__Live__WebhookSecrets__0"] = "whsec_of_nobody",
        });

        Assert.Contains("live payments that the sandbox has played", said);
    }

    static async Task MustBuyOnceAsync(Purchase purchase)
    {
        (await purchase.PayAsync()).MustBe(200);
        await purchase.MustHaveAsync("8.333333333");
        Assert.Equal(["topup 8.333333333"], await purchase.EntriesAsync());
        var intents = (await Purchase.StripeAsync("GET", "/v1/payment_intents?limit=100")).MustBe(200).Json.Items("data");
        Assert.Single(intents, intent => Purchase.IsOf(intent, purchase.User) && intent.Text("status") == "succeeded");
    }

    /// <summary>Types of the events of one family that name it, in the order of their numbers.</summary>
    static async Task<string> ToldAsync(string family, string id)
    {
        await using var query = Books.Webhooks.CreateCommand("""
            select coalesce(string_agg(type, ' ' order by sequence), '') from event
            where starts_with(type, $1) and body like '%' || $2 || '%'
            """);
        query.Parameters.Add(new() { Value = family });
        query.Parameters.Add(new() { Value = id });
        return (string)(await query.ExecuteScalarAsync(Token))!;
    }
}
