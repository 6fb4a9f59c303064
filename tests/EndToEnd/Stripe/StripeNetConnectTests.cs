using System.Net;
using Stripe;

// The HTTP client's own limit ends every call; a token would be on every line.
#pragma warning disable xUnit1051

namespace LlmGateway.EndToEnd;

/// <summary>Stripe.net, unchanged, against the sandbox: money out, and plans.</summary>
public sealed class StripeNetConnectTests
{
    readonly StripeWorld _world = new();

    [Fact]
    public async Task The_onboarding_page_makes_an_account_ready()
    {
        var account = await _world.Stripe.Accounts.CreateAsync(new()
        {
            Type = "express", Capabilities = new() { Transfers = new() { Requested = true } },
        });
        Assert.Equal(("inactive", false), (account.Capabilities.Transfers, account.PayoutsEnabled));
        var link = await _world.Stripe.AccountLinks.CreateAsync(new()
        {
            Account = account.Id,
            Type = "account_onboarding",
            RefreshUrl = "https://example.com/again",
            ReturnUrl = "https://example.com/done",
        });

        await StripeWorld.VisitAsync(link.Url, ("step", "save"), ("individual.first_name", "Jenny"));
        var half = await _world.Stripe.Accounts.GetAsync(account.Id);
        Assert.DoesNotContain("individual.first_name", half.Requirements.CurrentlyDue);
        var fields = half.Requirements.CurrentlyDue.Select(field =>
            (field, field.EndsWith("year", StringComparison.Ordinal) ? "1990" : "000123456789"));
        var back = await StripeWorld.VisitAsync(link.Url, [("step", "save"), .. fields]);

        Assert.Equal("https://example.com/done", back?.ToString());
        var ready = await _world.Stripe.Accounts.GetAsync(account.Id);
        Assert.Equal(("active", true, true), (ready.Capabilities.Transfers, ready.PayoutsEnabled, ready.DetailsSubmitted));
    }

    [Fact]
    public async Task A_transfer_needs_available_money_and_is_paid_once()
    {
        var account = await _world.ReadyAccountAsync();
        var options = new TransferCreateOptions { Amount = 5_000, Currency = "usd", Destination = account.Id };
        await StripeWorld.RefusedAsync(_world.Stripe.Transfers.CreateAsync(options), HttpStatusCode.BadRequest, "balance_insufficient");
        await _world.PayAsync(10_000, "pm_card_bypassPending");
        await _world.OrderAsync("faults", new { kind = "cut-after", match = "POST /v1/transfers", count = 2 });

        var calls = Enumerable.Range(0, 20).Select(_ => _world.Stripe.Transfers.CreateAsync(options, new() { IdempotencyKey = "one" }));
        await Task.WhenAll(calls.Select(call => call.ContinueWith(_ => { }, TaskScheduler.Default)));
        var transfer = await _world.Stripe.Transfers.CreateAsync(options, new() { IdempotencyKey = "one" });

        Assert.Equal([transfer.Id], (await _world.Stripe.Transfers.ListAsync()).Select(each => each.Id));
        var balance = await _world.Stripe.Balance.GetAsync(new RequestOptions { StripeAccount = account.Id });
        Assert.Equal(5_000, balance.Available.Single().Amount);
    }

    [Fact]
    public async Task A_transfer_is_reversed_and_no_more_than_that()
    {
        var account = await _world.ReadyAccountAsync();
        await _world.PayAsync(10_000, "pm_card_bypassPending");
        var transfer = await _world.Stripe.Transfers.CreateAsync(new() { Amount = 5_000, Currency = "usd", Destination = account.Id });

        await _world.Stripe.Transfers.Reversals.CreateAsync(transfer.Id, new() { Amount = 2_000 });

        await StripeWorld.RefusedAsync(
            _world.Stripe.Transfers.Reversals.CreateAsync(transfer.Id, new() { Amount = 3_001 }),
            HttpStatusCode.BadRequest,
            param: "amount");
        Assert.Equal(2_000, (await _world.Stripe.Transfers.GetAsync(transfer.Id)).AmountReversed);
    }

    [Fact]
    public async Task A_payout_fails_at_a_bank_that_knows_no_such_account()
    {
        var account = await _world.ReadyAccountAsync();
        var on = new RequestOptions { StripeAccount = account.Id };
        await _world.PayAsync(10_000, "pm_card_bypassPending");
        await _world.Stripe.Transfers.CreateAsync(new() { Amount = 5_000, Currency = "usd", Destination = account.Id });
        await _world.Stripe.Accounts.ExternalAccounts.CreateAsync(account.Id, new()
        {
            ExternalAccount = new AccountExternalAccountBankAccountOptions
            {
                Country = "US", Currency = "usd", RoutingNumber = "110000000", AccountNumber = "000111111116",
            },
        });
        var payout = await _world.Stripe.Payouts.CreateAsync(new() { Amount = 5_000, Currency = "usd" }, on);

        await _world.AdvanceAsync(TimeSpan.FromSeconds(10));

        var failed = await _world.Stripe.Payouts.GetAsync(payout.Id, null, on);
        Assert.Equal(("failed", "no_account"), (failed.Status, failed.FailureCode));
        Assert.Equal(5_000, (await _world.Stripe.Balance.GetAsync(on)).Available.Single().Amount);
    }

    [Fact]
    public async Task An_account_that_cut_the_platform_off_is_out_of_reach()
    {
        var account = await _world.ReadyAccountAsync();

        await _world.OrderAsync($"accounts/{account.Id}", new { name = "deauthorized" });

        await StripeWorld.RefusedAsync(_world.Stripe.Accounts.GetAsync(account.Id), HttpStatusCode.Forbidden, "account_invalid");
    }

    [Fact]
    public async Task A_subscription_renews_under_a_test_clock()
    {
        var start = new DateTime(2026, 1, 31, 12, 0, 0, DateTimeKind.Utc);
        var clock = await _world.Client.V1.TestHelpers.TestClocks.CreateAsync(new() { FrozenTime = start });
        var customer = await _world.Stripe.Customers.CreateAsync(new() { TestClock = clock.Id });
        var method = await _world.Stripe.PaymentMethods.AttachAsync("pm_card_visa", new() { Customer = customer.Id });
        var price = await _world.Stripe.Prices.CreateAsync(new()
        {
            Currency = "usd",
            UnitAmount = 2_900,
            Recurring = new() { Interval = "month" },
            ProductData = new() { Name = "Starter" },
        });
        var subscription = await _world.Stripe.Subscriptions.CreateAsync(new()
        {
            Customer = customer.Id, DefaultPaymentMethod = method.Id, Items = [new() { Price = price.Id }],
        });
        Assert.Equal("active", subscription.Status);

        await _world.Client.V1.TestHelpers.TestClocks.AdvanceAsync(clock.Id, new() { FrozenTime = start.AddMonths(1).AddHours(2) });

        Assert.Equal("ready", (await _world.Client.V1.TestHelpers.TestClocks.GetAsync(clock.Id)).Status);
        var invoices = await _world.Stripe.Invoices.ListAsync(new() { Subscription = subscription.Id });
        Assert.Equal(
            [("paid", "subscription_cycle"), ("paid", "subscription_create")],
            invoices.Select(each => (each.Status, each.BillingReason)));
    }
}
