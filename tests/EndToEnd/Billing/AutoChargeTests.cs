using System.Text.Json;
using Npgsql;

namespace LlmGateway.EndToEnd;

/// <summary>Charges of saved cards whose end is not known, is another than was hoped for, or comes at another moment.</summary>
public sealed class AutoChargeTests
{
    static CancellationToken Token => TestContext.Current.CancellationToken;

    /// <summary>Row 7.1, too: no answer is no failure, also for who saves another card meanwhile.</summary>
    [Fact]
    public async Task While_Stripe_may_still_be_charging_one_card_the_next_one_is_not_charged()
    {
        var card = await SavedCard.SaveAsync(await Backend.App.NewUserAsync("2"));
        await card.TurnOnAsync("1", "10", "10");
        await using (var orders = new StripeOrders(card.User.WalletId))
        {
            await orders.FailAsync("late", "POST /v1/payment_intents", milliseconds: 15_000);
            await card.SpendAsync("1.5");
            await Eventually.HoldsAsync(async () => await ChargesAsync("new") == 1, "the claim", SavedCard.Patience);
            await SavedCard.SaveAsync(card.User);

            await Eventually.HoldsAsync(async () => await ChargesAsync("succeeded") > 0, "the charge", SavedCard.Patience);
            await card.MustBeLookedAtAsync();
        }

        Assert.Single(await card.IntentsAsync());
        Assert.Equal(["8.333333333"], await card.TopUpsAsync());
        Assert.Equal("10", (await card.ShownAsync()).Text("chargedThisMonth"));

        Task<long> ChargesAsync(string status) => Purchase.NumberAsync(
            "billing", "select count(*) from payment where customer = $1 and status = $2", card.User.Customer, status);
    }

    /// <summary>Its owner has removed that card, perhaps, and believes that nobody charges it.</summary>
    [Fact]
    public async Task What_Stripe_has_not_charged_with_one_card_is_not_charged_again_when_another_one_is_saved()
    {
        var card = await SavedCard.SaveAsync(await Backend.App.NewUserAsync("2"));
        await card.TurnOnAsync("1", "10", "100");
        await using (var orders = new StripeOrders(card.User.WalletId))
        {
            await orders.FailAsync("error-before", "POST /v1/payment_intents", count: 100);
            await card.SpendAsync("1.5");
            await Eventually.HoldsAsync(
                async () => await Purchase.NumberAsync(
                    "billing", "select count(*) from payment where customer = $1 and status = 'new'", card.User.Customer) == 1,
                "the claim", SavedCard.Patience);
            Assert.Equal(1, await Purchase.NumberAsync("billing", """
                with another as (update card_holder set method = 'pm_another' where customer = $1 returning 1) select count(*) from another
                """, card.Customer));
        }

        await card.MustBeLookedAtAsync();

        Assert.Empty(await card.IntentsAsync());
    }

    /// <summary>Of such a charge Stripe tells nothing: there is no intent that could be told of.</summary>
    [Fact]
    public async Task What_Stripe_refuses_to_charge_is_told_waits_for_a_reason_and_pauses_and_is_mailed_after_the_last_attempt()
    {
        var card = await SavedCard.SaveAsync(await Backend.App.NewUserAsync("2"));
        await card.TurnOnAsync("1", "10", "100");
        await using var orders = new StripeOrders(card.User.WalletId);
        await orders.FailAsync("refusal", "POST /v1/payment_intents");
        await card.SpendAsync("1.5");
        await card.MustBeDeclinedAsync();

        var shown = await card.ShownAsync();
        Assert.Equal(
            ("active", "charge_refused", "balance_insufficient"),
            (shown.Text("status"), shown.Text("reason"), shown.GetProperty("failure").Text("code")));
        Assert.Equal(
            "balance_insufficient", Data(Assert.Single(await AutoTopUpTests.ToldAsync(card.User, "topup.failed", 1))).Text("code"));
        Assert.Empty(await card.IntentsAsync());

        await orders.FailAsync("refusal", "POST /v1/payment_intents");
        Assert.Equal(1, await Purchase.NumberAsync("billing", """
            with last as (
                update auto_top_up set failures = 3, not_before = null, due_at = now() where customer = $1 returning 1)
            select count(*) from last
            """, card.User.Customer));
        var paused = await card.MustBecomeAsync("paused");

        Assert.Equal("too_many_declines", paused.Text("reason"));
        Assert.Equal(2, (await AutoTopUpTests.ToldAsync(card.User, "topup.failed", 2)).Length);
        Assert.Equal("too_many_declines", Data(Assert.Single(await AutoTopUpTests.ToldAsync(card.User, "topup.paused", 1))).Text("reason"));
        Assert.Equal(1, await Purchase.NumberAsync(
            "billing", "select count(*) from mail where customer = $1 and subject like 'Your card was declined%'", card.User.Customer));

        static JsonElement Data(string body) => JsonDocument.Parse(body).RootElement.GetProperty("data");
    }

    [Fact]
    public async Task When_the_payment_that_waits_for_its_owner_is_cancelled_its_owner_is_told_that_it_pauses_and_not_asked_again()
    {
        var card = await SavedCard.SaveAsync(await Backend.App.NewUserAsync("2"), SavedCard.NeedsOwner);
        await card.TurnOnAsync("1", "10", "100");
        await card.SpendAsync("1.5");
        await card.MustBecomeAsync("paused");
        var intent = Assert.Single(await card.IntentsAsync()).Text("id");
        await AutoTopUpTests.ToldAsync(card.User, "topup.authentication_required", 1);

        (await Purchase.StripeAsync("POST", $"/v1/payment_intents/{intent}/cancel", "")).MustBe(200);

        Assert.Single(await AutoTopUpTests.ToldAsync(card.User, "topup.paused", 1));
        Assert.Single(await AutoTopUpTests.ToldAsync(card.User, "topup.authentication_required", 1));
        var shown = await card.ShownAsync();
        Assert.Equal(("paused", JsonValueKind.Null), (shown.Text("status"), shown.GetProperty("confirm").ValueKind));
    }

    /// <summary>
    /// What was paid is under way until the ledger has booked it, whatever time it says. The row is as a transaction leaves it that begins
    /// before a look at the wallet and commits in it; its post follows with the event.
    /// </summary>
    [Fact]
    public async Task What_was_paid_and_is_not_booked_is_not_charged_a_second_time()
    {
        var user = await Backend.App.NewUserAsync("2");
        var card = await SavedCard.SaveAsync(user);
        await card.TurnOnAsync("1", "10", "100");
        var paid = await Purchase.BeginAsync(user, "10");
        await Eventually.HoldsAsync(
            async () => await Purchase.NumberAsync(
                "billing", "select count(*) from stripe_event where type = 'payment_intent.created' and status = 'done' "
                    + "and convert_from(body, 'UTF8') like '%' || $1 || '%'", paid.Intent) == 1,
            "the event of its creation");
        Assert.Equal(1, await Purchase.NumberAsync(
            "billing", "with paid as (update payment set status = 'succeeded', paid_at = now() - interval '1 hour' where intent = $1 "
                + "returning 1) select count(*) from paid", paid.Intent));

        await card.SpendAsync("1.5");
        await card.MustBeLookedAtAsync();

        Assert.Empty(await card.IntentsAsync());
        (await paid.PayAsync()).MustBe(200);
        await paid.MustHaveAsync("8.833333333");
        Assert.Empty(await card.IntentsAsync());
    }

    [Fact]
    public async Task A_setup_of_another_deployment_on_the_same_account_is_ignored()
    {
        var names = $"metadata[llmgateway_setup]={Guid.NewGuid():N}&metadata[llmgateway_wallet]=wal_{Guid.NewGuid():N}";
        var setup = (await Purchase.StripeAsync("POST", "/v1/setup_intents", names)).MustBe(200).Json.Text("id");

        await Eventually.HoldsAsync(
            async () => await Purchase.NumberAsync(
                "billing", "select count(*) from stripe_event where type = 'setup_intent.created' and status = 'ignored' "
                    + "and convert_from(body, 'UTF8') like '%' || $1 || '%'", setup) == 1,
            "the event of its creation");
    }

    [Fact]
    public async Task Whoever_stands_still_with_a_wallet_s_row_locked_lets_it_go()
    {
        var card = await SavedCard.SaveAsync(await Backend.App.NewUserAsync("2"));
        await card.TurnOnAsync("1", "10", "100");
        await using var database = NpgsqlDataSource.Create(Stack.Connection("billing"));

        var bound = await LlmGateway.Billing.AutoTopUpRows.WithAutoTopUpAsync<string>(
            database, Guid.ParseExact(card.User.WalletId["wal_".Length..], "N"),
            async (connection, _) =>
            {
                await using var query = connection.CreateCommand();
                query.CommandText = "show idle_in_transaction_session_timeout";
                return (string?)await query.ExecuteScalarAsync(Token);
            }, Token);

        Assert.Equal("30s", bound);
    }
}
