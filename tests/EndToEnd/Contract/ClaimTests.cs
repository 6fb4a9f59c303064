using System.Globalization;
using LlmGateway.Contracts;

namespace LlmGateway.EndToEnd;

/// <summary>Limits and plans as those meet them whose requests they refuse, limit or pay for.</summary>
public sealed class ClaimTests
{
    [Fact]
    public async Task A_limit_of_requests_refuses_the_next_one_at_either_proxy_and_says_which_limit_it_was()
    {
        var (customer, key) = await NewCustomerAsync("""[{"unit":"requests","amount":3,"cycle":"day"}]""");
        for (var i = 0; i < 3; i++)
            (await AskAsync(key, Stack.Proxies[i % 2])).MustBe(200);

        foreach (var proxy in Stack.Proxies)
        {
            var refused = (await AskAsync(key, proxy)).MustBeProblem(429, "limit_reached");
            var limit = refused.Json.GetProperty("error").GetProperty("limit");
            Assert.Equal(
                ("customer", "requests", "3", "3", "1"),
                (limit.Text("level"), limit.Text("unit"), limit.Text("used"), limit.Text("limit"), limit.Text("missing")));
            var listed = (await Backend.App.GetAsync($"/v1/customers/{customer}/limits")).MustBe(200).Json[0];
            Assert.Equal(Time(listed.Text("resets")), Time(limit.Text("resets")));
        }
    }

    [Fact]
    public async Task Of_many_calls_at_once_exactly_as_many_are_answered_as_the_limit_has_left()
    {
        var (_, key) = await NewCustomerAsync("""[{"unit":"requests","amount":7,"cycle":"month","timeZone":"Asia/Kathmandu"}]""");

        var replies = await Task.WhenAll(Enumerable.Range(0, 40).Select(i => AskAsync(key, Stack.Proxies[i % 2])));

        Assert.Equal((7, 33), (replies.Count(reply => reply.Status == 200), replies.Count(reply => reply.Status == 429)));
    }

    [Fact]
    public async Task A_limit_that_is_raised_lowered_or_removed_acts_within_a_second_and_forgets_nothing()
    {
        const string Two = """[{"id":"l","unit":"requests","amount":2,"cycle":"day"}]""";
        var (customer, key) = await NewCustomerAsync(Two);
        (await AskAsync(key, Stack.Proxy)).MustBe(200);
        (await AskAsync(key, Stack.Proxy)).MustBe(200);
        (await AskAsync(key, Stack.Proxy)).MustBeProblem(429, "limit_reached");

        await PutAsync(customer, Two.Replace(":2,", ":4,"));
        await AnsweredAsync(key, 200);
        await PutAsync(customer, Two.Replace(":2,", ":1,"));
        await AnsweredAsync(key, 429);
        await PutAsync(customer, "[]");
        await AnsweredAsync(key, 200);
        await PutAsync(customer, Two.Replace(":2,", ":3,"));
        await AnsweredAsync(key, 429);
    }

    [Fact]
    public async Task What_was_used_since_the_edge_counts_for_a_limit_that_was_not_there()
    {
        const string Five = """
            [{"unit":"requests","amount":5,"cycle":"day"}, {"unit":"tokens","amount":500,"cycle":"month","selector":{"models":["small"]}},
            {"unit":"tokens","amount":500,"cycle":"day","selector":{"models":["slow"]}}]
            """;
        var user = await Backend.App.NewUserAsync();
        var (customer, key) = (user.CustomerId, (await Backend.App.NewKeyAsync(user.CustomerId)).Secret);
        for (var i = 0; i < 3; i++)
            (await AskAsync(key, Stack.Proxies[i % 2])).MustBe(200);
        await Books.UsageAsync(user, 3);
        Assert.Equal(["3 2", "69 431", "0 500"], await PutAndReadAsync(Five));
        Assert.Equal(["3 2", "69 431", "0 500"], await PutAndReadAsync(Five));

        await PutAsync(customer, "[]");
        await AnsweredAsync(key, 200);
        await Books.UsageAsync(user, 4);
        Assert.Equal(["4 1", "92 408", "0 500"], await PutAndReadAsync(Five));
        await AnsweredAsync(key, 200);
        (await AskAsync(key, Stack.Proxy)).MustBeProblem(429, "limit_reached");

        async Task<List<string>> PutAndReadAsync(string limits) =>
            [.. (await Backend.App.PutAsync($"/v1/customers/{customer}/limits", limits)).MustBe(200).Json.EnumerateArray()
                .Select(limit => $"{limit.Text("used")} {limit.Text("left")}")];
    }

    [Fact]
    public async Task A_limit_of_money_ends_with_what_the_wallet_paid()
    {
        var (customer, key) = await NewCustomerAsync("""[{"unit":"usd","amount":"0.0005","cycle":"day"}]""");
        var (paid, reply) = (0m, await AskAsync(key, Stack.Proxy));
        for (var i = 0; i < 20 && reply.Status == 200; i++)
        {
            paid += decimal.Parse(reply["X-LLMGateway-Cost"]!, CultureInfo.InvariantCulture);
            reply = await AskAsync(key, Stack.Proxies[i % 2]);
        }

        var limit = reply.MustBeProblem(429, "limit_reached").Json.GetProperty("error").GetProperty("limit");
        Assert.Equal(("usd", "0.0005"), (limit.Text("unit"), limit.Text("limit")));
        Assert.Equal(paid, decimal.Parse(limit.Text("used"), CultureInfo.InvariantCulture));
        Assert.InRange(paid, 0.0002m, 0.0005m);
        await PutAsync(customer, """[{"unit":"usd","amount":"0.005","cycle":"day"}]""");
        await AnsweredAsync(key, 200);
    }

    [Fact]
    public async Task A_limit_of_tokens_counts_what_was_used_of_its_models()
    {
        var (_, key) = await NewCustomerAsync("""[{"unit":"tokens","amount":400,"cycle":"day","selector":{"models":["small"]}}]""");
        var (used, reply) = await UseUpAsync(key);

        var limit = reply.MustBeProblem(429, "limit_reached").Json.GetProperty("error").GetProperty("limit");
        Assert.Equal(("tokens", $"{used}"), (limit.Text("unit"), limit.Text("used")));
        Assert.InRange(used, 100, 400);
        (await Chat.AskAsync(key, "slow", Price.Question, at: Stack.Proxy)).MustBe(200);
    }

    [Fact]
    public async Task A_quota_pays_first_what_it_has_and_the_wallet_the_rest_at_the_plans_price()
    {
        const string Key = "llm_gw_planned000000000000000000000000000000000000";
        const int Quota = 300, PerCall = 23, Calls = 15, NanosPerToken = 2_000_000;
        var user = await Backend.App.MintAsync("planned");
        var before = await user.BalanceAsync();
        for (var i = 0; i < Calls; i++)
        {
            var reply = (await AskAsync(Key, Stack.Proxies[i % 2])).MustBe(200);
            var owed = Math.Clamp(((i + 1) * PerCall) - Quota, 0, PerCall) * 0.002m;
            Assert.Equal(owed, decimal.Parse(reply["X-LLMGateway-Cost"]!, CultureInfo.InvariantCulture));
            var ofQuota = Math.Clamp(Quota - (i * PerCall), 0, PerCall);
            Assert.Equal(ofQuota > 0 ? $"tokens={ofQuota}" : null, reply["X-LLMGateway-Used"]);
        }

        Assert.Equal(before - (((Calls * PerCall) - Quota) * NanosPerToken), await user.BalanceAfterAsync(Calls));
        var (cost, overage) = (Calls * 0.000043m, ((Calls * PerCall) - Quota) * 0.002m);
        Assert.Equal((Quota, cost, overage, cost - overage), await MonthAsync(user));
    }

    /// <summary>What the queries for accountants in docs/money.md say of a customer with a plan. All of them must run.</summary>
    static async Task<(decimal Used, decimal Cost, decimal Overage, decimal Covered)> MonthAsync(User user)
    {
        var text = await File.ReadAllTextAsync(Path.Combine(AppContext.BaseDirectory, "..", "..", "..", "..", "docs", "money.md"));
        var queries = text.Split("```sql\n")[1].Split("```")[0]
            .Replace("'…'", $"'{user.Customer}'").Replace("2026-11-01", "2020-01-01").Replace("2026-12-01", "2100-01-01")
            .Split(';', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        (decimal, decimal, decimal, decimal)? month = null;
        foreach (var query in queries)
        {
            await using var command = Books.Wallet.CreateCommand(query);
            await using var row = await command.ExecuteReaderAsync();
            while (await row.ReadAsync())
                if (query.Contains("quota_used", StringComparison.Ordinal) && row.GetGuid(0) == user.Customer)
                    month = (row.GetDecimal(1), row.GetDecimal(2), row.GetDecimal(3), row.GetDecimal(4));
        }
        return month!.Value;
    }

    [Fact]
    public async Task A_plan_without_overage_ends_with_its_quota()
    {
        const string Key = "llm_gw_blocked000000000000000000000000000000000000";
        var (used, reply) = await UseUpAsync(Key);

        var limit = reply.MustBeProblem(429, "limit_reached").Json.GetProperty("error").GetProperty("limit");
        Assert.Equal(("plan", "tokens", $"{used}", "250"),
            (limit.Text("level"), limit.Text("unit"), limit.Text("used"), limit.Text("limit")));
        Assert.InRange(used, 1, 250);
    }

    [Fact]
    public async Task What_is_used_held_and_left_of_each_limit_is_listed()
    {
        const string Limits = """[{"unit":"requests","amount":3,"cycle":"day"},{"unit":"usd","amount":"0.5","cycle":"month"}]""";
        var (customer, key) = await NewCustomerAsync(Limits);
        Assert.Equal([("0", "0", "3"), ("0", "0", "0.5")], await StatesAsync());

        var (running, group) = await Barrier.StartAsync(prompt => Chat.AskAsync(key, "barrier", prompt, at: Stack.Proxy));
        var (requests, money) = ((await StatesAsync())[0], (await StatesAsync())[1]);
        Assert.Equal(("0", "1", "2"), requests);
        Assert.Equal("0", money.Used);
        Assert.NotEqual("0", money.Held);
        Assert.Equal(0.5m, Amount(money.Held) + Amount(money.Left));
        await Sandbox.ReleaseAsync(group);
        var cost = (await running).MustBe(200)["X-LLMGateway-Cost"]!;

        // It is booked behind its answer, and what was held besides goes back when nothing has run for a while.
        var left = (0.5m - Amount(cost)).ToString(CultureInfo.InvariantCulture);
        await Eventually.HoldsAsync(
            async () => (await StatesAsync()).SequenceEqual([("1", "0", "2"), (cost, "0", left)]),
            "what the call used, and nothing held");

        await PutAsync(customer, Limits.Replace("0.5", "0.00001"));
        Assert.Equal((cost, "0", "0"), (await StatesAsync())[1]); // lowered below what was used

        static decimal Amount(string text) => decimal.Parse(text, CultureInfo.InvariantCulture);

        async Task<List<(string Used, string Held, string Left)>> StatesAsync() =>
            [.. (await Backend.App.GetAsync($"/v1/customers/{customer}/limits")).MustBe(200).Json.EnumerateArray()
                .Select(limit => (limit.Text("used"), limit.Text("held"), limit.Text("left")))];
    }

    [Fact]
    public async Task A_plan_that_has_ended_says_so_by_its_name_and_nothing_is_served()
    {
        var user = await Backend.App.NewUserAsync();
        await Books.GivePlanAsync(user, tokens: 300, overagePicos: 1, ends: TimeSpan.FromMinutes(-1));

        foreach (var proxy in Stack.Proxies)
        {
            var error = (await AskAsync(user.Token, proxy)).MustBeProblem(402, "plan_ended").Json.GetProperty("error");
            Assert.Contains($"'{Books.PlanOf(user)}' ended", error.Text("message"));
            var limit = error.GetProperty("limit");
            Assert.Equal(("plan", "tokens", "0"), (limit.Text("level"), limit.Text("unit"), limit.Text("limit")));
        }
        Assert.Equal(1_000_000_000, await user.BalanceAsync());
        Assert.Empty(await Books.UsageAsync(user));
    }

    /// <summary>The same rule for all units: what was used since the cycle's edge counts until the next one.</summary>
    [Theory]
    [InlineData("requests", 1, 1)]
    [InlineData("tokens", 19, 116)]
    [InlineData("usd", 35_000, 132_000)]
    public async Task However_a_limit_is_changed_within_its_cycle_it_has_what_was_used_of_it(string unit, long perCall, long bound)
    {
        var user = await Backend.App.NewUserAsync();
        var key = (await Backend.App.NewKeyAsync(user.CustomerId)).Secret;
        for (var i = 0; i < 3; i++)
            (await NarrowAsync(i)).MustBe(200);
        await Books.UsageAsync(user, 3);
        var used = 3 * perCall;

        // Less than was used already: refused at once, until the cycle ends.
        var limit = await PutAsync(used - 1);
        Assert.Equal((Show(used), "0"), (limit.Text("used"), limit.Text("left")));
        var refused = await Eventually.GetAsync(() => NarrowAsync(0), reply => reply.Status == 429, "a refusal", TimeSpan.FromSeconds(1));
        Assert.Equal(
            Time(limit.Text("resets")),
            Time(refused.MustBeProblem(429, "limit_reached").Json.GetProperty("error").GetProperty("limit").Text("resets")));

        Assert.Equal(Show(bound), (await PutAsync(used + bound)).Text("left"));
        await Eventually.HoldsAsync(async () => (await NarrowAsync(1)).Status == 200, "an answer", TimeSpan.FromSeconds(1));
        await Books.UsageAsync(user, 4);
        used += perCall;
        await Eventually.HoldsAsync(async () => await Books.HeldAsync([user]) == 0, "the return of what is idle");

        // Removed and added again, counted from another day, in another zone, and raised for a while.
        (await Backend.App.PutAsync($"/v1/customers/{user.CustomerId}/limits", "[]")).MustBe(200);
        Assert.Equal((Show(used), Show(bound)), await UsedAndLeftAsync(used + bound));
        Assert.Equal((Show(used), Show(bound)), await UsedAndLeftAsync(used + bound, days: 20));
        Assert.Equal((Show(used), Show(bound)), await UsedAndLeftAsync(used + bound, days: 20, zone: "Pacific/Auckland"));
        var raised = await Backend.App.PostAsync(
            $"/v1/customers/{user.CustomerId}/limits/l/raise", $$"""{"amount":"{{Show(used + (2 * bound))}}","cycles":1}""");
        Assert.Equal((Show(used), Show(2 * bound)), (raised.MustBe(200).Json.Text("used"), raised.Json.Text("left")));

        async Task<(string, string)> UsedAndLeftAsync(long amount, int days = 10, string zone = "UTC") =>
            await PutAsync(amount, days, zone) is var put ? (put.Text("used"), put.Text("left")) : default;

        async Task<System.Text.Json.JsonElement> PutAsync(long amount, int days = 10, string zone = "UTC") =>
            (await Backend.App.PutAsync($"/v1/customers/{user.CustomerId}/limits", $$"""
                [{"id":"l","unit":"{{unit}}","amount":"{{Show(amount)}}","cycle":{"days":300},"timeZone":"{{zone}}",
                "anchor":"{{DateTime.UtcNow.AddDays(-days):yyyy-MM-dd}}"}]
                """)).MustBe(200).Json[0];

        Task<Reply> NarrowAsync(int proxy) => Chat.AskAsync(key, "narrow", Price.Question, at: Stack.Proxies[proxy % 2]);

        string Show(long amount) => unit == "usd" ? Gateway.Usd(amount) : amount.ToString(CultureInfo.InvariantCulture);
    }

    /// <summary>What runs was let in by the limit that it met. Its use counts for the lower one.</summary>
    [Theory]
    [InlineData("requests", 1)]
    [InlineData("tokens", 116)]
    [InlineData("usd", 132_000)]
    public async Task A_limit_that_is_lowered_below_what_runs_lets_it_end_and_nothing_else_in(string unit, long bound)
    {
        var user = await Backend.App.NewUserAsync();
        var key = (await Backend.App.NewKeyAsync(user.CustomerId)).Secret;
        await PutAsync(9 * bound);
        var running = await Task.WhenAll(Stack.Proxies.Select(proxy => Barrier.StartAsync(
            prompt => Chat.AskAsync(key, "barrier", prompt, at: proxy))));

        var lowered = await PutAsync(1);
        Assert.Equal(("0", "0"), (lowered.Text("used"), lowered.Text("left")));
        await MustBeRefusedAsync();
        foreach (var (call, group) in running)
        {
            await Sandbox.ReleaseAsync(group);
            (await call).MustBe(200);
        }
        await MustBeRefusedAsync();

        await Eventually.HoldsAsync(async () => await Books.HeldAsync([user]) == 0, "the end of all holds");
        var used = (await Books.UsageAsync(user, 2))
            .Sum(row => unit == "usd" ? row.Charged : unit == "tokens" ? row.InputTokens + row.OutputTokens : 1);
        var raised = await PutAsync(used + bound);
        Assert.Equal((Show(used), Show(bound)), (raised.Text("used"), raised.Text("left")));
        await Eventually.HoldsAsync(async () => (await NarrowAsync(Stack.Proxy)).Status == 200, "an answer", TimeSpan.FromSeconds(1));

        async Task MustBeRefusedAsync()
        {
            foreach (var proxy in Stack.Proxies)
                (await Eventually.GetAsync(() => NarrowAsync(proxy), reply => reply.Status == 429, "a refusal", TimeSpan.FromSeconds(1)))
                    .MustBeProblem(429, "limit_reached");
        }

        async Task<System.Text.Json.JsonElement> PutAsync(long amount) =>
            (await Backend.App.PutAsync($"/v1/customers/{user.CustomerId}/limits", $$"""
                [{"id":"l","unit":"{{unit}}","amount":"{{Show(amount)}}","cycle":{"days":300} }]
                """)).MustBe(200).Json[0];

        Task<Reply> NarrowAsync(Uri proxy) => Chat.AskAsync(key, "narrow", Price.Question, at: proxy);

        string Show(long amount) => unit == "usd" ? Gateway.Usd(amount) : amount.ToString(CultureInfo.InvariantCulture);
    }

    /// <summary>Nothing has to be reset, in the ledger or in a proxy: the next cycle has another counter.</summary>
    [Fact]
    public async Task From_the_instant_on_that_a_refusal_names_both_proxies_answer_again_without_any_traffic_before()
    {
        var edge = DateTimeOffset.FromUnixTimeSeconds(DateTimeOffset.UtcNow.ToUnixTimeSeconds() + 12);
        var (customer, key) = await NewCustomerAsync(string.Create(CultureInfo.InvariantCulture, $$"""
            [{"unit":"requests","amount":2,"cycle":"hour","timeZone":"Asia/Kolkata","anchor":"{{edge.AddHours(5.5):yyyy-MM-ddTHH:mm:ss}}"}]
            """));
        foreach (var proxy in Stack.Proxies)
            (await AskAsync(key, proxy)).MustBe(200);
        foreach (var proxy in Stack.Proxies)
        {
            var limit = (await AskAsync(key, proxy)).MustBeProblem(429, "limit_reached").Json.GetProperty("error").GetProperty("limit");
            Assert.Equal(edge, Time(limit.Text("resets")));
        }
        Assert.Equal(edge, Time((await Backend.App.GetAsync($"/v1/customers/{customer}/limits")).MustBe(200).Json[0].Text("resets")));

        await Eventually.HoldsAsync(
            () => Task.FromResult(DateTimeOffset.UtcNow > edge.AddSeconds(0.5)), "the next cycle", TimeSpan.FromSeconds(20));

        foreach (var proxy in Stack.Proxies)
            (await AskAsync(key, proxy)).MustBe(200);
        (await AskAsync(key, Stack.Proxy)).MustBeProblem(429, "limit_reached");
    }

    /// <summary>Nothing that happens to a plan touches what the customer was given or has bought.</summary>
    [Fact]
    public async Task Whatever_becomes_of_a_plan_in_whatever_order_the_lots_of_the_wallet_stay_as_they_are()
    {
        string[] changes =
        [
            "update plan set tokens = tokens + 1000 from customer_plan had where plan.id = had.plan_id and customer_id = $1",
            """
            with larger as (
                insert into plan select project_id, 'larger-' || gen_random_uuid(), name, price_nanos, tokens + 5000, tokens_per_minute,
                    overage_picos, trial_days, last_term_full, stripe_price from plan
                where id = (select plan_id from customer_plan where customer_id = $1) returning id)
            update customer_plan set plan_id = larger.id from larger where customer_id = $1
            """,
            "update customer_plan set ends_at = now() + interval '1 hour' where customer_id = $1",
            "update customer_plan set ends_at = null where customer_id = $1",
        ];
        var user = await Backend.App.NewUserAsync();
        await Books.GivePlanAsync(user, tokens: 100_000, overagePicos: null);
        foreach (var (kind, end) in ((string, string)[])[("promotion", "2999-01-01"), ("grant", "2999-02-01")])
            (await Backend.App.PostAsync($"/v1/wallets/{user.WalletId}/credit", $$"""
                {"amount":"0.5","kind":"{{kind}}","expiresAt":"{{end}}T00:00:00Z"}
                """)).MustBe(200);
        var before = await LotsAsync();

        foreach (var order in Permutations([.. Enumerable.Range(0, changes.Length)]))
            foreach (var change in order)
            {
                await using (var command = Books.Sessions.CreateCommand(changes[change]))
                {
                    command.Parameters.Add(new() { Value = user.Customer });
                    Assert.Equal(1, await command.ExecuteNonQueryAsync(TestContext.Current.CancellationToken));
                }
                await user.LimitAsync(null, null); // proxies are told that the customer has changed
                Assert.Equal("tokens=23", (await user.ChatAsync("small", Price.Question)).MustBe(200)["X-LLMGateway-Used"]);
                Assert.Equal(before, await LotsAsync());
            }

        async Task<List<string>> LotsAsync()
        {
            await using var query = Books.Wallet.CreateCommand("""
                select lot::text from lot where wallet in (select id from account where owner = $1)
                union all select (id, posted, version, spent, base_lot, lots)::text from account where owner = $1 and kind = 0 order by 1
                """);
            query.Parameters.Add(new() { Value = user.Customer });
            await using var row = await query.ExecuteReaderAsync(TestContext.Current.CancellationToken);
            var lots = new List<string>();
            while (await row.ReadAsync(TestContext.Current.CancellationToken))
                lots.Add(row.GetString(0));
            return lots;
        }
    }

    static IEnumerable<int[]> Permutations(int[] of) => of.Length == 0
        ? [[]]
        : of.SelectMany(first => Permutations([.. of.Where(other => other != first)]).Select(rest => (int[])[first, .. rest]));

    /// <summary>Until a call is refused. An answer may be shorter near the end.</summary>
    static async Task<(int Used, Reply Refused)> UseUpAsync(string key)
    {
        for (int used = 0, i = 0; ; i++)
        {
            var reply = await AskAsync(key, Stack.Proxies[i % 2]);
            if (reply.Status != 200)
                return (used, reply);
            used += reply.Json.GetProperty("usage").Int("total_tokens");
        }
    }

    static async Task<(string Customer, string Key)> NewCustomerAsync(string limits)
    {
        var user = await Backend.App.NewUserAsync();
        await PutAsync(user.CustomerId, limits);
        return (user.CustomerId, (await Backend.App.NewKeyAsync(user.CustomerId)).Secret);
    }

    static async Task PutAsync(string customer, string limits) =>
        (await Backend.App.PutAsync($"/v1/customers/{customer}/limits", limits)).MustBe(200);

    static Task AnsweredAsync(string key, int status) => Eventually.HoldsAsync(
        async () => (await AskAsync(key, Stack.Proxy)).Status == status, $"an answer with {status}", TimeSpan.FromSeconds(1));

    static Task<Reply> AskAsync(string key, Uri proxy) => Chat.AskAsync(key, "small", Price.Question, at: proxy);

    static DateTimeOffset Time(string text) => DateTimeOffset.Parse(text, CultureInfo.InvariantCulture);
}
