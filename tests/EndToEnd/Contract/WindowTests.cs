using System.Globalization;
using System.Text;

namespace LlmGateway.EndToEnd;

/// <summary>Sessions of a customer's own clients: how they are named, and what opens and keeps open.</summary>
public sealed class WindowTests
{
    [Fact]
    public async Task A_hundred_messages_of_one_session_through_both_proxies_take_one_unit()
    {
        var (user, key) = await NewCustomerAsync("""[{"unit":"windows","amount":3,"cycle":"month"}]""");

        var replies = await Task.WhenAll(Enumerable.Range(0, 100).Select(i => AskAsync(key, "+49 170 1", Stack.Proxies[i % 2])));

        Assert.All(replies, reply => reply.MustBe(200));
        Assert.Equal(("1", "0", "2"), await StateAsync(user));
        await Books.UsageAsync(user, 100);
    }

    [Fact]
    public async Task Of_many_new_sessions_at_once_on_the_last_unit_one_opens_and_nobody_elses_closes()
    {
        var (user, key) = await NewCustomerAsync("""[{"unit":"windows","amount":3,"cycle":"month"}]""");
        (await AskAsync(key, "ann", Stack.Proxy)).MustBe(200);
        (await AskAsync(key, "ben", Stack.Proxy2)).MustBe(200);

        var replies = await Task.WhenAll(Enumerable.Range(0, 100).Select(i => AskAsync(key, $"new-{i}", Stack.Proxies[i % 2])));

        var (opened, _) = Assert.Single(replies.Index(), reply => reply.Item.Status == 200);
        Assert.All(replies.Where(reply => reply.Status != 200), reply => reply.MustBeProblem(429, "limit_reached"));
        foreach (var session in (string[])["ann", "ben", $"new-{opened}"])
            foreach (var proxy in Stack.Proxies)
                (await AskAsync(key, session, proxy)).MustBe(200);
        Assert.Equal(("3", "0", "0"), await StateAsync(user));
        await Books.UsageAsync(user, 9);
        await using var query = Books.Wallet.CreateCommand("select count(*) from session_window where owner = $1 and openings > 0");
        query.Parameters.Add(new() { Value = user.Customer });
        Assert.Equal(3L, await query.ExecuteScalarAsync(TestContext.Current.CancellationToken));
    }

    /// <summary>Sessions are counted while a limit of them is there. One that is open goes on under the limit that comes back.</summary>
    [Fact]
    public async Task A_limit_of_sessions_that_is_removed_and_added_again_has_the_units_that_it_had()
    {
        const string Two = """[{"id":"w","unit":"windows","amount":2,"cycle":"day"}]""";
        var (user, key) = await NewCustomerAsync(Two);
        (await AskAsync(key, "ann", Stack.Proxy)).MustBe(200);
        var path = $"/v1/customers/{user.CustomerId}/limits";

        await PutAsync("[]", unnamed: 200);
        (await AskAsync(key, "cem", Stack.Proxy)).MustBe(200);
        await PutAsync(Two, unnamed: 400);

        Assert.Equal(("1", "0", "1"), await StateAsync(user));
        foreach (var proxy in Stack.Proxies)
            (await AskAsync(key, "ann", proxy)).MustBe(200);
        Assert.Equal(("1", "0", "1"), await StateAsync(user));
        (await AskAsync(key, "ben", Stack.Proxy2)).MustBe(200);
        foreach (var proxy in Stack.Proxies)
            (await AskAsync(key, "cem", proxy)).MustBeProblem(429, "limit_reached");
        Assert.Equal(("2", "0", "0"), await StateAsync(user));

        async Task PutAsync(string limits, int unnamed)
        {
            (await Backend.App.PutAsync(path, limits)).MustBe(200);
            foreach (var proxy in Stack.Proxies)
                await Eventually.HoldsAsync(
                    async () => (await Chat.AskAsync(key, "small", Price.Question, at: proxy)).Status == unnamed,
                    "what the limit says to a call without a session", TimeSpan.FromSeconds(1));
        }
    }

    [Fact]
    public async Task An_open_session_goes_on_when_the_limit_is_reached_and_a_new_one_is_refused()
    {
        var (user, key) = await NewCustomerAsync("""[{"unit":"windows","amount":2,"cycle":"day","timeZone":"Asia/Kathmandu"}]""");
        (await AskAsync(key, "ann", Stack.Proxy)).MustBe(200);
        (await AskAsync(key, "ben", Stack.Proxy2)).MustBe(200);

        foreach (var proxy in Stack.Proxies)
        {
            var refused = (await AskAsync(key, "cem", proxy)).MustBeProblem(429, "limit_reached");
            var limit = refused.Json.GetProperty("error").GetProperty("limit");
            Assert.Equal(
                ("customer", "windows", "2", "2", "1"),
                (limit.Text("level"), limit.Text("unit"), limit.Text("used"), limit.Text("limit"), limit.Text("missing")));
            (await AskAsync(key, "ann", proxy)).MustBe(200);
            (await AskAsync(key, "ben", proxy)).MustBe(200);
        }
        Assert.Equal(("2", "0", "0"), await StateAsync(user));
        // Each message has moved the close; what was refused has no row in the books.
        await Books.UsageAsync(user, 6);
        await using var query = Books.Wallet.CreateCommand("""
            select bool_and(closes_at >= (select max(started_at) from usage_record where customer = $1) + interval '23 hours'), count(*)
            from session_window where owner = $1 and openings > 0
            """);
        query.Parameters.Add(new() { Value = user.Customer });
        await using var row = await query.ExecuteReaderAsync(TestContext.Current.CancellationToken);
        Assert.True(await row.ReadAsync(TestContext.Current.CancellationToken));
        Assert.Equal((true, 2L), (row.GetBoolean(0), row.GetInt64(1)));
        Assert.Equal(6, (await Books.UsageAsync(user)).Count);
    }

    [Fact]
    public async Task A_message_that_is_booked_keeps_its_session_open()
    {
        var (user, key) = await NewCustomerAsync("""[{"unit":"windows","amount":1,"cycle":"day"}]""");
        (await AskAsync(key, "ann", Stack.Proxy)).MustBe(200);
        await Books.UsageAsync(user, 1);
        await CloseSoonAsync(user);

        // This proxy knows that the session is open, and asks nobody.
        (await AskAsync(key, "ann", Stack.Proxy)).MustBe(200);
        await Books.UsageAsync(user, 2);

        await Eventually.HoldsAsync(async () => await HoursLeftAsync(user) > 23, "a day more for the session");
        (await AskAsync(key, "ann", Stack.Proxy2)).MustBe(200);
        Assert.Equal(("1", "0", "0"), await StateAsync(user));
    }

    [Fact]
    public async Task A_session_that_was_silent_for_a_day_takes_another_unit()
    {
        var (user, key) = await NewCustomerAsync("""[{"unit":"windows","amount":2,"cycle":"day"}]""");
        (await AskAsync(key, "ann", Stack.Proxy)).MustBe(200);
        await Books.UsageAsync(user, 1);
        await using (var close = Books.Wallet.CreateCommand("update session_window set closes_at = now() where owner = $1"))
        {
            close.Parameters.Add(new() { Value = user.Customer });
            await close.ExecuteNonQueryAsync(TestContext.Current.CancellationToken);
        }

        (await AskAsync(key, "ann", Stack.Proxy2)).MustBe(200);
        Assert.Equal(("2", "0", "0"), await StateAsync(user));
    }

    [Fact]
    public async Task A_session_may_be_named_in_five_ways_and_is_the_same_one()
    {
        var (user, key) = await NewCustomerAsync("""[{"unit":"windows","amount":1,"cycle":"day"}]""");
        const string Body = """{"model":"small","messages":[{"role":"user","content":"one two three"}]""";
        const string Messages = """{"model":"small","max_tokens":50,"messages":[{"role":"user","content":"one two three"}]""";

        (await SendAsync(Chat.Path, Body + "}", ("X-Client-Session", "ann"))).MustBe(200);
        (await SendAsync(Chat.Path, Body + ""","user":"ann"}""")).MustBe(200);
        (await SendAsync(Chat.Path, Body + ""","metadata":{"session_id":"ann"}}""")).MustBe(200);
        (await SendAsync("/c/ann" + Chat.Path, Body + ""","user":"ben"}""")).MustBe(200);
        (await SendAsync("/v1/messages", Messages + ""","metadata":{"user_id":"ann"}}""")).MustBe(200);
        const string Gemini = """{"contents":[{"parts":[{"text":"one two three"}]}]}""";
        (await SendAsync("/c/ann/v1beta/models/small:generateContent", Gemini)).MustBe(200);

        (await SendAsync(Chat.Path, Body + ""","user":"ben"}""")).MustBeProblem(429, "limit_reached");
        (await SendAsync(Chat.Path, Body + "}")).MustBeProblem(400, "limit_not_measurable", "X-Client-Session");
        Assert.Equal(("1", "0", "0"), await StateAsync(user));

        Task<Reply> SendAsync(string path, string json, params (string, string)[] headers) =>
            Gateway.SendAsync("POST", path, key, json, headers: headers);
    }

    /// <summary>Refused for money, for another limit, for its form: the session's unit is still there.</summary>
    [Fact]
    public async Task A_request_that_is_refused_takes_no_unit()
    {
        var (user, key) = await NewCustomerAsync(
            """
            [{"unit":"windows","amount":5,"cycle":"day"},{"unit":"windows","amount":1,"cycle":"month"},
            {"unit":"requests","amount":1,"cycle":"day","selector":{"models":["slow"]}}]
            """);
        (await AskAsync(key, "ann", Stack.Proxy, "slow")).MustBe(200);

        (await AskAsync(key, "ben", Stack.Proxy)).MustBeProblem(429, "limit_reached"); // by the month
        (await AskAsync(key, "cem", Stack.Proxy, "slow")).MustBeProblem(429, "limit_reached"); // by its requests
        (await AskAsync(key, "cem", Stack.Proxy, "none")).MustBeProblem(400, "model_not_found", "model");
        (await user.Backend.PostAsync($"/v1/wallets/{user.WalletId}/freeze", "{}")).MustBe(200);
        await Eventually.HoldsAsync(
            async () => (await AskAsync(key, "dee", Stack.Proxy2)).Status == 402, "a refusal by the frozen wallet");

        (await AskAsync("llm_gw_unknown0000000000000000000000000000000000000", "eve", Stack.Proxy)).MustBe(401);
        (await Gateway.SendAsync("POST", "/c/eve/v1/nothing", key, "{}")).MustBe(404);
        (await Gateway.SendAsync("GET", "/c/eve/v1/models", key)).MustBe(200);

        Assert.Equal(("1", "0", "4"), await StateAsync(user));
        await using var query = Books.Wallet.CreateCommand("select count(*) from session_window where owner = $1 and openings > 0");
        query.Parameters.Add(new() { Value = user.Customer });
        Assert.Equal(1L, await query.ExecuteScalarAsync(TestContext.Current.CancellationToken));
        await Eventually.HoldsAsync(async () => await Books.HeldAsync([user]) == 0, "the end of all holds");
    }

    [Fact]
    public async Task What_a_session_is_called_is_nowhere_in_the_ledger()
    {
        var name = $"+49{Random.Shared.NextInt64(100_000_000, 999_999_999).ToString(CultureInfo.InvariantCulture)}";
        var (user, key) = await NewCustomerAsync("""[{"unit":"windows","amount":1,"cycle":"day"}]""");
        (await Gateway.SendAsync("POST", $"/c/{name}{Chat.Path}", key, Chat.Body("small", Price.Question))).MustBe(200);
        const string Gemini = """{"contents":[{"parts":[{"text":"one two three"}]}]}""";
        (await Gateway.SendAsync("POST", $"/c/{name}/v1beta/models/small:generateContent", key, Gemini)).MustBe(200);
        (await Gateway.SendAsync("POST", $"/c/{name}/v1/messages/", key, """
            {"model":"small","max_tokens":50,"messages":[{"role":"user","content":"one two three"}]}
            """)).MustBe(200);
        (await AskAsync(key, name, Stack.Proxy2)).MustBe(200);
        foreach (var named in (string[])[$"\"user\":\"{name}\"", $"\"metadata\":{{\"session_id\":\"{name}\"}}"])
            (await Gateway.SendAsync("POST", Chat.Path, key, Chat.Body("small", Price.Question, named))).MustBe(200);
        (await new KeyedCall(key, $"/c/{name}{Chat.Path}", Chat.Body("small", Price.Question)).SendAsync()).MustBe(200);
        await Books.UsageAsync(user, 7);

        // What is there is found.
        Assert.Contains("session_window", await TablesWithAsync(user.Customer.ToString()));
        Assert.Equal([], await TablesWithAsync(name));
    }

    /// <summary>The tables of the ledger in which a text stands, also as bytes.</summary>
    static async Task<List<string>> TablesWithAsync(string text)
    {
        await using var tables = Books.Wallet.CreateCommand("select tablename from pg_tables where schemaname = 'public'");
        var (names, found) = (new List<string>(), new List<string>());
        await using (var row = await tables.ExecuteReaderAsync(TestContext.Current.CancellationToken))
            while (await row.ReadAsync(TestContext.Current.CancellationToken))
                names.Add(row.GetString(0));
        foreach (var name in names)
        {
            await using var query = Books.Wallet.CreateCommand(
                $"""select exists (select from "{name}" t where t::text like $1 or t::text like $2)""");
            query.Parameters.Add(new() { Value = $"%{text}%" });
            query.Parameters.Add(new() { Value = $"%{Convert.ToHexStringLower(Encoding.UTF8.GetBytes(text))}%" });
            if (await query.ExecuteScalarAsync(TestContext.Current.CancellationToken) is true)
                found.Add(name);
        }
        return found;
    }

    static async Task<(User User, string Key)> NewCustomerAsync(string limits)
    {
        var user = await Backend.App.NewUserAsync();
        (await Backend.App.PutAsync($"/v1/customers/{user.CustomerId}/limits", limits)).MustBe(200);
        return (user, (await Backend.App.NewKeyAsync(user.CustomerId)).Secret);
    }

    static Task<Reply> AskAsync(string key, string session, Uri proxy, string model = "small") => Gateway.SendAsync(
        "POST", Chat.Path, key, Chat.Body(model, Price.Question), proxy, ("X-Client-Session", session));

    /// <summary>Of the first limit.</summary>
    static async Task<(string Used, string Held, string Left)> StateAsync(User user)
    {
        var limit = (await Backend.App.GetAsync($"/v1/customers/{user.CustomerId}/limits")).MustBe(200).Json[0];
        return (limit.Text("used"), limit.Text("held"), limit.Text("left"));
    }

    /// <summary>As if the day were nearly over.</summary>
    static async Task CloseSoonAsync(User user)
    {
        await using var close = Books.Wallet.CreateCommand(
            "update session_window set closes_at = now() + interval '1 hour' where owner = $1");
        close.Parameters.Add(new() { Value = user.Customer });
        Assert.Equal(1, await close.ExecuteNonQueryAsync(TestContext.Current.CancellationToken));
    }

    static async Task<double> HoursLeftAsync(User user)
    {
        await using var query = Books.Wallet.CreateCommand(
            "select extract(epoch from closes_at - now())::float8 / 3600 from session_window where owner = $1");
        query.Parameters.Add(new() { Value = user.Customer });
        return (double)(await query.ExecuteScalarAsync(TestContext.Current.CancellationToken))!;
    }
}
