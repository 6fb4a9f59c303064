using System.Text;
using System.Text.Json;
using LlmGateway.Contracts;

namespace LlmGateway.EndToEnd;

/// <summary>
/// Routes of a project's own, those of <c>apis.seed.json</c>: which of them takes a request, what passes, and what an answer costs.
/// </summary>
public sealed class CustomRouteTests
{
    /// <summary>What the sandbox's stream of so many words says it has used.</summary>
    const int Words = 10, TokensOfStream = Words + 7;

    static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Units_count_as_requests_where_the_route_says_so_and_are_held_before()
    {
        var user = await NewCallerAsync();
        await LimitAsync(user, "requests", 120);

        (await Gateway.SendAsync("GET", "/v1/weather/5000", user.Token)).MustBe(200); // 5000 / 1024, rounded up
        await MustHaveUsedAsync(user, 5);
        (await Gateway.SendAsync("GET", "/v1/weather/16000", user.Token, at: Stack.Proxy2)).MustBe(200);
        await MustHaveUsedAsync(user, 21);

        // The next answer may be worth 100, and 99 are left.
        foreach (var proxy in Stack.Proxies)
            (await Gateway.SendAsync("GET", "/v1/weather/1", user.Token, at: proxy)).MustBeProblem(429, "limit_reached");
        await Books.MustBeRightAsync();
    }

    [Fact]
    public async Task The_seeds_expression_takes_the_tokens_of_a_stream_from_the_plans_quota_and_ends_with_it()
    {
        var user = await NewCallerAsync();
        await Books.GivePlanAsync(user, 100, overagePicos: null);
        for (var i = 1; i <= 4; i++)
        {
            var reply = (await AskAsync(user, $"/v1/words/{Words}", Stack.Proxies[i % 2])).MustBe(200);
            Assert.EndsWith("data: [DONE]\n\n", reply.Text);
            Assert.Equal(Words + 2, reply.Events.Count());
            var row = (await Books.UsageAsync(user, i))[^1];
            Assert.Equal((Outcome.Completed, TokensOfStream, false), (row.Outcome, row.OutputTokens, row.Estimated));
        }
        // 100 - 4 * 17 = 32, and the route holds 40.
        (await AskAsync(user, $"/v1/words/{Words}", Stack.Proxy)).MustBeProblem(429, "limit_reached");
        (await Gateway.SendAsync("POST", $"/v1/words/{Words}", user.Token, "{}", Stack.Proxy2)).MustBeProblem(429, "limit_reached");
        await Books.MustBeRightAsync();
    }

    [Fact]
    public async Task The_wallet_pays_the_routes_price_of_each_unit_to_the_nano_dollar()
    {
        var user = await Backend.Apis.NewUserAsync("1");
        var reply = (await Gateway.SendAsync("GET", "/v1/rows/7", user.Token)).MustBe(200);
        Assert.Equal(("0.007", 7), (reply["X-LLMGateway-Cost"], reply.Json.GetProperty("rows").GetArrayLength()));
        (await AskAsync(user, $"/v1/priced-words/{Words}", Stack.Proxy2)).MustBe(200);
        Assert.Equal(Money.NanosPerUsd - (7 * 1_000_000) - (TokensOfStream * 2_000), await user.BalanceAfterAsync(2));

        var poor = await Backend.Apis.NewUserAsync("0.049"); // the route may cost 0.05
        (await Gateway.SendAsync("GET", "/v1/rows/1", poor.Token)).MustBeProblem(402, "wallet_exhausted");
        await Books.MustBeRightAsync();
    }

    [Fact]
    public async Task More_than_the_bound_is_no_more_than_was_held()
    {
        var user = await Backend.Apis.NewUserAsync("1");
        var reply = (await Gateway.SendAsync("GET", "/v1/rows/80", user.Token)).MustBe(200);
        Assert.Equal("0.05", reply["X-LLMGateway-Cost"]);
        Assert.Equal("capped", (await Books.OnlyUsageAsync(user)).Reason);
        Assert.Equal(Money.NanosPerUsd - 50_000_000, await user.BalanceAsync());
        await Books.MustBeRightAsync();
    }

    [Theory]
    [InlineData("/v1/any-rows/status/400", 400), InlineData("/v1/any-rows/status/500", 500)]
    [InlineData("/v1/any-rows/status/401", 502)]
    public async Task What_the_provider_refuses_costs_nothing(string path, int status)
    {
        var user = await Backend.Apis.NewUserAsync("1");
        (await Gateway.SendAsync("GET", path, user.Token)).MustBe(status);
        Assert.Equal((Outcome.Failed, 0), (await Books.OnlyUsageAsync(user)) is var row ? (row.Outcome, row.Charged) : default);
        Assert.Equal(Money.NanosPerUsd, await user.BalanceAsync());
    }

    /// <summary>Never 1: what the route says of such answers, or what is counted, and the log says why.</summary>
    [Fact]
    public async Task An_expression_that_fails_is_settled_with_what_is_known_and_marked()
    {
        var user = await Backend.Apis.NewUserAsync("1");
        (await Gateway.SendAsync("GET", "/v1/any-rows/echo/x", user.Token)).MustBe(200); // it has no rows
        var row = await Books.OnlyUsageAsync(user);
        Assert.Equal((true, "expression_wrong_kind", 2 * 1_000_000), (row.Estimated, row.Reason, row.Charged));

        using var request = Gateway.Request("POST", "/v1/priced-mirror", user.Token);
        request.Content = new StringContent(new string('x', 400), Encoding.UTF8, "text/plain");
        (await Gateway.SendAsync(request)).MustBe(200);
        row = (await Books.UsageAsync(user, 2))[1];
        Assert.Equal((true, "expression_not_json", 100, 100), (row.Estimated, row.Reason, row.InputTokens, row.OutputTokens));
        Assert.Equal(200 * 2_000, row.Charged);
        await Books.MustBeRightAsync();
    }

    /// <summary>As a number beyond 28 digits does it.</summary>
    [Fact]
    public async Task A_caller_that_makes_an_expression_fail_pays_what_was_held_and_uses_its_limit()
    {
        var user = await Backend.Apis.NewUserAsync("1");
        foreach (var (body, cost) in ((string, string)[])[("{\"inputs\":[1,2]}", "0.002"), ("{\"inputs\":[1,2],\"x\":1e99}", "0.05")])
            Assert.Equal(cost, (await Gateway.SendAsync("POST", "/v1/inputs", user.Token, body)).MustBe(200)["X-LLMGateway-Cost"]);
        var row = (await Books.UsageAsync(user, 2))[1];
        Assert.Equal((true, "expression_wrong_kind", 50 * 1_000_000), (row.Estimated, row.Reason, row.Charged));
        await Books.MustBeRightAsync();
    }

    [Fact]
    public async Task What_is_metered_by_what_it_says_comes_whole()
    {
        var (user, tag) = (await Backend.Apis.NewUserAsync("1"), Sandbox.NewTag());
        foreach (var path in (string[])["/v1/any-rows/echo/x", "/v1/choose/x"])
            (await Gateway.SendAsync(
                "GET", $"{path}?tag={tag}", user.Token, null, null, ("Range", "bytes=0-9"), ("If-None-Match", "\"a\""))).MustBe(200);
        var calls = await Sandbox.CallsAsync(tag);
        Assert.Equal([false, true], calls.Select(call => call.Headers.Keys.Contains("Range", StringComparer.OrdinalIgnoreCase)));
        Assert.Equal([false, true], calls.Select(call => call.Headers.Keys.Contains("If-None-Match", StringComparer.OrdinalIgnoreCase)));
    }

    [Fact]
    public async Task Who_leaves_a_stream_pays_for_what_came_by_our_count_and_the_provider_is_told()
    {
        var (user, tag) = (await Backend.Apis.NewUserAsync("1"), Sandbox.NewTag());
        using (var response = await Gateway.OpenAsync(
            Gateway.Request("POST", $"/v1/priced-words/9/hold?tag={tag}", user.Token, "{}"), Token))
        {
            using var reader = new StreamReader(await response.Content.ReadAsStreamAsync(Token));
            for (var i = 0; i < 18; i++)
                await reader.ReadLineAsync(Token);
        }
        await Sandbox.CallAsync(tag, seen => seen.Outcome == "aborted", "the end of the provider's call");
        var row = await Books.OnlyUsageAsync(user);
        Assert.Equal((Outcome.Aborted, true), (row.Outcome, row.Estimated));
        Assert.InRange(row.OutputTokens, 9, 20); // not the 1 of the expression's default
        Assert.Equal((row.InputTokens + row.OutputTokens) * 2_000, row.Charged);
        await Books.MustBeRightAsync();
    }

    [Fact]
    public async Task Who_leaves_later_pays_no_less_and_never_more_than_was_held()
    {
        var user = await Backend.Apis.NewUserAsync("1");
        foreach (var events in (int[])[1, 4, 9])
        {
            using var response = await Gateway.OpenAsync(
                Gateway.Request("POST", $"/v1/priced-words/{events}/hold", user.Token, "{}"), Token);
            using var reader = new StreamReader(await response.Content.ReadAsStreamAsync(Token));
            for (var i = 0; i < 2 * events; i++)
                await reader.ReadLineAsync(Token);
        }
        var charged = (await Books.UsageAsync(user, 3)).Select(row => row.Charged).ToList();
        Assert.Equal(charged.Order(), charged);
        Assert.InRange(charged[^1], charged[0] + 1, 1000 * 2_000);
        await Books.MustBeRightAsync();
    }

    [Theory]
    [InlineData("GET", "/v1/weather/10", "weather")]
    [InlineData("GET", "/v1/choose/x", "by pattern")]
    [InlineData("GET", "/v1/choose/exact", "exact")]
    [InlineData("GET", "/v1/choose/exact/", "exact")]
    [InlineData("DELETE", "/v1/choose/exact", "deleted")]
    [InlineData("GET", "/v1/choose/a/b", "by prefix")]
    [InlineData("GET", "/v1/choose/exact", "by priority", "X-First: 1")]
    [InlineData("GET", "/v1/choose/x", "by header", "X-Version: 2")]
    [InlineData("GET", "/v1/choose/x", "by pattern", "X-Version: 3")]
    [InlineData("GET", "/anything/else.json", "everything")]
    public async Task The_narrowest_route_of_the_highest_priority_takes_a_request(
        string method, string path, string route, string? header = null)
    {
        var user = await NewCallerAsync();
        var sent = header?.Split(": ");
        (await Gateway.SendAsync(method, path, user.Token, null, null, sent is null ? [] : [(sent[0], sent[1])])).MustBe(200);
        await Books.UsageAsync(user, 1);
        Assert.Equal([route], await ModelsAsync(user));
    }

    /// <summary>The provider would take it for the same path, by a wider route that may cost less or be in more scopes.</summary>
    [Theory]
    [InlineData("/v1/guard/premium", "guarded"), InlineData("/v1/guard/premiums", "guarded by prefix")]
    [InlineData("/v1/guard/premi%75m", "guarded"), InlineData("/v1/guard/premium;x", "guarded")]
    [InlineData("/v1/gu%61rd/premium%3Bx", "guarded")]
    public async Task No_spelling_of_a_path_passes_by_the_route_that_is_meant_for_it(string path, string route)
    {
        var user = await NewCallerAsync();
        var (status, text) = await RawHttp.PostAsync(path, user.Token, "{}");
        Assert.True(status == 200, $"{status} {text}");
        await Books.UsageAsync(user, 1);
        Assert.Equal([route], await ModelsAsync(user));
    }

    [Fact]
    public async Task A_routes_host_is_compared_without_its_case_and_port()
    {
        var user = await NewCallerAsync();
        foreach (var host in (string[])["ROWS.example.com", "rows.example.com:8080", "rows.example.com.evil.com"])
        {
            var request = Gateway.Request("GET", "/v1/by-host", user.Token);
            request.Headers.Host = host;
            (await Gateway.SendAsync(request)).MustBe(200);
        }
        await Books.UsageAsync(user, 3);
        Assert.Equal(["by host", "by host", "everything"], await ModelsAsync(user));
    }

    [Fact]
    public async Task No_route_stands_in_the_way_of_one_of_ours()
    {
        var user = await NewCallerAsync();
        Assert.Equal("list", (await Gateway.SendAsync("GET", "/v1/models", user.Token)).MustBe(200).Json.Text("object"));
        (await Gateway.SendAsync("POST", "/v1/chat/completions", user.Token, """{"model":"x"}""")).MustBe(400);
        (await Backend.Apis.GetAsync("/v1/customers")).MustBe(200);
        foreach (var token in (string?[])[user.Token, null])
        {
            var refused = (await Gateway.SendAsync("DELETE", "/v1/chat/completions", token)).MustBeProblem(405, "method_not_allowed");
            Assert.EndsWith("It takes POST.", refused.Json.GetProperty("error").Text("message"));
        }
        Assert.Empty(await ModelsAsync(user));
    }

    /// <summary>An API that answers it with the request shows our credential.</summary>
    [Theory]
    [InlineData("TRACE"), InlineData("TRACK")]
    public async Task No_route_takes_a_method_that_shows_the_request(string method)
    {
        var (user, tag) = (await NewCallerAsync(), Sandbox.NewTag());
        (await Gateway.SendAsync(method, $"/v1/choose/x?tag={tag}", user.Token)).MustBeProblem(404, "not_found");
        Assert.Empty(await Sandbox.CallsAsync(tag));
    }

    [Fact]
    public async Task A_route_is_its_projects_and_needs_its_credential()
    {
        (await Gateway.SendAsync("GET", "/v1/weather/1")).MustBeProblem(404, "not_found");
        (await Backend.Apis.GetAsync("/v1/weather/1")).MustBeProblem(404, "not_found");
        (await Gateway.SendAsync("GET", "/v1/weather/1", "llm_gw_nobody")).MustBeProblem(401, "invalid_api_key");
        var other = await Backend.Other.NewUserAsync();
        (await Gateway.SendAsync("GET", "/v1/weather/1", other.Token)).MustBeProblem(404, "not_found");
        var user = await NewCallerAsync();
        (await Gateway.SendAsync("GET", "/v1/switched-off", user.Token)).MustBe(200); // everything's
        Assert.Equal(["everything"], await ModelsAsync(user, 1));
    }

    [Fact]
    public async Task A_route_for_everybody_needs_no_credential_at_its_host_and_no_other_one_is_open()
    {
        var tag = Sandbox.NewTag();
        (await CallAsync("open.example.com", $"/v1/open/echo/x?tag={tag}", ("X-User-ID", "me"), ("X-Mine", "1"),
            ("Origin", "https://apis.example.com")))
            .MustBe(200);
        var call = Assert.Single(await Sandbox.CallsAsync(tag));
        Assert.DoesNotContain(call.Headers.Keys, name => name.StartsWith("X-User", StringComparison.OrdinalIgnoreCase));
        Assert.Equal("1", call.Headers.Single(header => header.Key.Equals("X-Mine", StringComparison.OrdinalIgnoreCase)).Value);
        (await CallAsync("OPEN.example.com:8080", "/v1/open/rows/3", ("Idempotency-Key", "one"))).MustBe(200);

        var foreign = await CallAsync("open.example.com", "/v1/open/rows/3", ("Origin", "https://evil.example"));
        Assert.Equal((403, "origin_not_allowed"), (foreign.Status, foreign.Code));
        (await CallAsync("open.example.com", "/v1/weather/3")).MustBeProblem(404, "not_found");
        (await CallAsync("evil.example", "/v1/open/rows/3")).MustBeProblem(404, "not_found");
        (await CallAsync("open.example.com", "/v1/open/rows/3", ("Authorization", "Bearer llm_gw_nobody")))
            .MustBeProblem(401, "invalid_api_key");
        await Books.MustBeRightAsync();

        static Task<Reply> CallAsync(string host, string path, params (string, string)[] headers) =>
            Gateway.SendAsync(AtHost(host, path, headers));
    }

    /// <summary>Nobody pays for them, and each takes what all callers need.</summary>
    [Fact]
    public async Task An_address_has_so_many_calls_without_a_credential_running_and_no_more()
    {
        const int places = 20;
        var user = await NewCallerAsync();
        var running = new List<HttpResponseMessage>();
        try
        {
            for (var i = 0; i < places; i++)
                running.Add(await Gateway.OpenAsync(AtHost("open.example.com", "/v1/open/events/1/hold"), Token));
            (await Gateway.SendAsync(AtHost("open.example.com", "/v1/open/rows/3"))).MustBeProblem(429, "rate_limit_exceeded");
            (await Gateway.SendAsync("GET", "/v1/weather/1", user.Token)).MustBe(200);
        }
        finally
        {
            running.ForEach(response => response.Dispose());
        }
        await Eventually.HoldsAsync(
            async () => (await Gateway.SendAsync(AtHost("open.example.com", "/v1/open/rows/3"))).Status == 200, "a place that is free");
        await Books.MustBeRightAsync();
    }

    static HttpRequestMessage AtHost(string host, string path, params (string, string)[] headers)
    {
        var request = Gateway.Request("GET", path, headers: headers);
        request.Headers.Host = host;
        return request;
    }

    [Fact]
    public async Task A_key_that_is_for_some_models_calls_the_routes_that_its_scope_names()
    {
        var user = await NewCallerAsync();
        var (_, key) = await Backend.Apis.NewKeyAsync(user.CustomerId, "\"models\":[\"weather\"]");
        (await Gateway.SendAsync("GET", "/v1/weather/1", key)).MustBe(200);
        (await Gateway.SendAsync("GET", "/v1/choose/exact", key)).MustBeProblem(403, "model_not_allowed", "model");
    }

    [Fact]
    public async Task Requests_and_answers_are_changed_as_the_route_says_and_who_calls_is_said_by_us()
    {
        var user = await NewCallerAsync();
        await Books.GivePlanAsync(user, 1000, overagePicos: null);
        var reply = (await Gateway.SendAsync(
            "POST", "/v1/changed/north/a/b?drop=1&keep=2&set=theirs", user.Token, """{"a":1}""", null,
            ("X-Drop", "1"), ("X-Set", "theirs"), ("X-User-ID", "spoofed"), ("X-Plan-ID", "spoofed"), ("X-Key-ID", "spoofed"))).MustBe(200);

        Assert.Equal("/http/echo/of/north/a/b?keep=2&set=ours", reply.Json.Text("target"));
        var headers = reply.Json.GetProperty("headers").Deserialize<Dictionary<string, string>>()!;
        Assert.DoesNotContain("x-drop", headers.Keys);
        Assert.Equal(
            ("ours", user.CustomerId, Books.PlanOf(user), "Bearer sk-api-of-ours-000"),
            (headers["x-set"], headers["x-user-id"], headers["x-plan-id"], headers["authorization"]));
        Assert.StartsWith("key_", headers["x-key-id"]);
        Assert.Equal((null, "said by the route"), (reply["X-Total-Count"], reply["X-Extra"]));
    }

    [Theory]
    [InlineData("/v1/changed/..%2f/a"), InlineData("/v1/changed/north/../../x"), InlineData("/v1/changed/north//x")]
    [InlineData("/v1/changed/%2e%2e/x"), InlineData("/v1/choose/..;/x")]
    public async Task No_path_leads_out_of_the_providers_address(string path)
    {
        var (user, tag) = (await NewCallerAsync(), Sandbox.NewTag());
        var (status, text) = await RawHttp.PostAsync($"{path}?tag={tag}", user.Token, "{}");
        Assert.True(status is 400 or 404, $"{status} {text}");
        Assert.Empty(await Sandbox.CallsAsync(tag));
    }

    [Fact]
    public async Task A_call_that_is_repeated_under_its_key_runs_once()
    {
        var (user, tag, key) = (await Backend.Apis.NewUserAsync("1"), Sandbox.NewTag(), Guid.NewGuid().ToString());
        foreach (var proxy in Stack.Proxies)
        {
            var reply = (await Gateway.SendAsync(
                "GET", $"/v1/rows/3?tag={tag}", user.Token, null, proxy, ("Idempotency-Key", key))).MustBe(200);
            Assert.Equal(("0.003", 3), (reply["X-LLMGateway-Cost"], reply.Json.GetProperty("rows").GetArrayLength()));
        }
        Assert.Single(await Sandbox.CallsAsync(tag));
        Assert.Equal(Money.NanosPerUsd - 3_000_000, await user.BalanceAfterAsync(1));
    }

    [Fact]
    public async Task A_key_of_a_call_is_that_of_its_route_whatever_has_chosen_that()
    {
        var (user, tag, key) = (await NewCallerAsync(), Sandbox.NewTag(), Guid.NewGuid().ToString());
        (await SendAsync("1")).MustBe(200);
        (await SendAsync("2")).MustBeProblem(422, "idempotency_key_reused", "Idempotency-Key");
        Assert.Equal("true", (await SendAsync("3")).MustBe(200)["Idempotent-Replayed"]);
        Assert.Single(await Sandbox.CallsAsync(tag));

        Task<Reply> SendAsync(string version) => Gateway.SendAsync(
            "GET", $"/v1/choose/x?tag={tag}", user.Token, null, null, ("Idempotency-Key", key), ("X-Version", version));
    }

    /// <summary>What has no price is not free for a customer without a wallet: its limits of money would not see it.</summary>
    [Theory]
    [InlineData("/v1/credited/x"), InlineData("/v1/providers/api/echo/x"), InlineData("/v1/providers/models/chat/completions")]
    public async Task Whom_nothing_pays_for_has_no_call_that_costs_a_credit(string path)
    {
        var user = await NewCallerAsync();
        await LimitAsync(user, "usd", 50);
        (await Gateway.SendAsync("POST", path, user.Token, "{}")).MustBeProblem(402, "not_enough_queries");
        await Books.MustBeRightAsync();
    }

    [Fact]
    public async Task A_route_of_a_provider_with_call_credits_costs_one_of_them()
    {
        var user = await NewCallerAsync();
        (await Backend.Apis.PostAsync(
            $"/v1/customers/{user.CustomerId}/balances", """{"type":"standard","amount":1,"op":"credit"}""")).MustBe(200);
        Assert.Equal("standard", (await Gateway.SendAsync("GET", "/v1/credited/x", user.Token)).MustBe(200)["X-Query-Type"]);
        await Books.UsageAsync(user, 1);
        (await Gateway.SendAsync("GET", "/v1/credited/x", user.Token)).MustBeProblem(402, "not_enough_queries");
    }

    /// <summary>A customer without a wallet, with a key.</summary>
    static async Task<User> NewCallerAsync()
    {
        var name = $"caller-{Guid.NewGuid():N}";
        var made = (await Backend.Apis.PostAsync("/v1/customers", $$"""{"externalId":"{{name}}","wallet":false}""")).MustBe(201).Json;
        var (_, key) = await Backend.Apis.NewKeyAsync(made.Text("id"));
        return new(Backend.Apis, name, key, "", made.Text("id"), "");
    }

    static Task<Reply> AskAsync(User user, string path, Uri at) => Gateway.SendAsync("POST", path, user.Token, "{}", at);

    static async Task LimitAsync(User user, string unit, long amount) => (await Backend.Apis.PutAsync(
        $"/v1/customers/{user.CustomerId}/limits", $$"""[{"id":"few","unit":"{{unit}}","amount":{{amount}},"cycle":"day"}]""")).MustBe(200);

    static Task MustHaveUsedAsync(User user, long units) => Eventually.HoldsAsync(
        async () => (await Backend.Apis.GetAsync($"/v1/customers/{user.CustomerId}/limits")).MustBe(200).Json[0].Text("used") == $"{units}",
        $"a use of {units}");

    /// <summary>What stands in the place of the model, oldest first.</summary>
    static async Task<IReadOnlyList<string>> ModelsAsync(User user, int rows = 0)
    {
        await Books.UsageAsync(user, rows);
        await using var query = Books.Wallet.CreateCommand("select model from usage_record where customer = $1 order by started_at");
        query.Parameters.Add(new() { Value = user.Customer });
        await using var row = await query.ExecuteReaderAsync(Token);
        var models = new List<string>();
        while (await row.ReadAsync(Token))
            models.Add(row.GetString(0));
        return models;
    }
}
