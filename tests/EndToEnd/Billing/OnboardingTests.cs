using System.Text.Json;
using Npgsql;

namespace LlmGateway.EndToEnd;

/// <summary>A project's account at Stripe: opened once, and known as Stripe says that it is.</summary>
[Collection(nameof(Payments))]
public sealed class OnboardingTests
{
    [Fact]
    public async Task Ten_calls_at_once_open_one_account_and_each_gets_a_page_of_its_own()
    {
        var payee = Payee.Next();

        var replies = await Task.WhenAll(Enumerable.Range(0, 10).Select(_ => payee.AskForPageAsync()));

        var account = Assert.Single(replies.Select(reply => reply.MustBe(200).Json.Text("accountId")).Distinct());
        Assert.Equal(10, replies.Select(reply => reply.Json.Text("url")).Distinct().Count());
        var project = (await Purchase.StripeAsync("GET", $"/v1/accounts/{account}")).MustBe(200).Json.GetProperty("metadata")
            .Text("llmgateway_project");
        var all = (await Purchase.StripeAsync("GET", "/v1/accounts?limit=100")).MustBe(200).Json.Items("data");
        Assert.Single(all, one => one.GetProperty("metadata").TryGetProperty("llmgateway_project", out var own)
            && own.GetString() == project);
        Assert.Equal(account, (await payee.StatusAsync()).Text("accountId"));
    }

    [Theory]
    [InlineData("error-before", 1)]
    [InlineData("error-after", 1)]
    [InlineData("cut-before", 3)]
    public async Task An_account_whose_making_was_not_answered_is_found_again_and_not_made_twice(string fault, int count)
    {
        var payee = Payee.Next();
        await Purchase.OrderAsync("/faults", $$"""{"kind":"{{fault}}","match":"POST /v1/accounts","count":{{count}}}""");
        (await payee.AskForPageAsync()).MustBe(503);

        var account = await payee.OnboardAsync();

        var one = (await Purchase.StripeAsync("GET", $"/v1/accounts/{account}")).MustBe(200).Json.GetProperty("metadata");
        var all = (await Purchase.StripeAsync("GET", "/v1/accounts?limit=100")).MustBe(200).Json.Items("data");
        Assert.Single(all, other => other.GetProperty("metadata").TryGetProperty("llmgateway_project", out var own)
            && own.GetString() == one.Text("llmgateway_project"));
    }

    [Fact]
    public async Task The_page_is_filled_in_and_its_event_makes_the_account_ready()
    {
        var payee = Payee.Next();
        MustBe(await payee.StatusAsync(), "not_begun", onboarded: false);
        var page = (await payee.AskForPageAsync()).MustBe(200).Json;
        var account = page.Text("accountId");
        MustBe(await payee.StatusAsync(), "incomplete", onboarded: false);

        var due = (await payee.StatusAsync()).GetProperty("due").EnumerateArray().Select(field => field.GetString()!)
            .Select(field => (field, field.EndsWith("year", StringComparison.Ordinal) ? "1990" : "000123456789"));
        var back = await StripeWorld.VisitAsync(page.Text("url"), [("step", "save"), .. due]);

        Assert.Equal("https://example.com/done", back?.ToString());
        await MustBeStoredAsync(account, "payouts_enabled and details_submitted and transfers = 'active'");
        var ready = await payee.StatusAsync();
        MustBe(ready, "ready", onboarded: true);
        Assert.Equal((account, JsonValueKind.Null), (ready.Text("accountId"), ready.GetProperty("nextStep").ValueKind));
    }

    [Fact]
    public async Task Each_state_is_shown_with_its_next_step_is_told_by_events_and_pays_nothing_but_when_it_is_ready()
    {
        var (payee, account) = await Payee.ReadyAsync();
        foreach (var (order, state, stored, status, code) in ((string, string, string, int, string)[])
        [
            ("incomplete", "incomplete", "not details_submitted", 400, "not_onboarded"),
            ("under_review", "under_review", "details_submitted and transfers = 'pending'", 409, "account_under_review"),
            ("restricted", "paused", "disabled_reason = 'requirements.past_due' and details_submitted", 409, "account_paused"),
        ])
        {
            await Payee.OrderAsync(account, order);
            await MustBeStoredAsync(account, stored);
            var shown = await payee.StatusAsync();
            Assert.Equal((state, false), (shown.Text("state"), shown.GetProperty("payoutsEnabled").GetBoolean()));
            Assert.NotEmpty(shown.Text("nextStep"));
            (await payee.PayOutAsync()).MustBeProblem(status, code, "accountId");
        }
        await payee.MustHaveAsync("2");
        Assert.Empty(await payee.PayoutsAsync());

        await Payee.OrderAsync(account, "ready");
        (await payee.PayOutAsync()).MustBe(200);
    }

    [Fact]
    public async Task An_account_that_an_operator_has_paused_is_paid_nothing_until_it_is_let_go()
    {
        var (payee, account) = await Payee.ReadyAsync();
        await PauseAsync(account, paused: true);

        Assert.Equal("paused", (await payee.StatusAsync()).Text("state"));
        (await payee.PayOutAsync()).MustBeProblem(409, "account_paused", "accountId");

        await PauseAsync(account, paused: false);
        (await payee.PayOutAsync()).MustBe(200);
    }

    [Fact]
    public async Task A_pause_is_the_projects_and_holds_for_whichever_account_it_opens()
    {
        var (payee, account) = await Payee.ReadyAsync();
        await PauseAsync(account, paused: true);
        await Payee.OrderAsync(account, "deauthorized");
        await MustBeStoredAsync(account, "gone_at is not null");

        await Payee.OrderAsync(await payee.OnboardAsync(), "ready");

        Assert.Equal("paused", (await payee.StatusAsync()).Text("state"));
        (await payee.PayOutAsync()).MustBeProblem(409, "account_paused", "accountId");
    }

    [Fact]
    public async Task Who_looks_with_a_key_to_which_Stripe_does_not_know_the_account_forgets_nothing()
    {
        var (payee, account) = await Payee.ReadyAsync();
        await ChangeAsync(account, "stripe = stripe || '_of_another_platform'");

        MustBe(await payee.StatusAsync(), "not_begun", onboarded: false);

        await ChangeAsync($"{account}_of_another_platform", "stripe = left(stripe, -20)");
        MustBe(await payee.StatusAsync(), "ready", onboarded: true);
    }

    [Fact]
    public async Task An_account_that_has_cut_us_off_is_none_any_more_and_the_next_page_opens_another()
    {
        var (payee, account) = await Payee.ReadyAsync();

        await Payee.OrderAsync(account, "deauthorized");
        await MustBeStoredAsync(account, "gone_at is not null");

        MustBe(await payee.StatusAsync(), "not_begun", onboarded: false);
        (await payee.PayOutAsync()).MustBeProblem(400, "not_onboarded", "accountId");
        Assert.NotEqual(account, await payee.OnboardAsync());
    }

    [Fact]
    public async Task An_account_is_opened_in_a_country_that_Stripe_pays_out_to_and_in_no_other()
    {
        var payee = Payee.Next();
        var account = (await payee.AskForPageAsync(",\"country\":\"DE\"")).MustBe(200).Json.Text("accountId");

        Assert.Equal("DE", (await Purchase.StripeAsync("GET", $"/v1/accounts/{account}")).MustBe(200).Json.Text("country"));
        (await payee.AskForPageAsync(",\"country\":\"FR\"")).MustBeProblem(400, "invalid_value", "country");
    }

    [Theory]
    [InlineData("""{"returnUrl":"https://example.com"}""", "refreshUrl")]
    [InlineData("""{"refreshUrl":"https://example.com"}""", "returnUrl")]
    [InlineData("""{"refreshUrl":"example.com","returnUrl":"https://example.com"}""", "refreshUrl")]
    [InlineData("""{"refreshUrl":"http://example.com","returnUrl":"https://example.com"}""", "refreshUrl")]
    [InlineData("""{"refreshUrl":"https://example.com","returnUrl":"https://user@example.com"}""", "returnUrl")]
    [InlineData("""{"refreshUrl":"https://example.com","returnUrl":"javascript:alert(1)"}""", "returnUrl")]
    [InlineData("""{"refreshUrl":"https://example.com","returnUrl":"https://example.com","country":"KP"}""", "country")]
    [InlineData("""{"refreshUrl":"https://example.com","returnUrl":"https://example.com","country":"de"}""", "country")]
    [InlineData("""{"refreshUrl":"https://example.com","returnUrl":"https://example.com","email":"a@b"}""", "email")]
    public async Task A_page_that_cannot_be_opened_is_refused_by_name_and_opens_no_account(string body, string param)
    {
        var refused = (await Refused.Backend.PostAsync("/v1/connect/onboard", body)).MustBe(400);

        Assert.Equal(param, refused.Json.GetProperty("error").Text("param"));
        Assert.Equal("not_begun", (await Refused.StatusAsync()).Text("state"));
    }

    static readonly Payee Refused = Payee.Next();

    [Fact]
    public async Task Live_and_test_have_accounts_of_their_own_and_users_have_none()
    {
        const string body = """{"refreshUrl":"https://example.com/again","returnUrl":"http://localhost:3000/done"}""";
        var live = (await Backend.App.PostAsync("/v1/connect/onboard", body)).MustBe(200).Json.Text("accountId");
        var test = (await Backend.AppTest.PostAsync("/v1/connect/onboard", body)).MustBe(200).Json.Text("accountId");
        var user = await Backend.App.NewUserAsync(credit: null);

        Assert.NotEqual(live, test);
        foreach (var (method, path) in ((string, string)[])
        [
            ("POST", "/v1/connect/onboard"), ("GET", "/v1/connect/status"),
            ("POST", "/v1/connect/payouts"), ("GET", "/v1/connect/payouts"),
        ])
            Assert.Equal(401, (await Gateway.SendAsync(method, path, user.Token, method == "POST" ? body : null)).Status);
    }

    static void MustBe(JsonElement status, string state, bool onboarded) => Assert.Equal(
        (state, onboarded, state == "ready"),
        (status.Text("state"), status.GetProperty("onboarded").GetBoolean(), status.GetProperty("payoutsEnabled").GetBoolean()));

    /// <summary>By an event: nobody asks for the status meanwhile.</summary>
    static Task MustBeStoredAsync(string account, string stored) => Eventually.HoldsAsync(
        async () => await Purchase.NumberAsync(
            "billing", $"select count(*) from connect_account where stripe = $1 and {stored}", account) == 1,
        $"an account with {stored}");

    static async Task ChangeAsync(string account, string change)
    {
        await using var database = NpgsqlDataSource.Create(Stack.Connection("billing"));
        await using var update = database.CreateCommand($"update connect_account set {change} where stripe = $1");
        update.Parameters.Add(new() { Value = account });
        Assert.Equal(1, await update.ExecuteNonQueryAsync(TestContext.Current.CancellationToken));
    }

    static async Task PauseAsync(string account, bool paused)
    {
        var stripe = (await Purchase.StripeAsync("GET", $"/v1/accounts/{account}")).MustBe(200).Json;
        var project = Guid.Parse(stripe.GetProperty("metadata").Text("llmgateway_project"));
        (await Gateway.SendAsync(
            "PUT", $"/internal/connect/{project:D}/paused", json: $$"""{"paused":{{(paused ? "true" : "false")}}}""",
            at: Stack.Url("billing"), headers: [Stack.Signed("operator", "billing")])).MustBe(204);
    }
}
