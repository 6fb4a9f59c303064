using System.Globalization;

namespace LlmGateway.EndToEnd;

/// <summary>What an operator allows the customers of a project to top up. The project is one that no other test of payments has.</summary>
public sealed class TrustTests : IAsyncLifetime
{
    static readonly Backend Project = Backend.Wires;

    Guid _project;

    public async ValueTask InitializeAsync()
    {
        var user = await Project.NewUserAsync(credit: null);
        _project = await ProjectOfAsync(user);
    }

    public async ValueTask DisposeAsync() => (await OperateAsync("DELETE", $"/internal/projects/{_project}/top-up-limits")).MustBe(204);

    [Fact]
    public async Task A_customer_may_top_up_so_often_a_day_and_another_one_still_may()
    {
        await LimitAsync("""{"perDay":2}""");
        var user = await Project.NewUserAsync(credit: null);
        for (var i = 0; i < 2; i++)
            await PaidAsync(user, "10");

        var refused = (await Purchase.AskAsync(user, """{"amount":"10"}""")).MustBe(429);

        var limit = refused.Json.GetProperty("error").GetProperty("limit");
        Assert.Equal(("top_ups_per_day", "2", "2"), (limit.Text("id"), limit.Text("used"), limit.Text("limit")));
        var hours = (DateTimeOffset.Parse(limit.Text("resets"), CultureInfo.InvariantCulture) - DateTimeOffset.UtcNow).TotalHours;
        Assert.InRange(hours, 23, 24.1);
        await PaidAsync(await Project.NewUserAsync(credit: null), "10");
    }

    [Fact]
    public async Task A_new_customer_begins_small_and_the_answer_says_how_much_it_is_too_much()
    {
        await LimitAsync("""{"firstAmount":"30"}""");
        var user = await Project.NewUserAsync(credit: null);
        (await Purchase.AskAsync(user, """{"amount":"30.01"}""")).MustBe(429);
        await PaidAsync(user, "20");

        var refused = (await Purchase.AskAsync(user, """{"amount":"12.5"}""")).MustBe(429);

        var limit = refused.Json.GetProperty("error").GetProperty("limit");
        Assert.Equal(
            ("new_customer_amount", "20", "30", "2.5"),
            (limit.Text("id"), limit.Text("used"), limit.Text("limit"), limit.Text("missing")));
        await PaidAsync(user, "10");
    }

    [Fact]
    public async Task A_card_that_has_paid_as_often_as_it_may_pays_for_nobody_who_has_it()
    {
        var (first, second) = (await Project.NewUserAsync(credit: null), await Project.NewUserAsync("2"));
        const string method = "pm_card_jcb"; // nobody else pays with it here
        await SavedCard.SaveAsync(second, method);
        await PaidAsync(first, "10", method);
        await Eventually.HoldsAsync(async () => await Purchase.NumberAsync(
            "billing", "select count(*) from payment where customer = $1 and fingerprint <> ''", first.Customer) == 1, "the card");
        await LimitAsync("""{"perCardAndDay":1}""");

        Assert.Equal("top_ups_per_card_and_day", Rule((await Purchase.AskAsync(first, """{"amount":"10"}""")).MustBe(429)));
        var card = await SavedCard.SaveAsync(second, method);
        await card.TurnOnAsync("1", "10", "100");
        await card.SpendAsync("1.5");
        await card.MustBeLookedAtAsync();
        Assert.Empty(await card.IntentsAsync());
        Assert.Equal("top_ups_per_card_and_day", Rule((await Purchase.AskAsync(second, """{"amount":"10"}""")).MustBe(429)));
    }

    [Fact]
    public async Task What_is_paid_without_a_card_counts_as_nobody_s_card()
    {
        User[] users = [await Project.NewUserAsync(credit: null), await Project.NewUserAsync(credit: null)];
        foreach (var user in users)
            await PaidAsync(user, "10");
        // As of Link or Cash App. The sandbox's Stripe has no method without a fingerprint.
        await Eventually.HoldsAsync(async () => await Purchase.NumberAsync(
            "billing",
            "with noted as (update payment set fingerprint = '' where customer in ($1, $2) and fingerprint is not null returning 1) "
                + "select count(*) from noted",
            users[0].Customer, users[1].Customer) == 2, "what is noted of both payments");
        await LimitAsync("""{"perCardAndDay":1}""");

        foreach (var user in users)
            await PaidAsync(user, "10");
    }

    [Fact]
    public async Task A_burst_of_declined_cards_freezes_what_that_customer_buys_until_an_operator_lifts_it()
    {
        await LimitAsync("""{"declines":3,"declineMinutes":60}""");
        var user = await Project.NewUserAsync(credit: null);
        var purchase = await Purchase.BeginAsync(user, "10");
        for (var i = 0; i < 3; i++)
            (await purchase.PayAsync(Purchase.Declined)).MustBe(402);

        await purchase.MustBecomeAsync("canceled"); // nobody tries further cards on it
        var refused = (await Purchase.AskAsync(user, """{"amount":"10"}""")).MustBe(403);
        Assert.Equal(("top_ups_frozen", "declined_cards"), (refused.Code, Rule(refused)));
        Assert.Contains(
            user.CustomerId, (await OperateAsync("GET", "/internal/top-up-freezes")).MustBe(200).Json.EnumerateArray()
                .Select(one => one.Text("customer")));
        await PaidAsync(await Project.NewUserAsync(credit: null), "10");

        (await OperateAsync("POST", $"/internal/top-up-freezes/lift?customer={user.CustomerId}")).MustBe(200);

        await PaidAsync(user, "10");
    }

    [Fact]
    public async Task Cards_that_are_declined_when_they_are_saved_freeze_too_and_the_setup_is_worth_nothing_any_more()
    {
        await LimitAsync("""{"declines":3,"declineMinutes":60}""");
        var user = await Project.NewUserAsync(credit: null);
        var purchase = await Purchase.BeginAsync(user, "10");
        var setup = (await SaveAsync()).MustBe(200).Json.Text("clientSecret").Split("_secret_")[0];
        for (var i = 0; i < 3; i++)
            (await TryAsync($"setup_intents/{setup}", Purchase.Declined)).MustBe(402);

        await MustBeCanceledAsync($"setup_intents/{setup}");
        await purchase.MustBecomeAsync("canceled");
        Assert.Equal(("top_ups_frozen", "declined_cards"), ((await SaveAsync()).MustBe(403).Code, Rule(await SaveAsync())));
        Assert.Equal("top_ups_frozen", (await Purchase.AskAsync(user, """{"amount":"10"}""")).MustBe(403).Code);

        Task<Reply> SaveAsync() => Gateway.SendAsync("POST", "/v1/wallet/payment-method", user.Token);
    }

    [Fact]
    public async Task Cards_that_are_declined_on_a_payment_that_waits_for_its_owner_freeze_and_end_it()
    {
        await LimitAsync("""{"declines":4,"declineMinutes":60}""");
        var card = await SavedCard.SaveAsync(await Project.NewUserAsync("2"), SavedCard.NeedsOwner);
        await card.TurnOnAsync("1", "10", "100");
        await card.SpendAsync("1.5");
        var secret = (await card.MustBecomeAsync("paused")).GetProperty("confirm").Text("clientSecret");
        for (var i = 0; i < 3; i++)
            (await TryAsync($"payment_intents/{secret.Split("_secret_")[0]}", Purchase.Declined)).MustBe(402);

        await MustBeCanceledAsync($"payment_intents/{secret.Split("_secret_")[0]}");
    }

    static Task<Reply> TryAsync(string intent, string method) => Purchase.StripeAsync(
        "POST", $"/v1/{intent}/confirm", $"payment_method={method}&return_url=https%3A%2F%2Fexample.com");

    static Task MustBeCanceledAsync(string intent) => Eventually.HoldsAsync(
        async () => (await Purchase.StripeAsync("GET", $"/v1/{intent}")).MustBe(200).Json.Text("status") == "canceled",
        $"the end of {intent}");

    [Fact]
    public async Task A_new_customer_is_topped_up_by_itself_as_far_as_it_is_trusted_and_sees_the_rule_that_holds_the_rest()
    {
        await LimitAsync("""{"firstAmount":"25"}""");
        var card = await SavedCard.SaveAsync(await Project.NewUserAsync("2"));
        Assert.Null((await card.TurnOnAsync("50", "10", "100")).Text("reason"));

        var shown = await Eventually.GetAsync(
            card.ShownAsync, shown => shown.Text("chargedThisMonth") == "20", "two of ten dollars", SavedCard.Patience);
        shown = await Eventually.GetAsync(
            card.ShownAsync, shown => shown.GetProperty("reason").ValueKind == System.Text.Json.JsonValueKind.String, "the rule");

        Assert.Equal(("active", "new_customer_amount"), (shown.Text("status"), shown.Text("reason")));
        var hours = (DateTimeOffset.Parse(shown.Text("nextTry"), CultureInfo.InvariantCulture) - DateTimeOffset.UtcNow).TotalHours;
        Assert.InRange(hours, 23, 24.1);
        await card.MustBeLookedAtAsync();
        Assert.Single(await card.IntentsAsync());
    }

    [Fact]
    public async Task A_customer_begins_so_many_purchases_an_hour_and_those_that_were_cancelled_count()
    {
        await LimitAsync("""{"begunPerHour":3}""");
        var user = await Project.NewUserAsync(credit: null);
        foreach (var amount in (string[])["5", "6", "5"])
            await Purchase.BeginAsync(user, amount);

        Assert.Equal("top_ups_begun_per_hour", Rule((await Purchase.AskAsync(user, """{"amount":"6"}""")).MustBe(429)));
        await Purchase.BeginAsync(await Project.NewUserAsync(credit: null), "6");
    }

    /// <summary>The rows are as old as it takes; the statement is the one that a round of the service runs.</summary>
    [Fact]
    public async Task A_purchase_that_nobody_has_paid_is_deleted_in_time_and_one_that_something_names_never_is()
    {
        var user = await Project.NewUserAsync(credit: null);
        await PaidAsync(user, "10");
        var declined = await Purchase.BeginAsync(user, "10");
        (await declined.PayAsync(Purchase.Declined)).MustBe(402);
        await Eventually.HoldsAsync(async () => await Purchase.NumberAsync(
            "billing", "select count(*) from declined where customer = $1", user.Customer) == 1, "the declined card");
        foreach (var amount in (string[])["20", "30", "40"]) // each cancels the one before
            await Purchase.BeginAsync(user, amount);
        await Purchase.NumberAsync(
            "billing", "with aged as (update payment set created_at = now() - interval '91 days' where customer = $1 returning 1) "
                + "select count(*) from aged", user.Customer);

        var over = LlmGateway.Billing.TableRetention.All.Single(table => table.Table == "payment").Over;
        Assert.Equal(2, await Purchase.NumberAsync(
            "billing", $"with gone as (delete from payment where customer = $1 and ({over}) returning 1) select count(*) from gone",
            user.Customer));

        var left = (await Gateway.SendAsync("GET", "/v1/wallet/top-ups", user.Token)).MustBe(200).Json.Items("topUps");
        Assert.Equal(["canceled", "open", "succeeded"], left.Select(one => one.Text("status")).Order(StringComparer.Ordinal));
        await Assert.ThrowsAsync<Npgsql.PostgresException>(() => Purchase.NumberAsync(
            "billing", "with gone as (delete from payment where customer = $1 and status = 'succeeded' returning 1) "
                + "select count(*) from gone", user.Customer));
    }

    [Theory]
    [InlineData("""{"perDay":0}""", "perDay")]
    [InlineData("""{"perCardAndDay":-1}""", "perCardAndDay")]
    [InlineData("""{"firstAmount":"0"}""", "firstAmount")]
    [InlineData("""{"declines":0}""", "declines")]
    [InlineData("""{"firstDays":0}""", "firstDays")]
    [InlineData("""{"declineMinutes":50000}""", "declineMinutes")]
    [InlineData("""{"begunPerHour":0}""", "begunPerHour")]
    public async Task A_limit_that_is_none_is_refused_by_name(string body, string param)
    {
        var refused = (await OperateAsync("PUT", $"/internal/projects/{_project}/top-up-limits", body)).MustBe(400);

        Assert.Equal(param, refused.Json.GetProperty("error").Text("param"));
    }

    static string? Rule(Reply refused) => refused.Json.GetProperty("error").GetProperty("limit").Text("id");

    static async Task PaidAsync(User user, string amount, string method = Purchase.Visa)
    {
        var purchase = await Purchase.BeginAsync(user, amount);
        (await purchase.PayAsync(method)).MustBe(200);
        await purchase.MustBecomeAsync("succeeded");
    }

    async Task LimitAsync(string json) => (await OperateAsync("PUT", $"/internal/projects/{_project}/top-up-limits", json)).MustBe(204);

    static Task<Reply> OperateAsync(string method, string path, string? json = null) => Gateway.SendAsync(
        method, path, json: json, at: Stack.Url("billing"), headers: [Stack.Signed("operator", "billing")]);

    static async Task<Guid> ProjectOfAsync(User user)
    {
        await using var source = Npgsql.NpgsqlDataSource.Create(Stack.Connection("wallet"));
        await using var query = source.CreateCommand("select project from account where id = $1");
        query.Parameters.Add(new() { Value = Guid.ParseExact(user.WalletId["wal_".Length..], "N") });
        return (Guid)(await query.ExecuteScalarAsync(TestContext.Current.CancellationToken))!;
    }
}
