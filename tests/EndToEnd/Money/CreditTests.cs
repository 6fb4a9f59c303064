using System.Text.Json;
using LlmGateway.Contracts;

namespace LlmGateway.EndToEnd;

/// <summary>Call credits, through both proxies: what a call costs, who pays when they are gone, and what the books say of it.</summary>
public sealed class CreditTests
{
    const long CostOfQuestion = Price.OfQuestion + Price.OfAnswer;

    static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_call_costs_one_credit_of_its_providers_type_and_the_books_say_so()
    {
        var user = await NewCustomerAsync(standard: 3, premium: 2);

        foreach (var proxy in Stack.Proxies)
        {
            var reply = (await AskAsync(user, "small", proxy)).MustBe(200);
            Assert.Equal(
                ("0", "query:standard=1", "standard"),
                (reply["X-LLMGateway-Cost"], reply["X-LLMGateway-Used"], reply["X-Query-Type"]));
        }
        var stream = (await user.StreamAsync("large", Price.Question, at: Stack.Proxy)).MustBe(200);
        Assert.Equal(("query:premium=1", "premium"), (stream["X-LLMGateway-Used"], stream["X-Query-Type"]));

        Assert.All(await Books.UsageAsync(user, 3), row =>
            Assert.Equal((Outcome.Completed, CostOfQuestion, 0, 0), (row.Outcome, row.Cost, row.Charged, row.Absorbed)));
        Assert.Equal(3 * CostOfQuestion, await CoveredAsync(user));
        await MustHaveAsync(user, ("premium", 1), ("standard", 1));
        await Books.MustBeRightAsync();
    }

    [Fact]
    public async Task What_a_seed_file_grants_is_there_once()
    {
        const string Key = "llm_gw_credited000000000000000000000000000000000";
        (await Chat.AskAsync(Key, "large", Price.Question)).MustBeProblem(402, "not_enough_queries");
        var reply = (await Chat.AskAsync(Key, "small", Price.Question)).MustBe(200);
        Assert.Equal("query:standard=1", reply["X-LLMGateway-Used"]);

        var user = await Backend.Queries.MintAsync("credited");
        await Books.UsageAsync(user, 1);
        await MustHaveAsync(user, ("premium", 0), ("standard", 99));
        await MustSeeAsync(user, ("premium", 0), ("standard", 99));
    }

    [Fact]
    public async Task Of_many_calls_at_once_exactly_as_many_are_answered_as_there_are_credits()
    {
        const int Credits = 7;
        var user = await NewCustomerAsync(standard: Credits);

        var replies = await Task.WhenAll(Enumerable.Range(0, 60).Select(i => AskAsync(user, "small", Stack.Proxies[i % 2])));

        Assert.Equal(Credits, replies.Count(reply => reply.Status == 200));
        Assert.All(replies.Where(reply => reply.Status != 200), reply => Assert.True(
            (reply.Status, reply.Code) is (402, "not_enough_queries") or (429, "balance_held"), reply.ToString()));
        Assert.Equal(Credits, (await Books.UsageAsync(user, Credits)).Count);
        await MustHaveAsync(user, ("standard", 0));
        await Books.MustBeRightAsync();
    }

    [Fact]
    public async Task When_credits_are_gone_the_refusal_says_what_the_customer_has()
    {
        var user = await NewCustomerAsync(standard: 1, premium: 4);
        (await AskAsync(user, "small", Stack.Proxy)).MustBe(200);
        await Books.UsageAsync(user, 1);

        foreach (var proxy in Stack.Proxies)
        {
            var refused = (await AskAsync(user, "small", proxy)).MustBeProblem(402, "not_enough_queries").Json;
            Assert.Equal("not_enough_queries", refused.Text("code"));
            var details = refused.GetProperty("details");
            Assert.Equal([("premium", 4), ("standard", 0)], Rows(details.GetProperty("balances")));
            Assert.Equal("standard", details.Text("queryType"));
            Assert.Equal([("standard", 0)], Rows(JsonSerializer.SerializeToElement(new[] { details.GetProperty("currentBalance") })));
            var limit = refused.GetProperty("error").GetProperty("limit");
            Assert.Equal(("credits", "query:standard", "1"), (limit.Text("level"), limit.Text("unit"), limit.Text("missing")));
        }
        await AdjustAsync(user, "standard", 1);
        (await AskAsync(user, "small", Stack.Proxy2)).MustBe(200);
    }

    [Fact]
    public async Task Credits_pay_before_the_wallet_and_the_wallet_pays_by_price_when_they_are_gone()
    {
        var user = await Backend.Queries.NewUserAsync("1");
        await AdjustAsync(user, "standard", 2);
        for (var i = 0; i < 5; i++)
        {
            var reply = (await AskAsync(user, "small", Stack.Proxies[i % 2])).MustBe(200);
            Assert.Equal(
                i < 2 ? ("0", "query:standard=1", "standard") : ("0.000043", null, null),
                (reply["X-LLMGateway-Cost"], reply["X-LLMGateway-Used"], reply["X-Query-Type"]));
        }
        // A type that it never had, and a provider without one, are the wallet's.
        (await AskAsync(user, "large", Stack.Proxy)).MustBe(200);
        (await AskAsync(user, "untyped", Stack.Proxy2)).MustBe(200);

        Assert.Equal(Money.NanosPerUsd - (5 * CostOfQuestion), await user.BalanceAfterAsync(7));
        Assert.Equal(2 * CostOfQuestion, await CoveredAsync(user));
        await MustHaveAsync(user, ("standard", 0));
        await Books.MustBeRightAsync();
    }

    [Theory]
    [InlineData("error-400", false)]
    [InlineData("error-500", false)]
    [InlineData("error-500", true)]
    [InlineData("cut-early", true)]
    public async Task A_provider_that_fails_gives_the_credit_back(string model, bool stream)
    {
        var user = await NewCustomerAsync(standard: 1);
        for (var i = 0; i < 2; i++)
        {
            var reply = await Chat.AskAsync(
                user.Token, model, Price.Question, stream ? "\"stream\":true" : null, Stack.Proxies[i % 2]);
            Assert.InRange(reply.Status, 400, 599);
            Assert.Equal((null, null), (reply["X-LLMGateway-Used"], reply["X-Query-Type"]));
        }

        Assert.All(await Books.UsageAsync(user, 2), row => Assert.Equal((Outcome.Failed, 0), (row.Outcome, row.Cost)));
        await MustHaveAsync(user, ("standard", 1));
        (await AskAsync(user, "small", Stack.Proxy)).MustBe(200);
    }

    [Fact]
    public async Task A_call_that_another_provider_answers_costs_one_credit()
    {
        var user = await NewCustomerAsync(standard: 2);
        (await AskAsync(user, "falls-back", Stack.Proxy)).MustBe(200);
        await Books.UsageAsync(user, 2); // the attempt and the answer
        await MustHaveAsync(user, ("standard", 1));
        await Books.MustBeRightAsync();
    }

    [Fact]
    public async Task Who_leaves_before_the_answer_begins_keeps_the_credit_and_who_leaves_later_has_spent_it()
    {
        var user = await NewCustomerAsync(standard: 2);
        using (var leaves = CancellationTokenSource.CreateLinkedTokenSource(Token))
        {
            var tag = Sandbox.NewTag();
            var call = Gateway.OpenAsync(
                Gateway.Request("POST", Chat.Path, user.Token, Chat.Body("hang", Price.Question, Sandbox.Tagged(tag))), leaves.Token);
            await Sandbox.CallAsync(tag, seen => seen.Outcome == "running", "the provider's call");
            await leaves.CancelAsync();
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => call);
        }
        Assert.Equal(Outcome.Aborted, (await Books.OnlyUsageAsync(user)).Outcome);
        await MustHaveAsync(user, ("standard", 2));

        using (var stream = await OpenStream.StartAsync(user.Token, "slow", "[[tokens:500]] one two"))
            await stream.ReadWordsAsync(5);
        var rows = await Books.UsageAsync(user, 2);
        Assert.Equal((Outcome.Aborted, 0, 0), (rows[1].Outcome, rows[1].Charged, rows[1].Absorbed));
        await MustHaveAsync(user, ("standard", 1));
        await Books.MustBeRightAsync();
    }

    [Fact]
    public async Task What_is_free_is_never_charged()
    {
        var user = await Backend.Queries.NewUserAsync("1", "\"scope\":{\"maxSpend\":\"0.00001\"}");
        await AdjustAsync(user, "standard", 2);
        foreach (var proxy in Stack.Proxies)
        {
            var reply = (await AskAsync(user, "gratis", proxy)).MustBe(200);
            Assert.Equal(("0", null, "free"), (reply["X-LLMGateway-Cost"], reply["X-LLMGateway-Used"], reply["X-Query-Type"]));
        }

        Assert.Equal(Money.NanosPerUsd, await user.BalanceAfterAsync(2));
        Assert.Equal(2 * CostOfQuestion, await CoveredAsync(user));
        await MustHaveAsync(user, ("standard", 2));
        (await Backend.Queries.PostAsync($"/v1/customers/{user.CustomerId}/balances", Body("free", 1)))
            .MustBeProblem(400, "invalid_value", "type");
        await Books.MustBeRightAsync();
    }

    [Fact]
    public async Task What_is_free_is_refused_while_the_wallet_is_frozen()
    {
        var user = await Backend.Queries.NewUserAsync(null);
        foreach (var proxy in Stack.Proxies)
            (await AskAsync(user, "gratis", proxy)).MustBe(200);

        (await Backend.Queries.PostAsync($"/v1/wallets/{user.WalletId}/freeze", "{}")).MustBe(200);
        foreach (var proxy in Stack.Proxies)
            (await Eventually.GetAsync(
                () => AskAsync(user, "gratis", proxy), reply => reply.Status != 200, "the refusal", TimeSpan.FromSeconds(1)))
                .MustBeProblem(402, "wallet_frozen");

        (await Backend.Queries.PostAsync($"/v1/wallets/{user.WalletId}/unfreeze", "{}")).MustBe(200);
        (await AskAsync(user, "gratis", Stack.Proxy)).MustBe(200);
    }

    [Fact]
    public async Task A_plan_that_pays_alone_pays_nothing_while_the_wallet_is_frozen()
    {
        var user = await Backend.Queries.NewUserAsync(null);
        await Books.GivePlanAsync(user, 1_000_000, overagePicos: null);
        (await AskAsync(user, "untyped", Stack.Proxy)).MustBe(200);

        (await Backend.Queries.PostAsync($"/v1/wallets/{user.WalletId}/freeze", "{}")).MustBe(200);
        (await AskAsync(user, "untyped", Stack.Proxy2)).MustBeProblem(402, "wallet_frozen");
    }

    [Fact]
    public async Task Of_many_types_that_are_granted_at_once_a_customer_gets_as_many_as_it_may_have()
    {
        var user = await NewCustomerAsync(standard: 0);
        var types = Enumerable.Range(0, CallCredits.MaxTypes + 10).Select(i => $"type-{i:D2}").ToList();

        var replies = await Task.WhenAll(types.Select(
            type => Backend.Queries.PostAsync($"/v1/customers/{user.CustomerId}/balances", Body(type, 1))));

        Assert.Equal(CallCredits.MaxTypes, replies.Count(reply => reply.Status == 200));
        Assert.All(replies.Where(reply => reply.Status != 200), reply => reply.MustBeProblem(409, "too_many_types", "type"));
        await MustHaveAsync(user, [.. types.Where((_, i) => replies[i].Status == 200).Select(type => (type, 1L))]);
        (await AskAsync(user, "small", Stack.Proxy)).MustBeProblem(402, "not_enough_queries");
    }

    [Fact]
    public async Task A_call_that_is_repeated_under_its_key_costs_one_credit_and_says_so_again()
    {
        var user = await NewCustomerAsync(standard: 2);
        var call = KeyedCall.Chat(user, "small", Price.Question);
        foreach (var proxy in Stack.Proxies)
        {
            var reply = (await call.SendAsync(proxy)).MustBe(200);
            Assert.Equal(("query:standard=1", "standard"), (reply["X-LLMGateway-Used"], reply["X-Query-Type"]));
        }
        await Books.OnlyUsageAsync(user);
        await MustHaveAsync(user, ("standard", 1));
    }

    [Fact]
    public async Task Credits_are_added_and_taken_once_under_their_key_and_never_below_zero()
    {
        var user = await NewCustomerAsync(standard: 0);
        var path = $"/v1/customers/{user.CustomerId}/balances";
        var credit = Guid.NewGuid().ToString();
        var credits = await Task.WhenAll(Enumerable.Range(0, 10).Select(i =>
            Backend.Queries.PostAsync(path, Body("standard", 5), credit, Stack.Proxies[i % 2])));
        Assert.All(credits, reply => Assert.True(reply.Status is 200 or 409, reply.ToString()));
        await MustHaveAsync(user, ("standard", 5));
        (await Backend.Queries.PostAsync(path, Body("standard", 6), credit))
            .MustBeProblem(422, "idempotency_key_reused", "Idempotency-Key");

        var shown = (await Backend.Queries.PostAsync(path, Body("standard", 2, "debit"))).MustBe(200).Json;
        Assert.Equal([("standard", 3)], Rows(shown.GetProperty("balances")));
        Assert.True(shown.GetProperty("tokenization").GetBoolean());
        var refused = (await Backend.Queries.PostAsync(path, Body("standard", 4, "debit")))
            .MustBeProblem(402, "not_enough_queries", "amount");
        Assert.Equal([("standard", 3)], Rows(refused.Json.GetProperty("details").GetProperty("balances")));
        (await Backend.Queries.PostAsync(path, Body("premium", 1, "debit"))).MustBeProblem(402, "not_enough_queries", "amount");

        (await Backend.App.PostAsync(path, Body("standard", 1))).MustBe(404);
        (await Gateway.SendAsync("POST", path, user.Token, Body("standard", 1))).MustBeProblem(401, "wrong_credential_kind");
        await MustHaveAsync(user, ("standard", 3));
        await Books.MustBeRightAsync();
    }

    [Theory]
    [InlineData("""{"type":"Standard","amount":1,"op":"credit"}""", "type")]
    [InlineData("""{"type":"","amount":1,"op":"credit"}""", "type")]
    [InlineData("""{"type":"standard","amount":0,"op":"credit"}""", "amount")]
    [InlineData("""{"type":"standard","amount":-3,"op":"debit"}""", "amount")]
    [InlineData("""{"type":"standard","amount":1000000001,"op":"credit"}""", "amount")]
    [InlineData("""{"type":"standard","amount":1.5,"op":"credit"}""", "amount")]
    [InlineData("""{"type":"standard","amount":1,"op":"take"}""", "op")]
    [InlineData("""{"type":"standard","amount":1,"op":"debit","kind":"grant"}""", "kind")]
    [InlineData("""{"type":"standard","amount":1,"op":"credit","expiresAt":"2020-01-01T00:00:00Z"}""", "expiresAt")]
    [InlineData("""{"type":"standard","amount":1,"op":"credit","when":"now"}""", "when")]
    public async Task What_makes_no_sense_is_refused_by_name_and_moves_nothing(string body, string field)
    {
        var user = await NewCustomerAsync(standard: 2);
        (await Backend.Queries.PostAsync($"/v1/customers/{user.CustomerId}/balances", body)).MustBeProblem(400, "invalid_value", field);
        await MustHaveAsync(user, ("standard", 2));
    }

    [Fact]
    public async Task Whom_only_call_credits_pay_for_is_refused_where_none_of_any_type_pays()
    {
        var user = await NewCustomerAsync(standard: 1);
        foreach (var proxy in Stack.Proxies)
        {
            (await AskAsync(user, "untyped", proxy)).MustBeProblem(402, "wallet_exhausted", "model");
            (await AskAsync(user, "gratis", proxy)).MustBe(200);
        }
        (await AskAsync(user, "small", Stack.Proxy)).MustBe(200);
        (await AskAsync(await NewCustomerAsync(standard: 0), "untyped", Stack.Proxy)).MustBe(200); // whom nobody charges
        await Books.UsageAsync(user, 3);
        await MustHaveAsync(user, ("standard", 0));
        await Books.MustBeRightAsync();
    }

    [Fact]
    public async Task Credits_that_expire_are_spent_first_and_are_gone_at_their_end()
    {
        var user = await NewCustomerAsync(standard: 2);
        await AdjustAsync(user, "standard", 3, "\"kind\":\"promotion\",\"expiresAt\":\"2999-01-01T00:00:00Z\"");
        (await AskAsync(user, "small", Stack.Proxy)).MustBe(200);
        await Books.UsageAsync(user, 1);
        await MustHaveAsync(user, ("standard", 4));
        // Nothing is held, so the end of the lot takes all that is left of it.
        await Eventually.HoldsAsync(async () => await Books.HeldAsync([user]) == 0, "the end of all holds");

        await ExpireAsync(user);
        await MustHaveAsync(user, ("standard", 2));
        (await AskAsync(user, "small", Stack.Proxy)).MustBe(200);
        (await AskAsync(user, "small", Stack.Proxy2)).MustBe(200);
        await Books.UsageAsync(user, 3);
        await MustHaveAsync(user, ("standard", 0));
        await Books.MustBeRightAsync();
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task When_all_credits_of_a_type_have_expired_the_wallet_pays_and_where_there_is_none_nobody_is_served(bool hasWallet)
    {
        var user = hasWallet ? await Backend.Queries.NewUserAsync("1") : await NewCustomerAsync(standard: 0);
        await AdjustAsync(user, "standard", 3, "\"kind\":\"promotion\",\"expiresAt\":\"2999-01-01T00:00:00Z\"");
        Assert.Equal("query:standard=1", (await AskAsync(user, "small", Stack.Proxy)).MustBe(200)["X-LLMGateway-Used"]);
        await Books.UsageAsync(user, 1);
        await Eventually.HoldsAsync(async () => await Books.HeldAsync([user]) == 0, "the end of all holds");

        await ExpireAsync(user);

        await MustHaveAsync(user, ("standard", 0));
        foreach (var proxy in Stack.Proxies)
        {
            var reply = await AskAsync(user, "small", proxy);
            if (hasWallet)
                Assert.Equal(("0.000043", null), (reply.MustBe(200)["X-LLMGateway-Cost"], reply["X-LLMGateway-Used"]));
            else
                reply.MustBeProblem(402, "not_enough_queries");
        }
        if (hasWallet)
            Assert.Equal(Money.NanosPerUsd - (2 * CostOfQuestion), await user.BalanceAfterAsync(3));
        await Books.MustBeRightAsync();
    }

    /// <summary>Ends the only lot of call credits that has an end.</summary>
    static async Task ExpireAsync(User user)
    {
        await using var command = Books.Wallet.CreateCommand(
            "update lot set expires_at = now() where wallet = (select id from account where owner = $1 and kind = 7)");
        command.Parameters.Add(new() { Value = user.Customer });
        Assert.Equal(1, await command.ExecuteNonQueryAsync(Token));
    }

    /// <summary>A customer without a wallet, with a key.</summary>
    internal static async Task<User> NewCustomerAsync(long standard, long? premium = null)
    {
        var name = $"caller-{Guid.NewGuid():N}";
        var made = (await Backend.Queries.PostAsync("/v1/customers", $$"""{"externalId":"{{name}}","wallet":false}""")).MustBe(201).Json;
        var customer = made.Text("id");
        var (_, key) = await Backend.Queries.NewKeyAsync(customer);
        var user = new User(Backend.Queries, name, key, "", customer, "");
        if (standard > 0)
            await AdjustAsync(user, "standard", standard);
        if (premium is { } amount)
            await AdjustAsync(user, "premium", amount);
        return user;
    }

    static async Task AdjustAsync(User user, string type, long amount, string? more = null) =>
        (await Backend.Queries.PostAsync($"/v1/customers/{user.CustomerId}/balances", Body(type, amount, "credit", more))).MustBe(200);

    static string Body(string type, long amount, string op = "credit", string? more = null) =>
        $$"""{"type":"{{type}}","amount":{{amount}},"op":"{{op}}"{{(more is null ? "" : "," + more)}}}""";

    static Task<Reply> AskAsync(User user, string model, Uri proxy) => user.ChatAsync(model, Price.Question, at: proxy);

    static async Task MustHaveAsync(User user, params (string, long)[] expected) => Assert.Equal(
        expected,
        Rows((await Backend.Queries.GetAsync($"/v1/customers/{user.CustomerId}/balances")).MustBe(200).Json.GetProperty("balances")));

    static async Task MustSeeAsync(User user, params (string, long)[] expected)
    {
        var own = (await Gateway.SendAsync("GET", "/v1/balances", user.Token, at: Stack.Proxy2)).MustBe(200).Json;
        Assert.Equal(expected, Rows(own.GetProperty("balances")));
        Assert.True(own.GetProperty("tokenization").GetBoolean());
    }

    static IEnumerable<(string, long)> Rows(JsonElement balances) =>
        balances.EnumerateArray().Select(row => (row.Text("type"), row.GetProperty("count").GetInt64()));

    static async Task<long> CoveredAsync(User user)
    {
        await using var query = Books.Wallet.CreateCommand("select sum(covered)::bigint from usage_record where customer = $1");
        query.Parameters.Add(new() { Value = user.Customer });
        return (long)(await query.ExecuteScalarAsync(Token))!;
    }
}
