namespace LlmGateway.EndToEnd;

/// <summary>Runs alone and after all other tests, because every test needs the processes that are stopped here.</summary>
[CollectionDefinition(nameof(Outages), DisableParallelization = true)]
public sealed class Outages;

/// <summary>
/// What callers get and what is charged while a server or a service of the stack is down. Afterwards the books must be right.
/// </summary>
[Collection(nameof(Outages))]
public sealed partial class OutageTests : IAsyncLifetime
{
    const long Start = 1_000_000_000, Cost = Price.OfQuestion + Price.OfAnswer;

    static Uri[] Proxies => Stack.Proxies;

    static CancellationToken Token => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() => await Books.WaitUntilRightAsync();

    public async ValueTask DisposeAsync() => await Books.WaitUntilRightAsync();

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Without_Redis_calls_are_served_and_charged_and_limits_of_money_hold(bool frozen)
    {
        var user = await Backend.App.NewUserAsync();
        var limited = await Backend.App.NewUserAsync(Gateway.Usd(132_000));
        await user.LimitAsync(requestsPerMinute: 1, tokensPerMinute: null);

        await using (await (frozen ? Outage.FreezeAsync("redis") : Outage.StopAsync("redis")))
        {
            foreach (var proxy in Proxies)
            {
                // Without Redis nobody is refused for a rate.
                (await user.ChatAsync("small", Price.Question, at: proxy)).MustBe(200);
                (await user.StreamAsync("small", Price.Question, at: proxy)).MustBe(200);
            }
            (await limited.ChatAsync("narrow", Price.Question)).MustBe(200);
            (await limited.ChatAsync("narrow", Price.Question)).MustBeProblem(402, "wallet_exhausted");
            await Backend.App.MintAsync($"user-{Guid.NewGuid():N}");
            Assert.Equal(Start - 4 * Cost, await user.BalanceAfterAsync(4));
        }

        // Limited again as soon as Redis is back: the first request that it counts is the only one of this minute.
        await Eventually.GetAsync(
            () => user.ChatAsync("small", Price.Question),
            reply => reply["X-RateLimit-Remaining-Requests"] == "0",
            "a request that Redis counts",
            TimeSpan.FromSeconds(10));
        (await user.ChatAsync("small", Price.Question)).MustBeProblem(429, "rate_limit_exceeded");
    }

    [Fact]
    public async Task Without_Redis_a_revocation_takes_five_seconds_at_most()
    {
        var user = await Backend.App.NewUserAsync();
        foreach (var proxy in Proxies)
            (await user.ChatAsync("small", Price.Question, at: proxy)).MustBe(200);

        await using var outage = await Outage.StopAsync("redis");
        (await Backend.App.DeleteAsync($"/v1/sessions/{user.SessionId}")).MustBe(204);

        foreach (var proxy in Proxies)
        {
            var refused = await Eventually.GetAsync(
                () => user.ChatAsync("small", Price.Question, at: proxy),
                reply => reply.Status != 200,
                "the refusal",
                TimeSpan.FromSeconds(5));
            refused.MustBeProblem(401, "revoked");
        }
    }

    [Fact]
    public async Task Without_Redis_a_revoked_secret_key_and_another_price_take_five_seconds_at_most()
    {
        var (user, backend) = (await Backend.Managed.NewUserAsync(), Backend.Managed);
        var made = (await backend.PostAsync("/v1/secret-keys", """{"name":"to be revoked"}""")).MustBe(201).Json;
        var (model, key) = ($"model-{Guid.NewGuid():N}", made.Text("key"));
        string Priced(string perRequest) => $$$"""
            {"provider":"sandbox","upstreamModel":"sandbox-small","contextTokens":100,"maxOutputTokens":16,
             "prices":{"perRequest":"{{{perRequest}}}","input":"0","output":"0"}}
            """;
        (await backend.PutAsync($"/v1/models/{model}", Priced("0.001"))).MustBe(200);
        foreach (var proxy in Proxies)
        {
            await Eventually.GetAsync(
                () => user.ChatAsync(model, Price.Question, at: proxy), reply => reply["X-LLMGateway-Cost"] == "0.001", "the first price");
            (await Gateway.SendAsync("GET", "/v1/customers?limit=1", key, at: proxy)).MustBe(200);
        }

        await using var outage = await Outage.StopAsync("redis");
        (await backend.DeleteAsync($"/v1/secret-keys/{made.Text("id")}")).MustBe(204);
        (await backend.PutAsync($"/v1/models/{model}", Priced("0.002"))).MustBe(200);

        foreach (var proxy in Proxies)
        {
            (await Eventually.GetAsync(
                () => Gateway.SendAsync("GET", "/v1/customers?limit=1", key, at: proxy), reply => reply.Status != 200, "the refusal",
                TimeSpan.FromSeconds(5))).MustBeProblem(401, "revoked");
            await Eventually.GetAsync(
                () => user.ChatAsync(model, Price.Question, at: proxy), reply => reply["X-LLMGateway-Cost"] == "0.002", "the second price",
                TimeSpan.FromSeconds(5));
        }
    }

    [Fact]
    public async Task Without_Redis_a_revoked_session_s_stream_still_ends_and_is_charged_for_what_was_delivered()
    {
        var user = await Backend.App.NewUserAsync();
        using var stream = await OpenStream.StartAsync(user.Token, "slow", "[[tokens:900]] one two"); // 45 seconds, unless it is ended
        await stream.ReadWordsAsync(3);

        await using var outage = await Outage.StopAsync("redis");
        (await Backend.App.DeleteAsync($"/v1/sessions/{user.SessionId}")).MustBe(204);
        var rest = await stream.RestAsync();

        Assert.Contains("\"revoked\"", rest[^2]);
        var row = await Books.OnlyUsageAsync(user);
        Assert.Equal((Outcome.Aborted, "revoked"), (row.Outcome, row.Reason));
        Assert.InRange(row.OutputTokens, 3, 899);
        // "[[tokens:900]]" is, by our own estimate, three rows of signs, a word and a number.
        Assert.Equal((5 + 2) * Price.Input + row.OutputTokens * Price.Output, row.Charged);
    }

    [Fact]
    public async Task Without_RabbitMQ_calls_are_served_and_charged_when_it_is_back()
    {
        var user = await Backend.App.NewUserAsync();

        await using (await Outage.StopAsync("rabbitmq"))
        {
            for (var i = 0; i < 6; i++)
                (await user.ChatAsync("small", Price.Question, at: Proxies[i % 2])).MustBe(200);
            await Backend.App.MintAsync($"user-{Guid.NewGuid():N}");
            Assert.Equal(Start, await user.BalanceAsync());
        }

        Assert.Equal(Start - 6 * Cost, await user.BalanceAfterAsync(6));
    }

    [Fact]
    public async Task Without_PostgreSQL_callers_get_503_never_401_and_nothing_is_charged()
    {
        var (known, unknown, streaming) =
            (await Backend.App.NewUserAsync(), await Backend.App.NewUserAsync(), await Backend.App.NewUserAsync());
        foreach (var proxy in Proxies)
            (await Gateway.SendAsync("GET", "/v1/models", known.Token, at: proxy)).MustBe(200);
        using var stream = await OpenStream.StartAsync(streaming.Token, "slow", "[[tokens:60]] one two");
        await stream.ReadWordsAsync(1);

        await using (await Outage.StopAsync("postgres"))
        {
            foreach (var proxy in Proxies)
                MustBeUnavailable(await known.ChatAsync("small", Price.Question, at: proxy));
            MustBeUnavailable(await unknown.ChatAsync("small", Price.Question));
            MustBeUnavailable(await unknown.StreamAsync("small", Price.Question));
            MustBeUnavailable(await unknown.OwnBalanceAsync());
            MustBeUnavailable(await Gateway.SendAsync("POST", "/v1/sessions/refresh", unknown.Token));
            MustBeUnavailable(await Backend.App.PostAsync("/v1/sessions", """{"customer":"x"}"""));
            MustBeUnavailable(await Backend.App.PostAsync($"/v1/wallets/{known.WalletId}/credit", """{"amount":"1"}"""));
            // A malformed credential is refused without the database.
            (await Chat.AskAsync("garbage", "small", Price.Question)).MustBeProblem(401, "invalid_api_key");
            // Running streams are not disturbed.
            Assert.Equal("[DONE]", (await stream.RestAsync())[^1]);
        }

        foreach (var user in (User[])[known, unknown])
        {
            (await user.ChatAsync("small", Price.Question)).MustBe(200);
            Assert.Equal(Start - Cost, await user.BalanceAfterAsync(1));
        }
        // The stream reported 60 tokens and three words.
        Assert.Equal(Start - 3 * Price.Input - 60 * Price.Output, await streaming.BalanceAfterAsync(1));
    }

    [Fact]
    public async Task A_proxy_that_is_killed_after_its_answers_loses_no_charge_and_doubles_none()
    {
        var user = await Backend.App.NewUserAsync();

        for (var i = 0; i < 5; i++)
            (await user.ChatAsync("small", Price.Question, at: Stack.Proxy2)).MustBe(200);
        await Outage.KillAsync("proxy2");

        Assert.Equal(Start - 5 * Cost, await user.BalanceAfterAsync(5));
        await Books.EndLeasesAsync(user);
    }

    [Fact]
    public async Task Without_the_wallet_service_a_known_customer_gets_a_session_whose_cap_holds_when_it_is_back()
    {
        var user = await Backend.App.NewUserAsync();
        User capped;
        await using (await Outage.StopAsync("wallet"))
            capped = await Backend.App.MintAsync(user.ExternalId, $$"""
                "scope":{"maxSpend":"{{Gateway.Usd(AdmissionTests.UpperBound + 35_000)}}"}
                """);

        foreach (var proxy in Proxies)
            (await capped.ChatAsync("narrow", Price.Question, at: proxy)).MustBe(200);
        // Until both are booked, what they hold may still come back: then "later" is an answer, too.
        await user.BalanceAfterAsync(2);
        foreach (var proxy in Proxies)
        {
            var refused = (await capped.ChatAsync("narrow", Price.Question, at: proxy)).MustBeProblem(402, "session_cap");
            var limit = refused.Json.GetProperty("error").GetProperty("limit");
            Assert.Equal(("session", "0.00007", "0.000167"), (limit.Text("level"), limit.Text("used"), limit.Text("limit")));
        }
        Assert.Equal(Start - (2 * 35_000), await user.BalanceAfterAsync(2));
    }

    [Fact]
    public async Task Charges_that_only_the_dead_proxy_knew_arrive_once_although_their_lease_is_over()
    {
        var user = await Backend.App.NewUserAsync();

        await using (await Outage.StopAsync("rabbitmq"))
        {
            for (var i = 0; i < 5; i++)
                (await user.ChatAsync("small", Price.Question, at: Stack.Proxy2)).MustBe(200);
            await Outage.KillAsync("proxy2");
            await Books.EndLeasesAsync(user);
            Assert.Equal(Start, await user.BalanceAsync());
        }

        Assert.Equal(Start - 5 * Cost, await user.BalanceAfterAsync(5));
    }

    [Fact]
    public async Task While_the_wallet_service_dies_every_answer_is_charged_once_and_no_refusal_is()
    {
        var user = await Backend.App.NewUserAsync();
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Token);

        var callers = Enumerable.Range(0, 8).Select(i => CallUntilAsync(user, Proxies[i % 2], stop.Token)).ToArray();
        await Outage.KillAsync("wallet");
        await stop.CancelAsync();
        var replies = (await Task.WhenAll(callers)).SelectMany(reply => reply).ToList();

        Assert.All(replies.Where(reply => reply.Status != 200), MustBeUnavailable);
        var answered = replies.Count(reply => reply.Status == 200);
        Assert.NotEqual(0, answered);
        Assert.Equal(Start - answered * Cost, await user.BalanceAfterAsync(answered));
        // The dead service may have granted leases in answers that were lost.
        await Books.EndLeasesAsync(user);
    }

    [Fact]
    public async Task While_the_sessions_service_restarts_known_callers_are_served_and_its_seed_changes_nothing()
    {
        var user = await Backend.App.NewUserAsync();
        foreach (var proxy in Proxies)
            (await user.ChatAsync("small", Price.Question, at: proxy)).MustBe(200);
        var before = await SeededAsync();

        await using (await Outage.StopAsync("sessions"))
        {
            foreach (var proxy in Proxies)
                (await user.ChatAsync("small", Price.Question, at: proxy)).MustBe(200);
            MustBeUnavailable(await Backend.App.PostAsync("/v1/sessions", """{"customer":"x"}"""));
        }

        Assert.Equal(before, await SeededAsync());
        Assert.Equal(Start - 4 * Cost, await user.BalanceAfterAsync(4));

        static async Task<string> SeededAsync() => (await Backend.App.GetAsync("/v1/customers?search=seeded@example.com")).MustBe(200).Text;
    }

    [Fact]
    public async Task While_the_wallet_service_is_away_a_deleted_customer_is_locked_out_and_erased_when_it_is_back()
    {
        var user = await Backend.App.NewUserAsync(null);
        (await Backend.App.PostAsync($"/v1/wallets/{user.WalletId}/credit", """{"amount":"1","reason":"for jane"}""")).MustBe(200);
        (await user.ChatAsync("small", Price.Question)).MustBe(200);
        await Books.UsageAsync(user, 1);
        await using (await Outage.StopAsync("wallet"))
        {
            MustBeUnavailable(await Backend.App.DeleteAsync($"/v1/customers/{user.CustomerId}"));
            await Eventually.HoldsAsync(
                async () => (await user.ChatAsync("small", Price.Question)).Status == 401, "a refusal", TimeSpan.FromSeconds(1));
        }

        (await Backend.App.DeleteAsync($"/v1/customers/{user.CustomerId}")).MustBe(204);

        await Eventually.GetAsync(
            () => Books.MentionsAsync("for jane", user), mentions => mentions.Count == 0, "the end of all mentions");
        Assert.Equal(Start - Cost, await user.BalanceAsync());
    }

    [Fact]
    public async Task While_the_sessions_service_is_down_an_answer_says_that_it_is_not_kept_and_none_is_continued()
    {
        var user = await Backend.App.NewUserAsync();
        var kept = (await AskAsync("\"input\":\"one\"")).MustBe(200).Json;

        await using (await Outage.StopAsync("sessions"))
        {
            Assert.False((await AskAsync("\"input\":\"one\"")).MustBe(200).Json.GetProperty("store").GetBoolean());
            MustBeUnavailable(await AskAsync($"\"input\":\"one\",\"previous_response_id\":\"{kept.Text("id")}\""));
        }

        Assert.True(kept.GetProperty("store").GetBoolean());
        (await AskAsync($"\"input\":\"one\",\"previous_response_id\":\"{kept.Text("id")}\"")).MustBe(200);
        Assert.Equal(3, (await Books.UsageAsync(user, 3)).Count);

        Task<Reply> AskAsync(string members) =>
            Gateway.SendAsync("POST", "/v1/responses", user.Token, $$"""{"model":"small",{{members}}}""");
    }

    [Fact]
    public async Task A_stream_whose_proxy_dies_before_its_first_checkpoint_ends_uncharged()
    {
        var user = await Backend.App.NewUserAsync();
        using var stream = await OpenStream.StartAsync(user.Token, "slow", "[[tokens:500]] one two", at: Stack.Proxy2);
        await stream.ReadWordsAsync(1);

        await Outage.KillAsync("proxy2");

        var row = await Books.OnlyUsageAsync(user);
        Assert.Equal((Outcome.Failed, 0L, 0L, "crashed"), (row.Outcome, row.Cost, row.Charged, row.Reason));
        (await user.ChatAsync("small", Price.Question, at: Stack.Proxy2)).MustBe(200);
        Assert.Equal(Start - Cost, await user.BalanceAfterAsync(2));
    }

    [Fact]
    public async Task A_stream_whose_proxy_dies_is_charged_for_what_had_been_delivered_by_its_last_checkpoint()
    {
        var user = await Backend.App.NewUserAsync();
        var tag = Sandbox.NewTag();
        using var stream = await OpenStream.StartAsync(user.Token, "slow", "[[tokens:500]] one two", Sandbox.Tagged(tag), at: Stack.Proxy2);
        // At 20 words a second, a checkpoint every two seconds.
        await stream.ReadWordsAsync(50);

        await Outage.KillAsync("proxy2");

        var row = await Books.OnlyUsageAsync(user);
        var call = await Sandbox.CallAsync(tag, seen => seen.Outcome == "aborted", "the abort at the provider");
        Assert.Equal((Outcome.Interrupted, true, "crashed"), (row.Outcome, row.Estimated, row.Reason));
        Assert.InRange(row.OutputTokens, 10, call.TokensOut);
        Assert.Equal((5 + 2) * Price.Input + row.OutputTokens * Price.Output, row.Charged); // as above
        Assert.Equal(Start - row.Charged, await user.BalanceAfterAsync(1));
    }

    [Fact]
    public async Task What_a_dead_proxy_held_can_be_spent_as_soon_as_it_is_back()
    {
        // The request that hangs holds everything that the wallet has.
        var user = await Backend.App.NewUserAsync("0.002");
        var tag = Sandbox.NewTag();
        var hanging = Gateway.OpenAsync(
            Gateway.Request("POST", Chat.Path, user.Token, Chat.Body("hang", Price.Question, Sandbox.Tagged(tag)), Stack.Proxy2),
            Token);
        await Sandbox.CallAsync(tag, seen => seen.Outcome == "running", "the provider's call");
        (await user.ChatAsync("small", Price.Question)).MustBeProblem(429, "balance_held");

        await Outage.KillAsync("proxy2");

        await Assert.ThrowsAsync<HttpRequestException>(() => hanging);
        await Eventually.GetAsync(() => user.ChatAsync("small", Price.Question), reply => reply.Status == 200, "the end of the hold");
    }

    static async Task<List<Reply>> CallUntilAsync(User user, Uri proxy, CancellationToken stop)
    {
        var replies = new List<Reply>();
        while (!stop.IsCancellationRequested)
            replies.Add(await user.ChatAsync("small", Price.Question, at: proxy));
        return replies;
    }

    static void MustBeUnavailable(Reply reply)
    {
        reply.MustBeProblem(503, "dependency_unavailable");
        Assert.NotNull(reply["Retry-After"]);
    }
}
