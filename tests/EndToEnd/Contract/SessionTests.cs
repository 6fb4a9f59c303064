using System.Globalization;
using System.Text.Json;

namespace LlmGateway.EndToEnd;

/// <summary>Minting, refreshing, listing and scoping of end-user sessions.</summary>
public sealed class SessionTests
{
    const int MaxRefreshes = 20;

    [Fact]
    public async Task Minting_finds_or_creates_the_customer_and_updates_what_is_given()
    {
        var externalId = $"user-{Guid.NewGuid():N}";

        var first = await Backend.App.MintAsync(externalId);
        var again = await Backend.App.PostAsync(
            "/v1/sessions",
            $$"""{"customer":{"externalId":"{{externalId}}","email":"ada@example.com","name":"Ada"} }""");

        var json = again.MustBe(201).Json;
        Assert.Equal((first.CustomerId, first.WalletId), (json.Text("endCustomerId"), json.Text("walletId")));
        Assert.NotEqual(first.Token, json.Text("sessionToken"));
        Assert.StartsWith("pk_", json.Text("publishableKey"));
        var customer = (await Backend.App.GetAsync($"/v1/customers/{first.CustomerId}")).MustBe(200).Json;
        Assert.Equal(
            (externalId, "ada@example.com", "Ada", "active"),
            (customer.Text("externalId"), customer.Text("email"), customer.Text("name"), customer.Text("status")));
    }

    [Fact]
    public async Task Twenty_parallel_mints_of_a_new_customer_make_one_customer_with_one_wallet()
    {
        var externalId = $"user-{Guid.NewGuid():N}";

        var users = await Task.WhenAll(Enumerable.Range(0, 20).Select(_ => Backend.App.MintAsync(externalId)));

        Assert.Single(users.Select(user => (user.CustomerId, user.WalletId)).Distinct());
        Assert.Distinct(users.Select(user => user.Token));
        Assert.Equal(1, await Books.CustomersAsync(externalId));
    }

    [Fact]
    public async Task A_customer_without_a_wallet_stays_uncharged_when_a_session_is_minted()
    {
        var externalId = $"unpaid-{Guid.NewGuid():N}";
        var made = (await Backend.App.PostAsync("/v1/customers", $$"""{"externalId":"{{externalId}}","wallet":false}""")).MustBe(201).Json;
        var (_, key) = await Backend.App.NewKeyAsync(made.Text("id"));

        var minted = (await Backend.App.PostAsync("/v1/sessions", $$"""{"customer":"{{externalId}}"}""")).MustBe(201).Json;
        var token = minted.Text("sessionToken");
        var refreshed = (await Gateway.SendAsync("POST", "/v1/sessions/refresh", token)).MustBe(200).Json;

        Assert.Equal(made.Text("id"), minted.Text("endCustomerId"));
        Assert.All([minted, refreshed], session => Assert.Equal(JsonValueKind.Null, session.GetProperty("walletId").ValueKind));
        foreach (var credential in (string[])[key, token, refreshed.Text("sessionToken")])
            foreach (var proxy in Stack.Proxies)
                (await Chat.AskAsync(credential, "small", Price.Question, at: proxy)).MustBe(200);
        var customer = (await Backend.App.GetAsync($"/v1/customers/{made.Text("id")}")).MustBe(200).Json;
        Assert.Equal(JsonValueKind.Null, customer.GetProperty("wallet").ValueKind);
        (await Gateway.SendAsync("GET", "/v1/wallet/balance", token)).MustBeProblem(404, "not_found");
    }

    [Theory]
    [InlineData(null, 900)]
    [InlineData("\"ttlSeconds\":60", 60)]
    [InlineData("\"ttlSeconds\":3600", 3600)]
    public async Task A_session_lives_as_long_as_asked_and_so_does_what_it_is_refreshed_into(string? terms, int seconds)
    {
        var before = DateTimeOffset.UtcNow;
        var reply = await Backend.App.PostAsync(
            "/v1/sessions",
            $$"""{"customer":"user-{{Guid.NewGuid():N}}"{{(terms is null ? "" : "," + terms)}}}""");
        MustExpireIn(reply.MustBe(201).Json, before, seconds);

        before = DateTimeOffset.UtcNow;
        var refreshed = await Gateway.SendAsync("POST", "/v1/sessions/refresh", reply.Json.Text("sessionToken"));
        MustExpireIn(refreshed.MustBe(200).Json, before, seconds);
        Assert.Equal(reply.Json.Text("walletId"), refreshed.Json.Text("walletId"));
    }

    [Fact]
    public async Task The_old_token_of_a_refresh_has_a_grace_of_ten_seconds()
    {
        var user = await Backend.App.NewUserAsync();
        var before = DateTimeOffset.UtcNow;

        (await Gateway.SendAsync("POST", "/v1/sessions/refresh", user.Token)).MustBe(200);

        (await user.ChatAsync("small", Price.Question)).MustBe(200);
        var sessions = (await Backend.App.GetAsync($"/v1/sessions?customer={user.ExternalId}")).MustBe(200).Json.GetProperty("sessions");
        var old = sessions.EnumerateArray().Single(session => session.Text("id") == user.SessionId);
        Assert.InRange(old.GetProperty("expiresAt").GetDateTimeOffset() - before, TimeSpan.FromSeconds(9), TimeSpan.FromSeconds(12));
    }

    [Theory]
    [InlineData("[\"small\"]", "small", 200)]
    [InlineData("[\"small\"]", "sandbox/small", 200)]
    [InlineData("[\"sandbox/small\"]", "small", 200)]
    [InlineData("[\"small\"]", "odd", 403)]
    [InlineData("[\"retrying/small\"]", "small", 403)]
    [InlineData("[\"smal\"]", "small", 403)]
    [InlineData("[\"*\"]", "small", 403)]
    [InlineData("[]", "small", 403)]
    public async Task A_scope_names_models_exactly_and_an_empty_one_none(string scope, string model, int status)
    {
        var user = await Backend.App.NewUserAsync("1", $$"""
            "scope":{"models":{{scope}}}
            """);

        var reply = (await user.ChatAsync(model, Price.Question)).MustBe(status);

        if (status == 403)
        {
            reply.MustBeProblem(403, "model_not_allowed", "model");
            Assert.Equal(1_000_000_000, await user.BalanceAsync());
        }
    }

    [Fact]
    public async Task A_refreshed_session_keeps_its_scope()
    {
        var user = await Backend.App.NewUserAsync("1", "\"scope\":{\"models\":[\"small\"]}");

        var refreshed = (await Gateway.SendAsync("POST", "/v1/sessions/refresh", user.Token)).MustBe(200);

        var token = refreshed.Json.Text("sessionToken");
        (await Chat.AskAsync(token, "small", Price.Question)).MustBe(200);
        (await Chat.AskAsync(token, "odd", Price.Question)).MustBeProblem(403, "model_not_allowed", "model");
    }

    /// <summary>A bound for each token alone would grow with every token.</summary>
    [Fact]
    public async Task A_session_is_refreshed_only_so_often_whichever_of_its_tokens_is_used()
    {
        var (user, other) = (await Backend.App.NewUserAsync(null), await Backend.App.NewUserAsync(null));
        var tokens = new List<string> { user.Token };
        while (tokens.Count <= MaxRefreshes)
            tokens.Add((await RefreshAsync(tokens[^1])).MustBe(200).Json.Text("sessionToken"));

        foreach (var token in (string[])[tokens[^1], tokens[^2], user.Token])
        {
            var refused = await RefreshAsync(token);
            refused.MustBeProblem(429, "rate_limit_exceeded");
            Assert.Contains($"{MaxRefreshes} refreshes", refused.Text);
            Assert.InRange(int.Parse(refused["Retry-After"]!, CultureInfo.InvariantCulture), 1, 900);
        }
        (await RefreshAsync(other.Token)).MustBe(200);
    }

    /// <summary>What was spent of a cap is known for so long. Whoever is refused here mints anew, with a cap of its own.</summary>
    [Theory]
    [InlineData("\"scope\":{\"maxSpend\":\"0.01\"}", 401)]
    [InlineData(null, 200)]
    public async Task A_session_with_a_cap_is_refreshed_for_ninety_days(string? terms, int status)
    {
        var user = await Backend.App.NewUserAsync(null, terms);
        await AgeAsync(user, "89 days");
        var token = (await RefreshAsync(user.Token)).MustBe(200).Json.Text("sessionToken");

        await AgeAsync(user, "2 days");
        var refreshed = (await RefreshAsync(token)).MustBe(status);

        if (status == 401)
            refreshed.MustBeProblem(401, "expired");
    }

    static async Task AgeAsync(User user, string interval)
    {
        await using var command = Books.Sessions.CreateCommand(
            "update session_family set created_at = created_at - $2::interval where customer_id = $1");
        command.Parameters.Add(new() { Value = user.Customer });
        command.Parameters.Add(new() { Value = interval });
        Assert.Equal(1, await command.ExecuteNonQueryAsync());
    }

    static Task<Reply> RefreshAsync(string token) => Gateway.SendAsync("POST", "/v1/sessions/refresh", token);

    [Fact]
    public async Task Sessions_are_listed_newest_first_page_by_page()
    {
        var first = await Backend.App.NewUserAsync(null);
        var second = await Backend.App.MintAsync(first.ExternalId);
        var third = await Backend.App.MintAsync(first.ExternalId);

        var page = (await Backend.App.GetAsync($"/v1/sessions?customer={first.CustomerId}&limit=2")).MustBe(200).Json;
        var rest = (await Backend.App.GetAsync($"/v1/sessions?customer={first.ExternalId}&limit=2&cursor={page.Text("nextCursor")}"))
            .MustBe(200).Json;

        Assert.Equal([third.SessionId, second.SessionId], page.Items("sessions").Select(session => session.Text("id")));
        Assert.Equal([first.SessionId], rest.Items("sessions").Select(session => session.Text("id")));
        Assert.Equal(JsonValueKind.Null, rest.GetProperty("nextCursor").ValueKind);
        Assert.DoesNotContain(first.Token, page.GetRawText() + rest.GetRawText());
    }

    [Fact]
    public async Task The_credential_is_found_wherever_an_SDK_puts_it()
    {
        var user = await Backend.App.NewUserAsync();
        foreach (var header in (string[])["X-API-Key", "x-goog-api-key"])
            (await Gateway.SendAsync("POST", Chat.Path, null, Chat.Body("small", Price.Question), headers: [(header, user.Token)]))
                .MustBe(200);
    }

    [Fact]
    public async Task Without_the_version_the_routes_are_the_same()
    {
        var user = await Backend.App.NewUserAsync();
        (await Gateway.SendAsync("POST", "/chat/completions", user.Token, Chat.Body("small", Price.Question))).MustBe(200);
        (await Gateway.SendAsync("GET", "/models", user.Token)).MustBe(200);
        Assert.Equal("LLM Gateway", (await Gateway.SendAsync("GET", "/")).MustBe(200).Json.Text("name"));
    }

    [Fact]
    public async Task The_test_world_has_customers_and_tokens_of_its_own_and_calls_only_what_costs_nothing_real()
    {
        var live = await Backend.App.NewUserAsync();
        var test = await Backend.AppTest.MintAsync(live.ExternalId);
        Assert.StartsWith("es_test_", test.Token);
        Assert.NotEqual((live.CustomerId, live.WalletId), (test.CustomerId, test.WalletId));
        Assert.Equal(0, await test.BalanceAsync());

        var user = await Backend.TestWorld.NewUserAsync();
        (await user.ChatAsync("small", Price.Question)).MustBe(200);
        (await user.ChatAsync("real", Price.Question)).MustBeProblem(403, "live_only", "model");
        (await user.ChatAsync("real-free", Price.Question)).MustBeProblem(502, "upstream_unreachable");
    }

    static void MustExpireIn(JsonElement session, DateTimeOffset before, int seconds)
    {
        var expires = DateTimeOffset.Parse(session.Text("expiresAt"), CultureInfo.InvariantCulture);
        Assert.InRange(expires, before.AddSeconds(seconds - 1), DateTimeOffset.UtcNow.AddSeconds(seconds + 1));
    }
}
