using System.Text.Json;

namespace LlmGateway.EndToEnd;

/// <summary>What is charged, and what the caller is told, when a provider misbehaves or a caller leaves.</summary>
public sealed class FaultTests
{
    const long Start = 1_000_000_000;

    [Theory]
    [InlineData("nousage", "usage_missing")]
    [InlineData("badusage-negative", "usage_negative")]
    [InlineData("badusage-zero", "usage_zero")]
    [InlineData("badusage-huge", "usage_absurd")]
    public async Task Usage_that_is_missing_or_impossible_is_counted_here_and_marked(string model, string reason)
    {
        var user = await Backend.App.NewUserAsync();

        var whole = (await user.ChatAsync(model, Price.Question)).MustBe(200);
        (await user.StreamAsync(model, Price.Question)).MustBe(200);

        Assert.Equal("0.000043", whole["X-LLMGateway-Cost"]);
        Assert.All(await Books.UsageAsync(user, 2), row =>
            Assert.Equal((3L, 20L, 43_000L, true, reason), (row.InputTokens, row.OutputTokens, row.Charged, row.Estimated, row.Reason)));
        Assert.Equal(Start - 2 * 43_000, await user.BalanceAfterAsync(2));
    }

    [Fact]
    public async Task A_total_beyond_its_parts_is_charged_as_output()
    {
        var user = await Backend.App.NewUserAsync();

        (await user.ChatAsync("badusage-sum", Price.Question)).MustBe(200);

        var row = await Books.OnlyUsageAsync(user);
        Assert.Equal(
            (27, 3_000 + 27 * 2_000, false, "usage_total_exceeds_parts"),
            (row.OutputTokens, row.Charged, row.Estimated, row.Reason));
    }

    [Fact]
    public async Task Of_two_usage_reports_the_last_one_counts()
    {
        var user = await Backend.App.NewUserAsync();

        var reply = (await user.StreamAsync("twousage", Price.Question)).MustBe(200);

        Assert.DoesNotContain("\"usage\"", reply.Text);
        Assert.Equal(43_000, (await Books.OnlyUsageAsync(user)).Charged);
    }

    [Theory]
    [InlineData("nodone")]
    [InlineData("bigline")]
    [InlineData("trickle")]
    public async Task Odd_but_whole_streams_are_charged_as_usual_and_end_properly(string model)
    {
        var user = await Backend.App.NewUserAsync();

        var reply = (await user.StreamAsync(model, Price.Question)).MustBe(200);

        Assert.Equal("[DONE]", reply.Events.Last());
        Assert.Equal(20, reply.Content.Split(' ').Length);
        var row = await Books.OnlyUsageAsync(user);
        Assert.Equal((Outcome.Completed, 43_000, false), (row.Outcome, row.Charged, row.Estimated));
    }

    [Fact]
    public async Task A_provider_that_does_not_know_stream_options_is_asked_again_without()
    {
        var user = await Backend.App.NewUserAsync();
        var tag = Sandbox.NewTag();

        var reply = (await user.StreamAsync("nostreamoptions", Price.Question, Sandbox.Tagged(tag))).MustBe(200);

        Assert.Equal(20, reply.Content.Split(' ').Length);
        Assert.Collection(await Sandbox.CallsAsync(tag),
            first => Assert.Contains("stream_options", first.Body),
            second => Assert.DoesNotContain("stream_options", second.Body));
        var row = await Books.OnlyUsageAsync(user);
        Assert.Equal((43_000, true, "usage_missing"), (row.Charged, row.Estimated, row.Reason));
    }

    [Fact]
    public async Task A_stream_that_is_cut_is_charged_for_what_was_delivered_and_ends_in_an_error()
    {
        var user = await Backend.App.NewUserAsync();

        var reply = (await user.StreamAsync("cut", Price.Question)).MustBe(200);

        var events = reply.Events.ToList();
        Assert.Equal("[DONE]", events[^1]);
        var error = JsonSerializer.Deserialize<JsonElement>(events[^2]);
        Assert.Equal("upstream_interrupted", error.GetProperty("error").Text("code"));
        Assert.Equal(reply["X-Request-Id"], error.Text("requestId"));
        Assert.Equal(10, reply.Content.Split(' ').Length);

        var row = await Books.OnlyUsageAsync(user);
        Assert.Equal(
            (Outcome.Interrupted, 3L, 10L, 3_000L + 10 * 2_000, true),
            (row.Outcome, row.InputTokens, row.OutputTokens, row.Charged, row.Estimated));
        Assert.Equal(Start - 23_000, await user.BalanceAfterAsync(1));
    }

    [Theory]
    [InlineData("cut", false, 502, "upstream_interrupted")]
    [InlineData("cut-early", false, 502, "upstream_unreachable")]
    [InlineData("cut-early", true, 502, "upstream_unreachable")]
    [InlineData("html", false, 502, "upstream_malformed")]
    [InlineData("html", true, 502, "upstream_malformed")]
    [InlineData("error-401", false, 502, "upstream_auth")]
    [InlineData("error-429", true, 429, "upstream_rate_limited")]
    [InlineData("error-500", false, 502, "upstream_error")]
    [InlineData("error-503", true, 503, "upstream_error")]
    [InlineData("error-529", false, 503, "upstream_error")]
    [InlineData("retried-error-503", false, 503, "upstream_error")]
    [InlineData("impatient-hang", false, 504, "upstream_timeout")]
    [InlineData("impatient-hang", true, 504, "upstream_timeout")]
    [InlineData("unreachable", false, 502, "upstream_unreachable")]
    [InlineData("bad-key", true, 502, "upstream_auth")]
    public async Task A_provider_that_fails_before_its_first_word_is_not_charged(string model, bool stream, int status, string code)
    {
        var user = await Backend.App.NewUserAsync();

        var reply = await (stream ? user.StreamAsync(model, Price.Question) : user.ChatAsync(model, Price.Question));

        reply.MustBeProblem(status, code);
        Assert.DoesNotContain("sk-", reply.Text);
        if (status is 429 or 503)
            Assert.NotNull(reply["Retry-After"]);
        var row = await Books.OnlyUsageAsync(user);
        Assert.Equal((Outcome.Failed, status, 0L, 0L, code), (row.Outcome, row.Status, row.Cost, row.Charged, row.Reason));
        Assert.Equal(Start, await user.BalanceAfterAsync(1));
    }

    [Theory]
    [InlineData("error-400", 400)]
    [InlineData("error-404", 404)]
    public async Task A_mistake_that_the_provider_finds_is_told_in_its_words(string model, int status)
    {
        var user = await Backend.App.NewUserAsync();

        var reply = (await user.ChatAsync(model, Price.Question)).MustBe(status);

        var direct = await Sandbox.AskAsync(Chat.Body($"sandbox-small-{model}", Price.Question));
        Assert.Equal(direct.Json.GetProperty("error").Text("message"), reply.Json.Text("message"));
        Assert.Equal(0, (await Books.OnlyUsageAsync(user)).Charged);
    }

    [Theory]
    [InlineData("retried-error-503", 3)] // retries: 2
    [InlineData("retried-error-400", 1)]
    [InlineData("error-503", 1)] // retries: 0
    public async Task Only_the_provider_s_own_failures_are_tried_again_as_often_as_configured(string model, int attempts)
    {
        var user = await Backend.App.NewUserAsync();
        var tag = Sandbox.NewTag();

        await user.ChatAsync(model, Price.Question, Sandbox.Tagged(tag));

        Assert.Equal(attempts, (await Sandbox.CallsAsync(tag)).Count);
        Assert.Equal(0, (await Books.OnlyUsageAsync(user)).Charged);
    }

    [Fact]
    public async Task A_provider_that_exceeds_the_limit_costs_the_caller_at_most_what_was_held()
    {
        // The model reads ten tokens at most; ten are asked, twenty come.
        const long held = 10 * Price.Input + 10 * Price.Output;
        const long cost = 3 * Price.Input + 20 * Price.Output;
        var user = await Backend.App.NewUserAsync(Gateway.Usd(held));

        (await user.ChatAsync("overrun", Price.Question, "\"max_tokens\":10")).MustBe(200);

        var row = await Books.OnlyUsageAsync(user);
        Assert.Equal((cost, held, cost - held, "capped"), (row.Cost, row.Charged, row.Absorbed, row.Reason));
        Assert.Equal(0, await user.BalanceAfterAsync(1));
    }

    [Theory]
    [InlineData("hang", true)]
    [InlineData("hang", false)]
    [InlineData("slow", false)]
    public async Task Who_leaves_before_the_first_word_pays_for_the_input_and_the_provider_is_told_to_stop(string model, bool stream)
    {
        var user = await Backend.App.NewUserAsync();
        var tag = Sandbox.NewTag();
        var body = Chat.Body(model, Price.Question, (stream ? "\"stream\":true," : "") + Sandbox.Tagged(tag));
        using var leaves = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);

        var call = Gateway.OpenAsync(Gateway.Request("POST", Chat.Path, user.Token, body), leaves.Token);
        await Sandbox.CallAsync(tag, seen => seen.Outcome == "running", "the provider's call");
        await leaves.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => call);
        await Sandbox.CallAsync(tag, seen => seen.Outcome == "aborted", "the abort at the provider");
        var row = await Books.OnlyUsageAsync(user);
        Assert.Equal(
            (Outcome.Aborted, 3L, 0L, 3_000L, true, "aborted"),
            (row.Outcome, row.InputTokens, row.OutputTokens, row.Charged, row.Estimated, row.Reason));
        Assert.Equal(Start - 3_000, await user.BalanceAfterAsync(1));
    }

    [Fact]
    public async Task Who_leaves_in_the_middle_of_a_stream_pays_for_what_had_been_delivered_and_the_provider_is_told_to_stop()
    {
        var user = await Backend.App.NewUserAsync();
        var tag = Sandbox.NewTag();

        using (var stream = await OpenStream.StartAsync(user.Token, "slow", "[[tokens:500]] one two", Sandbox.Tagged(tag)))
            await stream.ReadWordsAsync(5);

        var call = await Sandbox.CallAsync(tag, seen => seen.Outcome == "aborted", "the abort at the provider");
        var row = await Books.OnlyUsageAsync(user);
        Assert.Equal((Outcome.Aborted, true, "aborted"), (row.Outcome, row.Estimated, row.Reason));
        Assert.InRange(row.OutputTokens, 5, call.TokensOut);
        Assert.True(call.TokensOut < 250, $"the provider went on to {call.TokensOut} tokens");
        // "[[tokens:500]]" is, by our own estimate, three rows of signs, a word and a number.
        Assert.Equal((5 + 2) * Price.Input + row.OutputTokens * Price.Output, row.Charged);
        Assert.Equal(Start - row.Charged, await user.BalanceAfterAsync(1));
    }

    /// <summary>Whenever somebody leaves, what it cost is there by the request's id, and nothing is held for it any more.</summary>
    [Theory]
    [InlineData(1)]
    [InlineData(10)]
    [InlineData(60)]
    public async Task Who_leaves_after_any_word_pays_for_the_words_before_it_and_can_read_afterwards_what_that_was(int words)
    {
        const int most = 500;
        var user = await Backend.App.NewUserAsync();

        using (var stream = await OpenStream.StartAsync(user.Token, "slow", $"[[tokens:{most}]] one two", $"\"max_tokens\":{most}"))
            await stream.ReadWordsAsync(words);

        var row = await Books.OnlyUsageAsync(user);
        Assert.InRange(row.OutputTokens, words, most);
        Assert.InRange(row.Charged, words * Price.Output, (most * Price.Output) + (100 * Price.Input));
        var shown = (await Backend.App.GetAsync($"/v1/usage/requests/req_{row.RequestId:N}")).MustBe(200).Json;
        Assert.Equal(("aborted", Gateway.Usd(row.Charged)), (shown.Text("outcome"), shown.Text("charged")));
        await Eventually.HoldsAsync(async () => await Books.HeldAsync([user]) == 0, "nothing that is held");
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_provider_that_bills_whole_answers_anyway_is_drained_for_who_leaves_and_its_own_count_is_charged(bool stream)
    {
        var user = await Backend.App.NewUserAsync();
        var tag = Sandbox.NewTag();
        var body = Chat.Body("drained-slow", Price.Question, (stream ? "\"stream\":true," : "") + Sandbox.Tagged(tag));
        using var leaves = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);

        var call = Gateway.OpenAsync(Gateway.Request("POST", Chat.Path, user.Token, body), leaves.Token);
        await Sandbox.CallAsync(tag, seen => seen.Outcome == "running", "the provider's call");
        await leaves.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => call);
        await Sandbox.CallAsync(tag, seen => seen.Outcome == "completed", "the whole answer of the provider");
        var row = await Books.OnlyUsageAsync(user);
        Assert.Equal(
            (Outcome.Aborted, 3L, 20L, false, "drained"),
            (row.Outcome, row.InputTokens, row.OutputTokens, row.Estimated, row.Reason));
        Assert.Equal(Start - Price.OfQuestion - Price.OfAnswer, await user.BalanceAfterAsync(1));
    }

    [Fact]
    public async Task Dropping_the_usage_event_saves_nothing()
    {
        var user = await Backend.App.NewUserAsync();

        using (var stream = await OpenStream.StartAsync(user.Token, "small", Price.Question))
            await stream.ReadWordsAsync(20);

        var row = await Books.OnlyUsageAsync(user);
        Assert.Equal(43_000, row.Charged);
    }
}
