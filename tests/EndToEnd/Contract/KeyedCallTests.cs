namespace LlmGateway.EndToEnd;

/// <summary>A paid call that is repeated under its <c>Idempotency-Key</c> runs once, at whichever proxy it arrives.</summary>
public sealed class KeyedCallTests
{
    const long Start = 1_000_000_000;

    /// <summary>Headers that say the same of the first answer and of its repetitions.</summary>
    static readonly string[] Same =
    [
        "Content-Type", "X-Request-Id", "request-id", "X-LLMGateway-Cost", "X-LLMGateway-Model", "X-LLMGateway-Provider",
        "X-LLMGateway-Ignored", "Cache-Control",
    ];

    /// <summary>Wires, each with whole answers and streams, of a provider of the same wire and of another one.</summary>
    public static TheoryData<string, string, bool> Conversations()
    {
        var all = new TheoryData<string, string, bool>();
        foreach (var caller in Speaker.All)
            foreach (var provider in (string[])[caller.Name, caller.Name == "messages" ? "chat" : "messages"])
                foreach (var stream in (bool[])[false, true])
                    all.Add(caller.Name, provider, stream);
        return all;
    }

    [Theory, MemberData(nameof(Conversations))]
    public async Task A_repetition_gets_the_same_bytes_and_is_charged_once(string caller, string provider, bool stream)
    {
        var (speaker, model) = (Speaker.Of(caller), $"{provider}-small");
        var (user, tag) = (await Backend.Wires.NewUserAsync(), Sandbox.NewTag());
        var body = speaker.Body(model, $"[[tag:{tag}]] {Price.Question}", stream);

        var first = await MustBeRepeatableAsync(user, new(user.Token, speaker.Path(model, stream), body));

        var said = stream ? speaker.ReadStream(first.Text) : speaker.ReadWhole(first.Json);
        Assert.Equal((20, null), (said.Text.Split(' ').Length, said.Error));
        Assert.Single(await Sandbox.CallsAsync(tag));
    }

    [Theory]
    [InlineData("/v1/completions", """{"model":"chat-small","prompt":"one two three"}""")]
    [InlineData("/v1/embeddings", """{"model":"chat-embedding","input":["one two three","four"]}""")]
    [InlineData("/v1/images/generations", """{"model":"image","prompt":"a cat"}""")]
    [InlineData("/v1/moderations", """{"model":"moderation","input":"one two three"}""")]
    [InlineData("/v1/audio/speech", """{"model":"speech","input":"Hello","voice":"alloy"}""")]
    [InlineData("/v1beta/models/gemini-embedding:embedContent", """{"content":{"parts":[{"text":"one two three four"}]}}""")]
    public async Task Calls_of_every_kind_can_be_repeated(string path, string body)
    {
        var user = await Backend.Wires.NewUserAsync();
        await MustBeRepeatableAsync(user, new(user.Token, path, body));
    }

    [Fact]
    public async Task However_many_arrive_at_once_at_both_proxies_the_provider_is_asked_once()
    {
        var (user, tag) = (await Backend.App.NewUserAsync(), Sandbox.NewTag());
        var call = KeyedCall.Chat(user, "small", Price.Question, Sandbox.Tagged(tag));

        var replies = await Task.WhenAll(Enumerable.Range(0, 40).Select(i => call.SendAsync(Stack.Proxies[i % 2])));

        var answers = replies.Where(reply => reply.Status == 200).ToList();
        Assert.NotEmpty(answers);
        Assert.All(answers, answer => Assert.Equal(answers[0].Bytes, answer.Bytes));
        Assert.Single(answers, answer => answer["Idempotent-Replayed"] is null);
        Assert.All(
            replies.Where(reply => reply.Status != 200),
            reply => Assert.Equal("1", reply.MustBeProblem(409, "idempotency_key_in_use", "Idempotency-Key")["Retry-After"]));
        Assert.Single(await Sandbox.CallsAsync(tag));
        Assert.Equal(Start - 43_000, await user.BalanceAfterAsync(1));
        Assert.Single(await Books.UsageAsync(user));
    }

    [Fact]
    public async Task Of_two_equal_calls_in_the_same_moment_one_runs_however_often_it_is_tried()
    {
        const int pairs = 1_000;
        var (user, tag) = (await Backend.App.NewUserAsync(), Sandbox.NewTag());
        for (var i = 0; i < pairs; i++)
        {
            var call = KeyedCall.Chat(user, "small", Price.Question, Sandbox.Tagged(tag));
            var replies = await Task.WhenAll(Stack.Proxies.Select(call.SendAsync));
            Assert.Single(replies, reply => reply.Status == 200 && reply["Idempotent-Replayed"] is null);
            Assert.All(replies, reply => Assert.True(reply.Status == 200 || KeyedCall.IsInUse(reply), reply.Text));
        }

        Assert.Equal(Start - (pairs * 43_000), await user.BalanceAfterAsync(pairs));
        Assert.Equal(pairs, (await Sandbox.CallsAsync(tag)).Count);
    }

    [Fact]
    public async Task While_a_call_runs_its_repetition_is_told_to_come_again()
    {
        var user = await Backend.App.NewUserAsync();
        KeyedCall? call = null;
        var (running, group) = await Barrier.StartAsync(prompt => (call = KeyedCall.Chat(user, "barrier", prompt)).SendAsync());

        var told = await call!.SendAsync(Stack.Proxy2);
        await Sandbox.ReleaseAsync(group);
        var first = (await running).MustBe(200);

        Assert.Equal("1", told.MustBeProblem(409, "idempotency_key_in_use", "Idempotency-Key")["Retry-After"]);
        Assert.Equal(first.Bytes, (await call.SendAsync(Stack.Proxy2)).MustBe(200).Bytes);
    }

    [Fact]
    public async Task Another_call_under_a_key_that_is_taken_is_refused_and_runs_nothing()
    {
        var user = await Backend.Wires.NewUserAsync();
        var call = new KeyedCall(user.Token, "/v1beta/models/gemini-small:generateContent", Speaker.Of("gemini").Body("", "one", false));
        (await call.SendAsync()).MustBe(200);

        foreach (var other in (KeyedCall[])[call with { Body = call.Body + " " }, call with { Path = call.Path.Replace("small", "agent") }])
            Assert.Contains("idempotency_key_reused", (await other.SendAsync(Stack.Proxy2)).MustBe(422).Text);

        Assert.Single(await Books.UsageAsync(user, 1));
    }

    [Fact]
    public async Task A_key_is_its_customers_its_modes_and_its_routes()
    {
        var (mine, theirs) = (await Backend.App.NewUserAsync(), await Backend.App.NewUserAsync());
        var call = KeyedCall.Chat(mine, "small", Price.Question);
        var first = (await call.SendAsync()).MustBe(200);
        var key = await Backend.App.NewKeyAsync(mine.CustomerId);

        // Another credential of the same customer may repeat the call.
        Assert.Equal("true", (await (call with { Credential = key.Secret }).SendAsync()).MustBe(200)["Idempotent-Replayed"]);
        var other = (await (call with { Credential = theirs.Token }).SendAsync()).MustBe(200);
        Assert.Null(other["Idempotent-Replayed"]);
        Assert.NotEqual(first.RequestId, other.RequestId);
        var elsewhere = call with { Path = "/v1/completions", Body = """{"model":"small","prompt":"one"}""" };
        Assert.Null((await elsewhere.SendAsync()).MustBe(200)["Idempotent-Replayed"]);
        Assert.Equal((2, 1), ((await Books.UsageAsync(mine, 2)).Count, (await Books.UsageAsync(theirs, 1)).Count));
    }

    [Fact]
    public async Task A_call_that_was_refused_or_failed_frees_its_key()
    {
        var user = await Backend.App.NewUserAsync(null);
        var call = KeyedCall.Chat(user, "small", Price.Question);
        var (keyId, narrow) = await Backend.App.NewKeyAsync(user.CustomerId, "\"models\":[\"odd\"]");
        (await (call with { Body = "{" }).SendAsync()).MustBe(400);
        (await (call with { Credential = narrow }).SendAsync()).MustBeProblem(403, "model_not_allowed", "model");
        (await Backend.App.DeleteAsync($"/v1/customers/{user.CustomerId}/keys/{keyId}")).MustBe(204);
        await Eventually.GetAsync(
            () => (call with { Credential = narrow }).SendAsync(), reply => reply.Status == 401, "a refusal", TimeSpan.FromSeconds(1));
        (await call.SendAsync()).MustBe(402);
        await Backend.App.CreditAsync(user.WalletId, "1");
        Assert.Null((await call.SendAsync(Stack.Proxy2)).MustBe(200)["Idempotent-Replayed"]);

        var tag = Sandbox.NewTag();
        var failing = KeyedCall.Chat(user, "error-500", Price.Question, Sandbox.Tagged(tag));
        (await failing.SendAsync()).MustBe(502);
        (await failing.SendAsync(Stack.Proxy2)).MustBe(502);

        Assert.Equal(2, (await Sandbox.CallsAsync(tag)).Count);
        Assert.Equal(Start - 43_000, await user.BalanceAfterAsync(3));

        var limited = await Backend.App.NewUserAsync();
        var limits = $"/v1/customers/{limited.CustomerId}/limits";
        (await Backend.App.PutAsync(limits, """[{"unit":"tokens","amount":1,"cycle":"day"}]""")).MustBe(200);
        var tooLong = KeyedCall.Chat(limited, "small", Price.Question);
        (await tooLong.SendAsync()).MustBeProblem(429, "limit_reached");
        (await Backend.App.PutAsync(limits, "[]")).MustBe(200);
        var answer = await Eventually.GetAsync(
            () => tooLong.SendAsync(Stack.Proxy2), reply => reply.Status != 429, "an answer", TimeSpan.FromSeconds(1));
        Assert.Null(answer.MustBe(200)["Idempotent-Replayed"]);
    }

    [Fact]
    public async Task A_stream_that_broke_off_is_charged_for_what_was_delivered_and_its_repetition_is_a_new_call()
    {
        var user = await Backend.App.NewUserAsync();
        var call = KeyedCall.Chat(user, "cut", Price.Question, "\"stream\":true");

        var first = (await call.SendAsync()).MustBe(200);
        var second = (await call.FinalAsync(Stack.Proxy2)).MustBe(200);

        Assert.NotEqual(first.RequestId, second.RequestId);
        Assert.All(await Books.UsageAsync(user, 2), row => Assert.Equal((Outcome.Interrupted, 23_000L), (row.Outcome, row.Charged)));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Who_hangs_up_finds_the_whole_answer(bool stream)
    {
        var (user, tag) = (await Backend.App.NewUserAsync(), Sandbox.NewTag());
        var call = KeyedCall.Chat(user, "slow", "[[tokens:60]] one two", Sandbox.Tagged(tag) + (stream ? ",\"stream\":true" : ""));
        using (var gone = new CancellationTokenSource())
        {
            var leaving = Gateway.OpenAsync(call.Request(), gone.Token);
            await Sandbox.CallAsync(tag, seen => seen.Outcome == "running", "the provider's call");
            await gone.CancelAsync();
            if (await Record.ExceptionAsync(() => leaving) is null)
                (await leaving).Dispose(); // its head was there
        }

        var answer = (await call.FinalAsync(Stack.Proxy2)).MustBe(200);

        Assert.Equal((60, "true"), (answer.Content.Split(' ').Length, answer["Idempotent-Replayed"]));
        Assert.Equal("completed", Assert.Single(await Sandbox.CallsAsync(tag)).Outcome);
        var row = await Books.OnlyUsageAsync(user);
        Assert.Equal((answer.RequestId, Outcome.Aborted, "drained"), (row.RequestId, row.Outcome, row.Reason));
        Assert.Equal((3 * Price.Input + 60 * Price.Output, Start - row.Charged), (row.Charged, await user.BalanceAsync()));
    }

    [Theory]
    [InlineData("")]
    [InlineData("a key of more than 255 characters")]
    public async Task A_key_that_cannot_be_stored_is_refused_by_name(string key)
    {
        var user = await Backend.App.NewUserAsync();
        var call = KeyedCall.Chat(user, "small", Price.Question) with { Key = key.Length > 20 ? key.PadRight(256) + "." : key };
        (await call.SendAsync()).MustBeProblem(400, "invalid_value", "Idempotency-Key");
        Assert.Empty(await Books.UsageAsync(user));
    }

    /// <summary>The first answer, after it was found to be that of every repetition.</summary>
    static async Task<Reply> MustBeRepeatableAsync(User user, KeyedCall call)
    {
        var first = (await call.SendAsync()).MustBe(200);
        foreach (var proxy in Stack.Proxies)
        {
            var again = (await call.SendAsync(proxy)).MustBe(200);
            Assert.Equal(first.Bytes, again.Bytes);
            Assert.All(Same, header => Assert.Equal(first[header], again[header]));
            Assert.Equal((null, "true"), (first["Idempotent-Replayed"], again["Idempotent-Replayed"]));
        }
        var row = await Books.OnlyUsageAsync(user);
        Assert.Equal((first.RequestId, Outcome.Completed), (row.RequestId, row.Outcome));
        Assert.Equal(Start - row.Charged, await user.BalanceAsync());
        return first;
    }
}
