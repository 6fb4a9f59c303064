using System.Globalization;

namespace LlmGateway.EndToEnd;

/// <summary>What an operator allows the customers of a project to top up. The project is one that no other test of payments has.</summary>
[Collection(nameof(Payments))]
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

    [Theory]
    [InlineData("""{"perDay":0}""", "perDay")]
    [InlineData("""{"perCardAndDay":-1}""", "perCardAndDay")]
    [InlineData("""{"firstAmount":"0"}""", "firstAmount")]
    [InlineData("""{"declines":0}""", "declines")]
    [InlineData("""{"firstDays":0}""", "firstDays")]
    [InlineData("""{"declineMinutes":50000}""", "declineMinutes")]
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
