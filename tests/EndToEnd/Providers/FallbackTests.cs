namespace LlmGateway.EndToEnd;

/// <summary>
/// Models that two providers offer: the first, on the chat wire, has the fault of its name; the second, on Anthropic's, is sound and dearer
/// ($3 and $4 per million tokens).
/// </summary>
public sealed class FallbackTests
{
    const long AtSecond = 3 * 3_000 + 20 * 4_000;

    [Theory]
    [InlineData("fallback", 502)]
    [InlineData("fallback-429", 429)]
    [InlineData("fallback-401", 502)]
    [InlineData("fallback-early", 502)]
    [InlineData("fallback-html", 502)]
    public async Task A_second_provider_takes_over_and_the_customer_pays_once(string model, int failed)
    {
        foreach (var stream in (bool[])[false, true])
        {
            var user = await Backend.Wires.NewUserAsync();

            var reply = (await Chat.AskAsync(user.Token, model, Price.Question, stream ? "\"stream\":true" : null)).MustBe(200);

            Assert.Equal((20, "messages"), (reply.Content.Split(' ').Length, reply["X-LLMGateway-Provider"]));
            var rows = await Books.UsageAsync(user, 2);
            var first = Assert.Single(rows, row => row.RequestId != reply.RequestId);
            var second = Assert.Single(rows, row => row.RequestId == reply.RequestId);
            Assert.Equal((Outcome.Failed, failed, 0, reply.RequestId), (first.Outcome, first.Status, first.Charged, first.AttemptOf));
            Assert.Equal((Outcome.Completed, 200, AtSecond, null), (second.Outcome, second.Status, second.Charged, second.AttemptOf));
            Assert.Equal(1_000_000_000 - AtSecond, await user.BalanceAfterAsync(2));
        }
    }

    [Fact]
    public async Task After_the_first_content_nobody_takes_over()
    {
        var user = await Backend.Wires.NewUserAsync();

        var reply = (await Chat.AskAsync(user.Token, "fallback-late", Price.Question, "\"stream\":true")).MustBe(200);

        Assert.Contains("The provider broke off its answer.", reply.Text);
        Assert.Equal(
            (Outcome.Interrupted, 3 * Price.Input + 10 * Price.Output),
            ((await Books.OnlyUsageAsync(user)).Outcome, (await Books.OnlyUsageAsync(user)).Charged));
    }

    [Fact]
    public async Task The_caller_s_own_mistake_is_not_tried_elsewhere()
    {
        var user = await Backend.Wires.NewUserAsync();
        (await Chat.AskAsync(user.Token, "fallback-400", Price.Question)).MustBe(400);
        Assert.Equal((Outcome.Failed, 0), ((await Books.OnlyUsageAsync(user)).Outcome, (await Books.OnlyUsageAsync(user)).Charged));
    }

    /// <summary>Skyvern-AI/skyvern #4152: an outage was told as a mistake of the caller, which no program tries again.</summary>
    [Theory]
    [InlineData("fallback", 502, "upstream_error")]
    [InlineData("fallback-429", 429, "upstream_rate_limited")]
    [InlineData("fallback-401", 502, "upstream_auth")]
    [InlineData("fallback-html", 502, "upstream_malformed")]
    public async Task A_provider_that_cannot_be_asked_does_not_hide_why_the_one_before_it_failed(string model, int status, string code)
    {
        foreach (var stream in (bool[])[false, true])
        {
            var user = await Backend.Wires.NewUserAsync();
            // The second provider's wire gives one answer to a question.
            var reply = await Chat.AskAsync(user.Token, model, Price.Question, stream ? "\"n\":2,\"stream\":true" : "\"n\":2");
            reply.MustBeProblem(status, code);
            Assert.Equal(
                (Outcome.Failed, status, 0, null),
                await Books.OnlyUsageAsync(user) is var row ? (row.Outcome, row.Status, row.Charged, row.AttemptOf) : default);
        }
    }

    [Fact]
    public async Task A_name_with_its_provider_is_pinned_to_it()
    {
        var user = await Backend.Wires.NewUserAsync();
        (await Chat.AskAsync(user.Token, "chat/fallback", Price.Question)).MustBe(502);
        Assert.Equal(
            "messages",
            (await Chat.AskAsync(user.Token, "messages/fallback", Price.Question)).MustBe(200)["X-LLMGateway-Provider"]);
    }

    [Fact]
    public async Task When_all_fail_the_last_one_s_reason_is_told_and_nobody_pays()
    {
        var user = await Backend.Wires.NewUserAsync();

        var reply = await Chat.AskAsync(user.Token, "fallback-none", Price.Question);

        reply.MustBeProblem(429, "upstream_rate_limited");
        Assert.Equal("1", reply["Retry-After"]);
        Assert.Equal(1_000_000_000, await user.BalanceAfterAsync(2));
    }

    [Fact]
    public async Task A_scope_that_names_one_provider_s_model_allows_no_other_to_take_over()
    {
        var user = await Backend.Wires.NewUserAsync("1", "\"scope\":{\"models\":[\"chat/fallback\"]}");
        (await Chat.AskAsync(user.Token, "fallback", Price.Question)).MustBe(502);
        Assert.Equal(1_000_000_000, await user.BalanceAfterAsync(1));
    }

    [Fact]
    public async Task A_scope_that_names_the_second_provider_s_model_goes_there_at_once()
    {
        var user = await Backend.Wires.NewUserAsync("1", "\"scope\":{\"models\":[\"messages/fallback\"]}");
        Assert.Equal("messages", (await Chat.AskAsync(user.Token, "fallback", Price.Question)).MustBe(200)["X-LLMGateway-Provider"]);
        Assert.Equal(AtSecond, (await Books.OnlyUsageAsync(user)).Charged);
        Assert.Equal(
            ["fallback"],
            (await Gateway.SendAsync("GET", "/v1/models", user.Token)).MustBe(200).Json.Items("data").Select(model => model.Text("id")));
    }
}
