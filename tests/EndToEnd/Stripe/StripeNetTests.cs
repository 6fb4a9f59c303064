using System.Net;
using Stripe;

// The HTTP client's own limit ends every call; a token would be on every line.
#pragma warning disable xUnit1051

namespace LlmGateway.EndToEnd;

/// <summary>Stripe.net, unchanged, against the sandbox: money in.</summary>
public sealed class StripeNetTests
{
    readonly StripeWorld _world = new();

    [Fact]
    public async Task A_payment_succeeds_and_costs_a_fee()
    {
        var intent = await _world.PayAsync(10_000, "pm_card_visa", options => options.Expand = ["latest_charge.balance_transaction"]);

        Assert.Equal("succeeded", intent.Status);
        Assert.False(intent.Livemode);
        Assert.Equal((320L, 9_680L), (intent.LatestCharge.BalanceTransaction.Fee, intent.LatestCharge.BalanceTransaction.Net));
        Assert.Equal(9_680, (await _world.Stripe.Balance.GetAsync()).Pending.Single().Amount);
    }

    [Theory]
    [InlineData("pm_card_chargeDeclined", "card_declined", "generic_decline")]
    [InlineData("pm_card_chargeDeclinedInsufficientFunds", "card_declined", "insufficient_funds")]
    [InlineData("pm_card_chargeDeclinedExpiredCard", "expired_card", "expired_card")]
    [InlineData("pm_card_radarBlock", "card_declined", "fraudulent")]
    public async Task A_declined_card_says_why_and_leaves_the_intent_open(string method, string code, string decline)
    {
        var refused = await StripeWorld.RefusedAsync(_world.PayAsync(1_000, method), HttpStatusCode.PaymentRequired, code);

        Assert.Equal(decline, refused.StripeError.DeclineCode);
        var intent = await _world.Stripe.PaymentIntents.GetAsync(refused.StripeError.PaymentIntent.Id);
        Assert.Equal("requires_payment_method", intent.Status);
        Assert.Equal(code, intent.LastPaymentError.Code);
    }

    [Fact]
    public async Task A_cardholder_authenticates_at_the_bank()
    {
        var intent = await _world.PayAsync(
            1_000, "pm_card_threeDSecure2Required", options => options.ReturnUrl = "https://example.com/back");
        Assert.Equal("requires_action", intent.Status);

        var back = await StripeWorld.VisitAsync(intent.NextAction.RedirectToUrl.Url, ("outcome", "complete"));

        Assert.Contains("redirect_status=succeeded", back!.Query);
        Assert.Equal("succeeded", (await _world.Stripe.PaymentIntents.GetAsync(intent.Id)).Status);
    }

    [Fact]
    public async Task A_saved_card_pays_later_without_its_holder()
    {
        var customer = await _world.Stripe.Customers.CreateAsync(new() { Email = "a@example.com" });
        var setup = await _world.Stripe.SetupIntents.CreateAsync(new()
        {
            Customer = customer.Id,
            PaymentMethod = "pm_card_visa",
            Confirm = true,
            AllowedPaymentMethodTypes = ["card"],
            Usage = "off_session",
        });
        Assert.Equal("succeeded", setup.Status);

        var intent = await _world.PayAsync(
            2_500, setup.PaymentMethodId, options => (options.Customer, options.OffSession) = (customer.Id, true));

        Assert.Equal("succeeded", intent.Status);
    }

    [Fact]
    public async Task A_card_that_wants_its_holder_is_declined_without_them()
    {
        var customer = await _world.Stripe.Customers.CreateAsync(new() { PaymentMethod = "pm_card_authenticationRequired" });
        var method = (await _world.Stripe.PaymentMethods.ListAsync(new() { Customer = customer.Id })).Single();

        await StripeWorld.RefusedAsync(
            _world.PayAsync(1_000, method.Id, options => (options.Customer, options.OffSession) = (customer.Id, true)),
            HttpStatusCode.PaymentRequired,
            "authentication_required");
    }

    [Fact]
    public async Task A_bank_payment_is_being_processed_until_its_time_has_come()
    {
        var intent = await _world.PayAsync(
            1_000, "pm_usBankAccount_success", options => options.AllowedPaymentMethodTypes = ["us_bank_account"]);
        Assert.Equal("processing", intent.Status);

        await _world.AdvanceAsync(TimeSpan.FromSeconds(10));

        Assert.Equal("succeeded", (await _world.Stripe.PaymentIntents.GetAsync(intent.Id)).Status);
    }

    [Fact]
    public async Task Parameters_are_refused_by_their_names()
    {
        await StripeWorld.RefusedAsync(
            _world.Stripe.PaymentIntents.CreateAsync(new() { Currency = "usd" }), HttpStatusCode.BadRequest, "parameter_missing", "amount");
        await StripeWorld.RefusedAsync(
            _world.Stripe.PaymentIntents.CreateAsync(new() { Amount = 49, Currency = "usd" }),
            HttpStatusCode.BadRequest,
            "amount_too_small",
            "amount");
        await StripeWorld.RefusedAsync(_world.Stripe.Customers.GetAsync("cus_nobody"), HttpStatusCode.NotFound, "resource_missing");
        await StripeWorld.RefusedAsync(StripeWorld.ClientOf("sk_live_1").V1.Balance.GetAsync(), HttpStatusCode.Unauthorized);
    }

    [Fact]
    public async Task A_repeated_call_gets_the_answer_that_was_cut_off()
    {
        await _world.OrderAsync("faults", new { kind = "cut-after", match = "POST /v1/payment_intents" });
        await Assert.ThrowsAnyAsync<Exception>(() => _world.PayAsync(1_000, "pm_card_visa", key: "one"));

        var intent = await _world.PayAsync(1_000, "pm_card_visa", key: "one");

        Assert.Equal([intent.Id], (await _world.Stripe.PaymentIntents.ListAsync()).Select(each => each.Id));
        Assert.Equal("true", intent.StripeResponse.Headers.GetValues("Idempotent-Replayed").Single());
        await StripeWorld.RefusedAsync(_world.PayAsync(2_000, "pm_card_visa", key: "one"), HttpStatusCode.BadRequest);
    }

    [Fact]
    public async Task Lists_are_walked_through_page_by_page()
    {
        for (var i = 0; i < 5; i++)
            await _world.Stripe.Customers.CreateAsync(new() { Name = $"n{i}" });

        var names = await _world.Stripe.Customers.ListAutoPagingAsync(new() { Limit = 2 }).Select(customer => customer.Name).ToListAsync();

        Assert.Equal(["n4", "n3", "n2", "n1", "n0"], names);
    }

    [Fact]
    public async Task A_refund_fails_after_it_had_succeeded()
    {
        var intent = await _world.PayAsync(10_000, "pm_card_refundFail");
        var refund = await _world.Stripe.Refunds.CreateAsync(new() { PaymentIntent = intent.Id, Amount = 4_000 });
        Assert.Equal("succeeded", refund.Status);

        await _world.AdvanceAsync(TimeSpan.FromSeconds(10));

        var failed = await _world.Stripe.Refunds.GetAsync(refund.Id);
        Assert.Equal(("failed", "expired_or_canceled_card"), (failed.Status, failed.FailureReason));
        Assert.Equal(0, (await _world.Stripe.Charges.GetAsync(intent.LatestChargeId)).AmountRefunded);
    }

    [Theory]
    [InlineData("winning_evidence", "won", 0), InlineData("losing_evidence", "lost", -11_500)]
    public async Task A_dispute_ends_as_its_evidence_says(string evidence, string status, long net)
    {
        var intent = await _world.PayAsync(10_000, "pm_card_createDispute");
        await _world.AdvanceAsync(TimeSpan.FromSeconds(2));
        var dispute = (await _world.Stripe.Disputes.ListAsync(new() { PaymentIntent = intent.Id })).Single();
        Assert.Equal("needs_response", dispute.Status);

        await _world.Stripe.Disputes.UpdateAsync(dispute.Id, new() { Evidence = new() { UncategorizedText = evidence } });
        await _world.AdvanceAsync(TimeSpan.FromSeconds(2));

        var ended = await _world.Stripe.Disputes.GetAsync(dispute.Id);
        Assert.Equal((status, net), (ended.Status, ended.BalanceTransactions.Sum(each => each.Net)));
    }

    [Fact]
    public async Task Webhooks_are_signed_and_an_altered_one_is_refused()
    {
        await using var listener = await WebhookListener.StartAsync();
        var endpoint = await _world.Stripe.WebhookEndpoints.CreateAsync(new()
        {
            Url = listener.Url, EnabledEvents = ["payment_intent.succeeded"],
        });

        var intent = await _world.PayAsync(1_000, "pm_card_visa");
        await _world.OrderAsync("webhooks/settle");

        var received = Assert.Single(listener.All);
        var (body, signature) = (received.Body, received.Headers["Stripe-Signature"]);
        var told = EventUtility.ConstructEvent(body, signature, endpoint.Secret);
        Assert.Equal(intent.Id, Assert.IsType<PaymentIntent>(told.Data.Object).Id);
        Assert.Throws<StripeException>(() => EventUtility.ConstructEvent(body.Replace("usd", "eur"), signature, endpoint.Secret));
        Assert.Throws<StripeException>(() => EventUtility.ConstructEvent(body, signature, "whsec_other"));
    }
}
