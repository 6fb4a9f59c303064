using System.Text.Json;

namespace LlmGateway.EndToEnd;

/// <summary>How many requests of a customer or key run at the same time, through both proxies and whatever ends them.</summary>
public sealed class SlotTests
{
    [Fact]
    public async Task Of_many_calls_through_both_proxies_exactly_as_many_run_as_there_are_slots()
    {
        var user = await LimitedAsync(Backend.App, 5);
        for (var round = 0; round < 2; round++)
        {
            var calls = await Barrier.RunIntoAsync(
                40, 5, (i, prompt) => user.ChatAsync("barrier", prompt, at: Stack.Proxies[i % 2]));

            Assert.All(calls.Where(call => call.Status != 200), call => MustBeTooMany(call, "customer", 5));
        }
        await MustBeFreeAsync(user);
    }

    [Fact]
    public async Task A_keys_slots_count_beside_its_customers()
    {
        var user = await LimitedAsync(Backend.App, 3);
        var (two, all) = ((await user.Backend.NewKeyAsync(user.CustomerId, "\"concurrent\":2")).Secret,
            (await user.Backend.NewKeyAsync(user.CustomerId)).Secret);

        var first = await StartAsync(two);
        var second = await StartAsync(two);
        MustBeTooMany(await Chat.AskAsync(two, "small", Price.Question, at: Stack.Proxy2), "key", 2);
        var third = await StartAsync(all);
        MustBeTooMany(await Chat.AskAsync(all, "small", Price.Question, at: Stack.Proxy2), "customer", 3);

        foreach (var (running, group) in ((Task<Reply>, string)[])[first, second, third])
        {
            await Sandbox.ReleaseAsync(group);
            (await running).MustBe(200);
        }
        (await Chat.AskAsync(two, "small", Price.Question, at: Stack.Proxy2)).MustBe(200);
        await MustBeFreeAsync(user);

        static Task<(Task<Reply> Running, string Group)> StartAsync(string key) =>
            Barrier.StartAsync(prompt => Chat.AskAsync(key, "barrier", prompt, at: Stack.Proxy));
    }

    /// <summary>A model of each wire, and the status of a whole answer and of a stream of it.</summary>
    internal static readonly (string Model, int Whole, int Stream)[] Ways =
    [
        ("small", 200, 200), ("nousage", 200, 200), ("cut", 502, 200), ("error-mid", 502, 200), ("error-400", 400, 400),
        ("error-401", 502, 502), ("error-404", 404, 404), ("error-429", 429, 429), ("error-500", 502, 502),
    ];

    /// <summary>Only one request may run, so each way out must have given the slot back when the next call comes.</summary>
    [Theory, MemberData(nameof(Speaker.Pairs), MemberType = typeof(Speaker))]
    public async Task Whatever_ends_a_request_frees_its_slot(string caller, string provider)
    {
        var speaker = Speaker.Of(caller);
        var user = await LimitedAsync(Backend.Wires, 1);
        foreach (var (model, whole, stream) in Ways)
        {
            MustNotWait(await speaker.AskAsync(user.Token, $"{provider}-{model}", Price.Question, stream: false), model, whole);
            MustNotWait(await speaker.AskAsync(user.Token, $"{provider}-{model}", Price.Question, stream: true), model, stream);
        }

        // The caller leaves: its request has ended when it is in the books.
        var body = speaker.Body($"{provider}-slow", "[[tokens:900]] one two", stream: true);
        var request = Gateway.Request("POST", speaker.Path($"{provider}-slow", true), user.Token, body);
        using (var response = await Gateway.OpenAsync(request, Token))
            await (await response.Content.ReadAsStreamAsync(Token)).ReadExactlyAsync(new byte[1], Token);
        await Books.UsageAsync(user, (2 * Ways.Length) + 1);
        (await speaker.AskAsync(user.Token, $"{provider}-small", Price.Question, stream: true)).MustBe(200);
        await MustBeFreeAsync(user);

        static void MustNotWait(Reply reply, string model, int status) =>
            Assert.True(reply.Status == status && !reply.Text.Contains("concurrent", StringComparison.Ordinal), $"{model}: {reply.Text}");
    }

    /// <summary>The ways that every wire shares, and those on which a request is refused when it has its slot already.</summary>
    [Fact]
    public async Task What_is_refused_cut_off_or_taken_over_beside_the_wires_frees_its_slots_all_the_same()
    {
        var user = await LimitedAsync(Backend.App, 4);
        (await user.Backend.PutAsync($"/v1/customers/{user.CustomerId}/limits", """
            [{"unit":"requests","amount":1,"cycle":"day","selector":{"models":["odd"]}},
            {"unit":"windows","amount":9,"cycle":"day","selector":{"models":["tiered"]}}]
            """)).MustBe(200);
        (await user.ChatAsync("odd", Price.Question)).MustBe(200);
        (string Model, int Status)[] ways =
        [
            ("odd", 429), // by its limit
            ("tiered", 400), // it names no session, which is asked for last
            ("none", 400), ("unpriced", 400), ("impatient-hang", 504), ("html", 502), ("cut-early", 502), ("unreachable", 502),
            ("bad-key", 502), ("error-503", 503), ("retried-error-503", 503), ("several", 200), ("badusage-huge", 200), ("nodone", 200),
            ("overrun", 200),
        ];
        foreach (var (model, status) in ways)
        {
            // As many as there are slots, so that one that stayed taken shows with the next four.
            var replies = await Task.WhenAll(Enumerable.Range(0, 4).Select(i => user.ChatAsync(
                model, Price.Question, at: Stack.Proxies[i % 2])));
            Assert.All(replies, reply => Assert.True(
                reply.Status == status && reply.Code != "concurrent_limit_reached", $"{model}: {reply.Status} {reply.Text}"));
        }

        // Its session is revoked in the middle of an answer.
        var other = await Backend.App.MintAsync(user.ExternalId);
        using (var stream = await OpenStream.StartAsync(other.Token, "slow", "[[tokens:500]] one two"))
        {
            await stream.ReadWordsAsync(1);
            (await Backend.App.DeleteAsync($"/v1/sessions/{other.SessionId}")).MustBe(204);
            await stream.RestAsync();
        }
        await MustBeFreeAsync(user);
        var calls = await Barrier.RunIntoAsync(5, 4, (i, prompt) => user.ChatAsync("barrier", prompt, at: Stack.Proxies[i % 2]));
        MustBeTooMany(Assert.Single(calls, call => call.Status != 200), "customer", 4);
        await MustBeFreeAsync(user);
    }

    /// <summary>Slots and money are asked for together, so what is refused for money had its slot.</summary>
    [Theory]
    [InlineData("empty wallet", "wallet_exhausted")]
    [InlineData("frozen wallet", "wallet_frozen")]
    [InlineData("no call credit", "not_enough_queries")]
    [InlineData("ended plan", "plan_ended")]
    public async Task What_nobody_pays_for_takes_no_slot(string why, string code)
    {
        const int Slots = 3;
        var user = await UnpaidAsync(why, Slots);

        for (var round = 0; round < 2; round++)
            Assert.All(
                await Task.WhenAll(Enumerable.Range(0, 2 * Slots).Select(i => user.ChatAsync(
                    "small", Price.Question, at: Stack.Proxies[i % 2]))),
                reply => reply.MustBeProblem(402, code));
        await Eventually.HoldsAsync(async () => await Books.HeldAsync([user]) == 0, "the end of all holds");

        await PayAsync(user, why, Slots);
        foreach (var proxy in Stack.Proxies)
            await Eventually.HoldsAsync(
                async () => (await user.ChatAsync("small", Price.Question, at: proxy)).Status == 200, "an answer", TimeSpan.FromSeconds(1));
        var calls = await Barrier.RunIntoAsync(
            Slots + 1, Slots, (i, prompt) => user.ChatAsync("barrier", prompt, at: Stack.Proxies[i % 2]));
        MustBeTooMany(Assert.Single(calls, call => call.Status != 200), "customer", Slots);
        await MustBeFreeAsync(user);
    }

    static async Task<User> UnpaidAsync(string why, int slots)
    {
        var user = why == "no call credit"
            ? await CreditTests.NewCustomerAsync(standard: 1)
            : await Backend.App.NewUserAsync(why == "empty wallet" ? null : "1");
        (await PutAsync(user, $$"""{"concurrent":{{slots}}}""")).MustBe(200);
        if (why == "no call credit")
        {
            (await user.ChatAsync("small", Price.Question)).MustBe(200);
            await Books.UsageAsync(user, 1); // until it is booked its credit is in use
        }
        if (why == "frozen wallet")
            (await user.Backend.PostAsync($"/v1/wallets/{user.WalletId}/freeze", "{}")).MustBe(200);
        if (why == "ended plan")
            await Books.GivePlanAsync(user, 1_000_000, overagePicos: null, TimeSpan.FromMinutes(-1));
        return user;
    }

    static async Task PayAsync(User user, string why, int slots)
    {
        var reply = why switch
        {
            "empty wallet" => await user.Backend.PostAsync($"/v1/wallets/{user.WalletId}/credit", """{"amount":"1"}"""),
            "frozen wallet" => await user.Backend.PostAsync($"/v1/wallets/{user.WalletId}/unfreeze", "{}"),
            "no call credit" => await user.Backend.PostAsync(
                $"/v1/customers/{user.CustomerId}/balances", """{"type":"standard","amount":9,"op":"credit"}"""),
            _ => await RenewAsync(),
        };
        reply.MustBe(200);

        async Task<Reply> RenewAsync()
        {
            await using var renewal = Books.Sessions.CreateCommand("update customer_plan set ends_at = null where customer_id = $1");
            renewal.Parameters.Add(new() { Value = user.Customer });
            Assert.Equal(1, await renewal.ExecuteNonQueryAsync(Token));
            return await PutAsync(user, $$"""{"concurrent":{{slots}}}"""); // proxies are told that the customer has changed
        }
    }

    [Fact]
    public async Task Calls_of_every_other_kind_and_batches_free_their_slot()
    {
        var user = await LimitedAsync(Backend.Wires, 1);
        foreach (var (path, body) in Kinds)
            foreach (var proxy in Stack.Proxies)
                (await Gateway.SendAsync("POST", path, user.Token, body, proxy)).MustBe(200);
        var keyed = new KeyedCall(user.Token, Chat.Path, Chat.Body("chat-small", Price.Question));
        foreach (var proxy in Stack.Proxies)
            (await keyed.SendAsync(proxy)).MustBe(200);
        await MustBeFreeAsync(user);
    }

    /// <summary>Calls that are no conversation, and a batch.</summary>
    internal static readonly (string Path, string Body)[] Kinds =
    [
        ("/v1/completions", """{"model":"chat-small","prompt":"one two three"}"""),
        ("/v1/embeddings", """{"model":"chat-embedding","input":["one two three"]}"""),
        ("/v1/moderations", """{"model":"moderation","input":"one"}"""),
        ("/v1/images/generations", """{"model":"image","prompt":"a cat"}"""),
        ("/v1/audio/speech", """{"model":"speech","input":"Hello","voice":"alloy"}"""),
        ("/v1beta/models/gemini-embedding:embedContent", """{"content":{"parts":[{"text":"one two three"}]}}"""),
        ("/v1/messages/count_tokens", """{"model":"messages-small","messages":[{"role":"user","content":"one"}]}"""),
        ("/v1/messages/batches", """
            {"requests":[{"custom_id":"a","params":
            {"model":"messages-batch","max_tokens":20,"messages":[{"role":"user","content":"one"}]}}]}
            """),
    ];

    [Theory]
    [InlineData("""{"concurrent":0}""", "concurrent")]
    [InlineData("""{"requestsPerMinute":-1}""", "requestsPerMinute")]
    [InlineData("""{"tokensPerMinute":0}""", "tokensPerMinute")]
    public async Task Rates_that_are_none_are_refused_by_name_and_change_nothing(string rates, string param)
    {
        var user = await LimitedAsync(Backend.App, 1);
        (await PutAsync(user, rates)).MustBeProblem(400, "invalid_value", param);

        var (running, group) = await Barrier.StartAsync(prompt => user.ChatAsync("barrier", prompt));
        MustBeTooMany(await user.ChatAsync("small", Price.Question), "customer", 1);
        await Sandbox.ReleaseAsync(group);
        (await running).MustBe(200);
    }

    static CancellationToken Token => TestContext.Current.CancellationToken;

    internal static async Task<User> LimitedAsync(Backend backend, int concurrent)
    {
        var user = await backend.NewUserAsync();
        var set = (await PutAsync(user, $$"""{"concurrent":{{concurrent}}}""")).MustBe(200).Json;
        Assert.Equal((concurrent, JsonValueKind.Null), (set.Int("concurrent"), set.GetProperty("requestsPerMinute").ValueKind));
        return user;
    }

    static Task<Reply> PutAsync(User user, string rates) => user.Backend.PutAsync($"/v1/customers/{user.CustomerId}/rates", rates);

    internal static void MustBeTooMany(Reply reply, string level, int most)
    {
        var limit = reply.MustBeProblem(429, "concurrent_limit_reached").Json.GetProperty("error").GetProperty("limit");
        Assert.Equal(
            (level, "concurrent", $"{most}", $"{most}", "1", JsonValueKind.Null),
            (limit.Text("level"), limit.Text("unit"), limit.Text("used"), limit.Text("limit"), limit.Text("missing"),
                limit.GetProperty("resets").ValueKind));
        Assert.Equal("1", reply["Retry-After"]);
    }

    /// <summary>The gauge: nothing of the user's registers is held, and no slot was ever used up.</summary>
    internal static async Task MustBeFreeAsync(User user)
    {
        await Eventually.HoldsAsync(async () => await Books.HeldAsync([user]) == 0, "the end of all holds");
        await using var query = Books.Wallet.CreateCommand("select sum(posted)::bigint from account where owner = $1 and kind = 5");
        query.Parameters.Add(new() { Value = user.Customer });
        Assert.Equal(0L, await query.ExecuteScalarAsync(Token));
    }
}
