using System.Globalization;

namespace LlmGateway.EndToEnd;

/// <summary>Requests and tokens per minute of one customer, counted by all proxies together.</summary>
public sealed class RateTests
{
    [Fact]
    public async Task Requests_beyond_the_limit_get_429_at_either_proxy_and_are_not_charged()
    {
        var user = await LimitedAsync(requestsPerMinute: 4, tokensPerMinute: null);

        for (var i = 0; i < 4; i++)
        {
            var reply = (await AskAsync(user, i)).MustBe(200);
            Assert.Equal(("4", $"{3 - i}"), (reply["X-RateLimit-Limit-Requests"], reply["X-RateLimit-Remaining-Requests"]));
            Assert.EndsWith("s", reply["X-RateLimit-Reset-Requests"]);
        }
        foreach (var proxy in (int[])[0, 1])
        {
            var refused = await AskAsync(user, proxy);
            refused.MustBeProblem(429, "rate_limit_exceeded");
            Assert.Contains("4 requests per minute", refused.Text);
            Assert.Equal("0", refused["X-RateLimit-Remaining-Requests"]);
            var limit = refused.Json.GetProperty("error").GetProperty("limit");
            Assert.Equal(
                ("customer", "requests", "4", "4", "1"),
                (limit.Text("level"), limit.Text("unit"), limit.Text("used"), limit.Text("limit"), limit.Text("missing")));
            Assert.InRange((limit.GetProperty("resets").GetDateTimeOffset() - DateTimeOffset.UtcNow).TotalSeconds, 15, 62);
            // One of four requests per minute is free again after 15 s at most.
            Assert.InRange(int.Parse(refused["Retry-After"]!, CultureInfo.InvariantCulture), 1, 15);
        }
        Assert.Equal(1_000_000_000 - 4 * 43_000, await user.BalanceAfterAsync(4));
    }

    [Fact]
    public async Task All_credentials_of_a_customer_share_the_limit()
    {
        var user = await LimitedAsync(requestsPerMinute: 2, tokensPerMinute: null);
        var (_, key) = await Backend.App.NewKeyAsync(user.CustomerId);

        (await Chat.AskAsync(key, "small", Price.Question)).MustBe(200);
        (await AskAsync(user, 1)).MustBe(200);

        (await Chat.AskAsync(key, "small", Price.Question)).MustBeProblem(429, "rate_limit_exceeded");
        (await AskAsync(user, 0)).MustBeProblem(429, "rate_limit_exceeded");
    }

    [Fact]
    public async Task Parallel_requests_at_both_proxies_take_no_more_than_the_limit()
    {
        var user = await LimitedAsync(requestsPerMinute: 10, tokensPerMinute: null);

        var replies = await Task.WhenAll(Enumerable.Range(0, 40).Select(i => AskAsync(user, i)));

        // The window slides: in the few seconds that this may take one more may become free.
        Assert.InRange(replies.Count(reply => reply.Status == 200), 10, 11);
        Assert.All(replies.Where(reply => reply.Status != 200), reply => reply.MustBeProblem(429, "rate_limit_exceeded"));
    }

    [Fact]
    public async Task Tokens_are_taken_by_estimate_and_corrected_to_what_was_used()
    {
        var user = await LimitedAsync(requestsPerMinute: null, tokensPerMinute: 1000);

        // The estimate is a fourth of the bytes and at most 500 of output: two such requests at a time fit, but not three.
        var first = (await AskAsync(user, 0, "\"max_tokens\":400")).MustBe(200);
        Assert.Equal("1000", first["X-RateLimit-Limit-Tokens"]);
        Assert.InRange(int.Parse(first["X-RateLimit-Remaining-Tokens"]!, CultureInfo.InvariantCulture), 550, 600);
        // Twenty-three tokens were used. The rest has come back before the same proxy asks again.
        var second = (await AskAsync(user, 0, "\"max_tokens\":10")).MustBe(200);
        Assert.InRange(int.Parse(second["X-RateLimit-Remaining-Tokens"]!, CultureInfo.InvariantCulture), 850, 980);
    }

    [Fact]
    public async Task Tokens_beyond_the_limit_get_429()
    {
        var user = await LimitedAsync(requestsPerMinute: null, tokensPerMinute: 300);

        (await AskAsync(user, 0, "\"max_tokens\":1000", "[[tokens:280]] one two")).MustBe(200);

        var refused = await AskAsync(user, 1, "\"max_tokens\":200");
        refused.MustBeProblem(429, "rate_limit_exceeded");
        Assert.Contains("300 tokens per minute", refused.Text);
        Assert.NotNull(refused["Retry-After"]);
    }

    /// <summary>Its estimate is ten times the limit. Only the limit could be taken, so no more than that comes back.</summary>
    [Fact]
    public async Task A_request_larger_than_the_limit_passes_alone_and_the_next_one_is_refused()
    {
        var user = await LimitedAsync(requestsPerMinute: null, tokensPerMinute: 1000);
        var large = string.Join(' ', Enumerable.Repeat("word", 8_000));

        (await AskAsync(user, 0, prompt: large)).MustBe(200);

        (await AskAsync(user, 0)).MustBeProblem(429, "rate_limit_exceeded");
        (await AskAsync(user, 0, prompt: large)).MustBeProblem(429, "rate_limit_exceeded");
    }

    [Fact]
    public async Task A_request_that_the_wallet_refuses_gives_back_what_it_took_and_no_more()
    {
        var user = await Backend.App.NewUserAsync(Gateway.Usd(Price.OfQuestion));
        await user.LimitAsync(requestsPerMinute: null, tokensPerMinute: 1000);

        for (var i = 0; i < 3; i++)
        {
            var refused = await AskAsync(user, 0, "\"max_tokens\":1000");
            refused.MustBeProblem(402, "wallet_exhausted");
        }
    }

    static async Task<User> LimitedAsync(int? requestsPerMinute, int? tokensPerMinute)
    {
        var user = await Backend.App.NewUserAsync();
        await user.LimitAsync(requestsPerMinute, tokensPerMinute);
        return user;
    }

    static Task<Reply> AskAsync(User user, int proxy, string? more = null, string prompt = Price.Question) =>
        user.ChatAsync("small", prompt, more, proxy % 2 == 0 ? Stack.Proxy : Stack.Proxy2);
}
