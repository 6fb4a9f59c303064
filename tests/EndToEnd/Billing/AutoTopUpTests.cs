using System.Text.Json;
using Npgsql;

namespace LlmGateway.EndToEnd;

/// <summary>Wallets that are topped up by themselves, with cards that are saved at the sandbox's Stripe.</summary>
public sealed class AutoTopUpTests
{
    static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_wallet_that_falls_below_its_mark_is_charged_once_for_each_fall()
    {
        var card = await SavedCard.SaveAsync(await Backend.App.NewUserAsync("2"));
        var shown = await card.TurnOnAsync("1", "10", "100");
        Assert.Equal(("active", "visa", "4242"), (shown.Text("status"), Card(shown).Text("brand"), Card(shown).Text("last4")));
        Assert.Empty(await card.IntentsAsync());

        for (var i = 1; i <= 3; i++)
        {
            await card.SpendAsync(i == 1 ? "1.5" : "8.333333333");
            await Eventually.GetAsync(card.TopUpsAsync, all => all.Length == i, $"top-up {i}", SavedCard.Patience);
        }

        Assert.All(await card.TopUpsAsync(), amount => Assert.Equal("8.333333333", amount));
        Assert.All(await card.IntentsAsync(), intent => Assert.Equal((1050, "succeeded"), (Cents(intent), intent.Text("status"))));
        Assert.Equal(3, (await card.IntentsAsync()).Length);
        Assert.Equal(("30", "active"), ((await card.ShownAsync()).Text("chargedThisMonth"), (await card.ShownAsync()).Text("status")));
        var topUps = (await Gateway.SendAsync("GET", "/v1/wallet/top-ups", card.User.Token)).MustBe(200).Json.Items("topUps");
        Assert.All(topUps, one => Assert.True(one.GetProperty("automatic").GetBoolean()));
    }

    [Fact]
    public async Task A_mark_that_nothing_is_told_of_is_found_and_one_charge_closes_the_gap()
    {
        var card = await SavedCard.SaveAsync(await Backend.App.NewUserAsync("60"));
        await card.TurnOnAsync("50", "10", "100");

        // 3.4 times 8.333333333 below; the ledger's own mark is at 1.
        await card.SpendAsync("38.333333332");

        await Eventually.GetAsync(card.TopUpsAsync, all => all.Length > 0, "the top-up", SavedCard.Patience);
        Assert.Equal(4200, Cents(Assert.Single(await card.IntentsAsync())));
        Assert.Equal(["33.333333333"], await card.TopUpsAsync());
    }

    [Theory]
    [InlineData("POST /v1/customers", "card_holder", "keyed_at")]
    [InlineData("POST /v1/setup_intents", "card_setup", "created_at")]
    public async Task An_error_that_Stripe_keeps_for_a_day_keeps_nobody_from_saving_a_card(string call, string table, string since)
    {
        var user = await Backend.App.NewUserAsync("2");
        var wallet = Guid.ParseExact(user.WalletId["wal_".Length..], "N");
        await using (var orders = new StripeOrders(user.WalletId))
        {
            await orders.HoldAsync();
            await orders.FailAsync("error-after", call);
            (await Gateway.SendAsync("POST", "/v1/wallet/payment-method", user.Token)).MustBe(503);
            await Purchase.NumberAsync(
                "billing",
                $"""
                with aged as (update {table} set {since} = {since} - interval '1 minute' where wallet = $1 returning 1)
                select count(*) from aged
                """,
                wallet);

            Assert.Equal("visa", Card(await (await SavedCard.SaveAsync(user)).TurnOnAsync("1", "10", "100")).Text("brand"));
            await orders.ReleaseAsync();
        }
    }

    [Fact]
    public async Task A_promotion_that_ends_is_a_fall_below_the_mark_though_nobody_has_booked_its_end()
    {
        var card = await SavedCard.SaveAsync(await Backend.App.NewUserAsync(credit: null));
        (await Backend.App.PostAsync(
            $"/v1/wallets/{card.User.WalletId}/credit",
            """{"amount":"5","kind":"promotion","expiresAt":"2999-01-01T00:00:00Z"}""")).MustBe(200);
        await card.TurnOnAsync("1", "10", "100");
        Assert.Equal(1, await Purchase.NumberAsync(
            "wallet",
            """
            with ended as (
                update lot set expires_at = now() where wallet = (select id from account where owner = $1 and kind = 0) returning 1)
            select count(*) from ended
            """,
            card.User.Customer));

        await Eventually.GetAsync(card.TopUpsAsync, all => all.Length > 0, "the top-up", SavedCard.Patience);

        Assert.Equal(["8.333333333"], await card.TopUpsAsync());
        Assert.Equal(8_333_333_333, await card.User.BalanceAsync());
    }

    [Fact]
    public async Task A_month_s_ceiling_is_never_exceeded()
    {
        var card = await SavedCard.SaveAsync(await Backend.App.NewUserAsync(credit: null));
        await card.TurnOnAsync("15", "10", "20"); // two of ten are needed, and are all that may be
        await Eventually.GetAsync(card.TopUpsAsync, all => all.Length > 0, "the top-up", SavedCard.Patience);

        await card.SpendAsync("16");
        await card.MustBeLookedAtAsync();

        Assert.Equal(2100, Cents(Assert.Single(await card.IntentsAsync())));
        Assert.Equal("20", (await card.ShownAsync()).Text("chargedThisMonth"));
        await card.TurnOnAsync("5", "10", "35"); // room for one more
        await card.MustHaveIntentsAsync(2);
        Assert.Equal(1050, Cents((await card.IntentsAsync())[0]));
    }

    /// <summary>Once in a month, however often it is looked at. What was charged stays charged when it is turned off.</summary>
    [Fact]
    public async Task A_month_s_ceiling_that_is_reached_is_told_and_mailed_once_and_shown_until_the_month_ends()
    {
        var card = await SavedCard.SaveAsync(await Backend.App.NewUserAsync(credit: null));
        await card.TurnOnAsync("15", "10", "20");
        await Eventually.GetAsync(card.TopUpsAsync, all => all.Length > 0, "the top-up", SavedCard.Patience);
        await card.SpendAsync("16");
        await card.MustBeLookedAtAsync();

        var told = JsonDocument.Parse(Assert.Single(await ToldAsync(card.User, "topup.paused", 1))).RootElement.GetProperty("data");
        Assert.Equal(
            ("monthly_ceiling", "20", "20"), (told.Text("reason"), told.Text("monthlyCeiling"), told.Text("chargedThisMonth")));
        var shown = await card.ShownAsync();
        Assert.Equal(("active", "monthly_ceiling"), (shown.Text("status"), shown.Text("reason")));
        Assert.Equal(told.Text("nextTry"), shown.Text("nextTry"));
        var next = shown.GetProperty("nextTry").GetDateTimeOffset();
        Assert.Equal((1, TimeSpan.Zero, TimeSpan.Zero), (next.Day, next.TimeOfDay, next.Offset));
        Assert.InRange(next - DateTimeOffset.UtcNow, TimeSpan.Zero, TimeSpan.FromDays(31));

        await card.TurnOnAsync("16", "10", "20");
        await card.MustBeLookedAtAsync();
        Assert.Single(await ToldAsync(card.User, "topup.paused", 1));
        Assert.Equal(1, await Purchase.NumberAsync(
            "billing", "select count(*) from mail where customer = $1 and subject like 'Your monthly limit%'", card.User.Customer));
        await card.TurnOffAsync();
        shown = await card.ShownAsync();
        Assert.Equal(("off", "20"), (shown.Text("status"), shown.Text("chargedThisMonth")));
    }

    [Fact]
    public async Task A_decline_keeps_its_claim_and_is_told_and_another_card_is_charged_at_once()
    {
        var card = await SavedCard.SaveAsync(await Backend.App.NewUserAsync("2"), SavedCard.DeclinedLater);
        await card.TurnOnAsync("1", "10", "100");
        await card.SpendAsync("1.5");
        await card.MustBeDeclinedAsync();
        var waits = await card.ShownAsync();
        Assert.Equal(("active", "card_declined"), (waits.Text("status"), waits.Text("reason")));
        await Eventually.HoldsAsync(
            async () => (await card.IntentsAsync())[0].Text("status") == "canceled", "the end of the attempt", SavedCard.Patience);
        await card.MustBeLookedAtAsync();
        await card.TurnOnAsync("1", "10", "100");
        await card.MustBeLookedAtAsync();
        Assert.Single(await card.IntentsAsync());
        Assert.Single(await ToldAsync(card.User, "topup.failed", 1));

        await SavedCard.SaveAsync(card.User);

        await Eventually.GetAsync(card.TopUpsAsync, all => all.Length == 1, "the top-up", SavedCard.Patience);
        Assert.Equal(JsonValueKind.Null, (await card.ShownAsync()).GetProperty("nextTry").ValueKind);
        Assert.Null((await card.ShownAsync()).Text("reason"));
        Assert.Equal("10", (await card.ShownAsync()).Text("chargedThisMonth"));
        Assert.Equal(2, (await card.IntentsAsync()).Length);
    }

    [Fact]
    public async Task A_card_that_wants_its_owner_says_so_once_and_that_payment_is_confirmed_and_credited_once()
    {
        var card = await SavedCard.SaveAsync(await Backend.App.NewUserAsync("2"), SavedCard.NeedsOwner);
        await card.TurnOnAsync("1", "10", "100");
        await card.SpendAsync("1.5");
        var paused = await card.MustBecomeAsync("paused");
        await card.MustBeLookedAtAsync();

        var told = JsonDocument.Parse(Assert.Single(await ToldAsync(card.User, "topup.authentication_required", 1)))
            .RootElement.GetProperty("data");
        Assert.Equal("authentication_required", paused.Text("reason"));
        Assert.Equal(told.Text("clientSecret"), paused.GetProperty("confirm").Text("clientSecret"));
        var intent = Assert.Single(await card.IntentsAsync());
        Assert.Equal(intent.Text("client_secret"), told.Text("clientSecret"));
        Assert.Equal(told.Text("clientSecret"), await SecretAsync("payments:read", "payments:write"));
        Assert.Null(await SecretAsync("payments:read"));
        var confirmed = (await Purchase.StripeAsync(
            "POST", $"/v1/payment_intents/{intent.Text("id")}/confirm",
            $"payment_method={told.Text("paymentMethod")}&return_url=https%3A%2F%2Fexample.com")).MustBe(200).Json;
        await SavedCard.AuthenticateAsync(confirmed);

        await Eventually.GetAsync(card.TopUpsAsync, all => all.Length == 1, "the top-up", SavedCard.Patience);
        Assert.Equal(JsonValueKind.Null, (await card.MustBecomeAsync("active")).GetProperty("confirm").ValueKind);
        await card.MustBeLookedAtAsync();
        Assert.Single(await card.TopUpsAsync());
        Assert.Single(await ToldAsync(card.User, "topup.authentication_required", 1));
        Assert.All(await card.IntentsAsync(), one => Assert.Equal("automatic", Requested(one)));

        // As a key that may do that sees it.
        async Task<string?> SecretAsync(params string[] permissions)
        {
            var made = (await Backend.App.PostAsync(
                "/v1/secret-keys", JsonSerializer.Serialize(new { name = "looks", permissions }))).MustBe(201).Json.Text("key");
            var shown = (await new Backend(made).GetAsync($"/v1/wallets/{card.User.WalletId}/auto-top-up")).MustBe(200).Json;
            return shown.GetProperty("confirm").Text("clientSecret");
        }
    }

    /// <summary>Row 7.10: a card that was authenticated when it was saved is charged without its owner, again and again.</summary>
    [Fact]
    public async Task A_card_that_was_authenticated_when_it_was_saved_needs_nobody_later()
    {
        var card = await SavedCard.SaveAsync(await Backend.App.NewUserAsync("2"), "pm_card_authenticationRequiredOnSetup");
        await card.TurnOnAsync("1", "10", "100");
        for (var i = 1; i <= 2; i++)
        {
            await card.SpendAsync(i == 1 ? "1.5" : "8.333333333");
            await Eventually.GetAsync(card.TopUpsAsync, all => all.Length == i, $"top-up {i}", SavedCard.Patience);
        }

        Assert.Empty(await ToldAsync(card.User, "topup.authentication_required", 0));
        Assert.All(await card.IntentsAsync(), one => Assert.Equal("automatic", Requested(one)));
    }

    [Fact]
    public async Task Who_turns_it_off_is_frozen_or_deleted_is_not_charged()
    {
        var (off, frozen, deleted) = (await ReadyAsync(), await ReadyAsync(), await ReadyAsync());
        await off.TurnOffAsync();
        (await Backend.App.PostAsync($"/v1/wallets/{frozen.User.WalletId}/freeze", "{}")).MustBe(200);
        (await Backend.App.DeleteAsync($"/v1/customers/{deleted.User.CustomerId}")).MustBe(204);
        Assert.Equal("off", (await off.ShownAsync()).Text("status"));

        foreach (var card in (SavedCard[])[off, frozen, deleted])
            await card.SpendAsync("1.5");
        await frozen.MustBeLookedAtAsync();
        await Eventually.HoldsAsync(
            async () => await Purchase.NumberAsync(
                "billing", "select count(*) from auto_top_up where customer = $1 and status = 'off'", deleted.User.Customer) == 1,
            "the end of what a deleted customer is charged by itself", SavedCard.Patience);

        foreach (var card in (SavedCard[])[off, frozen, deleted])
            Assert.Empty(await card.IntentsAsync());
        (await Backend.App.PostAsync($"/v1/wallets/{frozen.User.WalletId}/unfreeze", "{}")).MustBe(200);
        await frozen.MustHaveIntentsAsync(1);

        static async Task<SavedCard> ReadyAsync()
        {
            var card = await SavedCard.SaveAsync(await Backend.App.NewUserAsync("2"));
            await card.TurnOnAsync("1", "10", "100");
            return card;
        }
    }

    [Fact]
    public async Task A_wallet_with_an_open_dispute_is_not_charged_though_its_owner_has_let_it_go()
    {
        var disputed = await Purchase.PaidAsync(method: Purchase.Disputed);
        var wallet = $"/v1/wallets/{disputed.User.WalletId}";
        await Eventually.HoldsAsync(
            async () => (await Backend.App.GetAsync(wallet)).MustBe(200).Json.Text("status") == "frozen", "the frozen wallet");
        await Eventually.HoldsAsync(async () => await disputed.WaitingEventsAsync() == 0, "the end of all events");
        (await Backend.App.PostAsync($"{wallet}/unfreeze", "{}")).MustBe(200);
        var card = await SavedCard.SaveAsync(disputed.User);
        await card.TurnOnAsync("1", "10", "100");

        await card.MustBeLookedAtAsync();

        Assert.Empty(await card.IntentsAsync());
    }

    [Fact]
    public async Task A_page_that_was_left_and_what_is_charged_by_itself_do_not_hinder_each_other()
    {
        var user = await Backend.App.NewUserAsync("2");
        var left = await Purchase.BeginAsync(user, "25");
        var card = await SavedCard.SaveAsync(user);
        await card.TurnOnAsync("1", "10", "100");

        await card.SpendAsync("1.5");

        await Eventually.GetAsync(card.TopUpsAsync, all => all.Length == 1, "the top-up", SavedCard.Patience);
        Assert.Equal("open", (await left.ShownAsync()).Text("status"));
        Assert.Equal(left.Intent, (await Purchase.BeginAsync(user, "25")).Intent);
    }

    /// <summary>Each that is done lets the next one begin, and stays as a row here and as a card at Stripe.</summary>
    [Fact]
    public async Task So_many_setups_of_a_card_are_begun_in_an_hour_and_one_more_is_refused_by_its_limit()
    {
        var user = await Backend.App.NewUserAsync("2");
        await SavedCard.SaveAsync(user);
        Assert.Equal(19, await Purchase.NumberAsync("billing", """
            with before as (
                insert into card_setup (id, wallet, livemode, status)
                select gen_random_uuid(), wallet, livemode, 'succeeded' from card_setup, generate_series(1, 19) where wallet = $1
                returning 1)
            select count(*) from before
            """, Guid.ParseExact(user.WalletId["wal_".Length..], "N")));

        var refused = (await Gateway.SendAsync("POST", "/v1/wallet/payment-method", user.Token)).MustBe(429);

        Assert.Equal("card_setups_per_hour", refused.Json.GetProperty("error").GetProperty("limit").Text("id"));
    }

    [Fact]
    public async Task A_setup_that_is_open_is_given_out_again_to_page_and_backend_alike()
    {
        var user = await Backend.App.NewUserAsync("2");
        var replies = await Task.WhenAll(Enumerable.Range(0, 10).Select(i => i % 2 == 0
            ? Gateway.SendAsync("POST", "/v1/wallet/payment-method", user.Token)
            : Backend.App.PostAsync($"/v1/wallets/{user.WalletId}/payment-method", "")));

        var secret = Assert.Single(replies.Select(reply => reply.MustBe(200).Json.Text("clientSecret")).Distinct());
        Assert.StartsWith("seti_", secret);
        Assert.Equal("off", (await Backend.App.GetAsync($"/v1/wallets/{user.WalletId}/auto-top-up")).MustBe(200).Json.Text("status"));
    }

    [Theory]
    [InlineData("""{"below":"0","amount":"10","monthlyCeiling":"100"}""", "below")]
    [InlineData("""{"below":"-1","amount":"10","monthlyCeiling":"100"}""", "below")]
    [InlineData("""{"below":"1.001","amount":"10","monthlyCeiling":"100"}""", "below")]
    [InlineData("""{"below":"5001","amount":"10","monthlyCeiling":"100"}""", "below")]
    [InlineData("""{"below":"1","amount":"4.99","monthlyCeiling":"100"}""", "amount")]
    [InlineData("""{"below":"1","amount":"5001","monthlyCeiling":"100000"}""", "amount")]
    [InlineData("""{"below":"1","amount":"10.005","monthlyCeiling":"100"}""", "amount")]
    [InlineData("""{"below":"1","amount":"10","monthlyCeiling":"9.99"}""", "monthlyCeiling")]
    [InlineData("""{"below":"1","amount":"10","monthlyCeiling":"100000.01"}""", "monthlyCeiling")]
    [InlineData("""{"below":"1","amount":"10","monthlyCeiling":"10.001"}""", "monthlyCeiling")]
    [InlineData("""{"below":"1","amount":"10"}""", "monthlyCeiling")]
    public async Task What_cannot_be_set_is_refused_by_name(string body, string param)
    {
        var user = await Backend.App.NewUserAsync("2");

        Assert.Equal(param, (await SavedCard.PutAsync(user, body)).MustBe(400).Json.GetProperty("error").Text("param"));
        Assert.Equal("off", (await Gateway.SendAsync("GET", "/v1/wallet/auto-top-up", user.Token)).MustBe(200).Json.Text("status"));
    }

    [Fact]
    public async Task Without_a_card_on_a_frozen_or_on_somebody_else_s_wallet_nothing_is_set()
    {
        const string good = """{"below":"1","amount":"10","monthlyCeiling":"100"}""";
        var (user, frozen) = (await Backend.App.NewUserAsync("2"), await Backend.App.NewUserAsync("2"));
        (await Backend.App.PostAsync($"/v1/wallets/{frozen.WalletId}/freeze", "{}")).MustBe(200);

        Assert.Equal("no_payment_method", (await SavedCard.PutAsync(user, good)).MustBe(409).Code);
        Assert.Equal("wallet_frozen", (await SavedCard.PutAsync(frozen, good)).MustBe(402).Code);
        Assert.Equal("wallet_frozen", (await Gateway.SendAsync("POST", "/v1/wallet/payment-method", frozen.Token)).MustBe(402).Code);
        foreach (var wallet in (string[])[user.WalletId, "wal_nothing"])
        {
            (await Backend.Other.PutAsync($"/v1/wallets/{wallet}/auto-top-up", good)).MustBe(404);
            (await Backend.Other.GetAsync($"/v1/wallets/{wallet}/auto-top-up")).MustBe(404);
            (await Backend.Other.DeleteAsync($"/v1/wallets/{wallet}/auto-top-up")).MustBe(404);
            (await Backend.Other.PostAsync($"/v1/wallets/{wallet}/payment-method", "")).MustBe(404);
        }
    }

    static JsonElement Card(JsonElement shown) => shown.GetProperty("card");

    static int Cents(JsonElement intent) => intent.GetProperty("amount").GetInt32();

    static string? Requested(JsonElement intent) =>
        intent.GetProperty("payment_method_options").GetProperty("card").Text("request_three_d_secure");

    /// <summary>Bodies of what owners were told of a user.</summary>
    internal static Task<string[]> ToldAsync(User user, string type, int count) => Eventually.GetAsync(async () =>
    {
        await using var database = NpgsqlDataSource.Create(Stack.Connection("webhooks"));
        await using var query = database.CreateCommand(
            "select body from event where body like '%' || $1 || '%' and type = $2 order by sequence");
        query.Parameters.Add(new() { Value = user.WalletId });
        query.Parameters.Add(new() { Value = type });
        var bodies = new List<string>();
        await using var row = await query.ExecuteReaderAsync(Token);
        while (await row.ReadAsync(Token))
            bodies.Add(row.GetString(0));
        return bodies.ToArray();
    }, bodies => bodies.Length >= count, $"{count} of {type}");
}
