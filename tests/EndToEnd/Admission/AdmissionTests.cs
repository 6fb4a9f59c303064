using System.Text;

namespace LlmGateway.EndToEnd;

/// <summary>Who gets in when many ask at once for the last of a wallet, and what the wallet has afterwards.</summary>
public sealed class AdmissionTests
{
    // The models "barrier" and "narrow" read 100 tokens at most and answer 16 at most, whatever is asked.
    internal const long UpperBound = 100 * Price.Input + 16 * Price.Output; // 132 000

    // Three words in, 16 of the usual 20 out.
    const long NarrowCost = 3 * Price.Input + 16 * Price.Output; // 35 000

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public async Task Of_200_parallel_calls_exactly_the_ten_that_the_wallet_can_pay_are_answered(int proxies)
    {
        var user = await Backend.App.NewUserAsync(Gateway.Usd(10 * UpperBound));

        var calls = await Barrier.RunIntoAsync(
            200,
            10,
            (i, prompt) => user.ChatAsync("barrier", prompt, at: i % proxies == 0 ? Stack.Proxy : Stack.Proxy2));

        Assert.Equal(10, calls.Count(call => call.Status == 200));
        Assert.All(calls.Where(call => call.Status != 200), call => call.MustBeProblem(429, "balance_held"));
        // Four words in, five out.
        Assert.Equal(10 * UpperBound - 10 * (4 * Price.Input + 5 * Price.Output), await user.BalanceAfterAsync(10));
    }

    /// <summary>One request without a limit of its own holds the whole wallet and costs next to nothing.</summary>
    [Fact]
    public async Task Calls_that_lack_only_what_a_running_one_holds_are_told_to_come_again_and_one_is_answered_then()
    {
        const long cost = 4 * Price.Input + 5 * Price.Output;
        var user = await Backend.App.NewUserAsync(Gateway.Usd(UpperBound + cost));

        var calls = await Barrier.RunIntoAsync(
            4, 1, (i, prompt) => user.StreamAsync("barrier", prompt, at: i % 2 == 0 ? Stack.Proxy : Stack.Proxy2));

        Assert.Equal(1, calls.Count(call => call.Status == 200));
        foreach (var refused in calls.Where(call => call.Status != 200))
        {
            var limit = refused.MustBeProblem(429, "balance_held").Json.GetProperty("error").GetProperty("limit");
            Assert.Equal("1", refused["Retry-After"]);
            Assert.Equal(
                ("wallet", "usd", "0.000132", "0.000146", "0.000118"),
                (limit.Text("level"), limit.Text("unit"), limit.Text("used"), limit.Text("limit"), limit.Text("missing")));
        }
        Assert.Equal(UpperBound, await user.BalanceAfterAsync(1));
        (await user.ChatAsync("narrow", Price.Question)).MustBe(200);
    }

    [Fact]
    public async Task Call_by_call_a_wallet_is_spent_to_less_than_one_upper_bound_and_never_below_zero()
    {
        var user = await Backend.App.NewUserAsync(Gateway.Usd(500_000));

        // 500 000, 465 000, … 150 000 cover an upper bound of 132 000; what is left after eleven calls does not.
        await SpendAsync(user, 0, 11, at => user.ChatAsync("narrow", Price.Question, at: at), "wallet_exhausted");

        Assert.Equal(500_000 - 11 * NarrowCost, await user.BalanceAfterAsync(11));
    }

    [Fact]
    public async Task A_session_cap_limits_parallel_calls_and_is_shared_by_every_token_that_the_session_is_refreshed_into()
    {
        var user = await Backend.App.NewUserAsync("1", $$"""
            "scope":{"maxSpend":"{{Gateway.Usd(10 * UpperBound)}}"}
            """);

        var calls = await Barrier.RunIntoAsync(
            50,
            10,
            (i, prompt) => user.ChatAsync("barrier", prompt, at: i % 2 == 0 ? Stack.Proxy : Stack.Proxy2));
        Assert.All(calls.Where(call => call.Status != 200), call => call.MustBeProblem(429, "balance_held"));

        var refreshed = await Task.WhenAll(Enumerable.Range(0, 4).Select(i =>
            Gateway.SendAsync("POST", "/v1/sessions/refresh", user.Token, at: i % 2 == 0 ? Stack.Proxy : Stack.Proxy2)));
        var tokens = refreshed.Select(reply => reply.MustBe(200).Json.Text("sessionToken")).ToArray();
        Assert.Distinct(tokens);

        // 1 320 000 − 140 000 = 1 180 000: enough for 30 calls (1 180 000 − 29 × 35 000 = 165 000), not for one more (130 000).
        var call = 0;
        // The cap was in use for many calls in a row, so what ended at the other proxy may be seen a tenth of a second later.
        await Eventually.GetAsync(
            () => Chat.AskAsync(tokens[0], "narrow", Price.Question), reply => reply.Status == 200, "what is left of the cap",
            TimeSpan.FromSeconds(1));
        await SpendAsync(
            user, 11, 29, at => Chat.AskAsync(tokens[call++ % tokens.Length], "narrow", Price.Question, at: at), "session_cap");

        Assert.Equal(1_000_000_000 - 140_000 - 30 * NarrowCost, await user.BalanceAfterAsync(10 + 30));
    }

    [Fact]
    public async Task What_one_proxy_does_not_use_any_more_pays_for_a_call_on_the_other()
    {
        var user = await Backend.App.NewUserAsync(Gateway.Usd(UpperBound + NarrowCost));

        (await user.ChatAsync("narrow", Price.Question, at: Stack.Proxy)).MustBe(200);
        (await user.ChatAsync("narrow", Price.Question, at: Stack.Proxy2)).MustBe(200);

        Assert.Equal(UpperBound - NarrowCost, await user.BalanceAfterAsync(2));
    }

    [Fact]
    public async Task An_answer_is_limited_to_what_the_wallet_can_pay()
    {
        var body = Chat.Body("small", "[[tokens:100]] one two", "\"max_tokens\":1000");
        // Input: no more tokens than bytes, 16 for the frame of a message, 64 for the frame of the request.
        var input = (Encoding.UTF8.GetByteCount(body) + 16 + 64) * Price.Input;
        var user = await Backend.App.NewUserAsync(Gateway.Usd(input + 50 * Price.Output));

        var reply = (await Gateway.SendAsync("POST", Chat.Path, user.Token, body)).MustBe(200);

        Assert.Equal(50, reply.Content.Split(' ').Length);
        Assert.Equal("length", reply.Json.GetProperty("choices")[0].Text("finish_reason"));
        Assert.Equal(input + 50 * Price.Output - 3 * Price.Input - 50 * Price.Output, await user.BalanceAfterAsync(1));
    }

    [Fact]
    public async Task The_refusal_says_what_the_call_may_cost_and_what_the_wallet_has()
    {
        var user = await Backend.App.NewUserAsync(Gateway.Usd(UpperBound - 1));

        var reply = await user.ChatAsync("narrow", Price.Question);

        reply.MustBeProblem(402, "wallet_exhausted");
        Assert.Contains("0.000132 USD", reply.Text);
        Assert.Contains("0.000131999 USD", reply.Text);
        var limit = reply.Json.GetProperty("error").GetProperty("limit");
        Assert.Equal(
            ("wallet", "usd", "0", "0.000131999", "0.000000001"),
            (limit.Text("level"), limit.Text("unit"), limit.Text("used"), limit.Text("limit"), limit.Text("missing")));
        Assert.Equal(UpperBound - 1, await user.BalanceAsync());
    }

    [Fact]
    public async Task A_wallet_that_holds_exactly_one_upper_bound_pays_for_the_call()
    {
        var user = await Backend.App.NewUserAsync(Gateway.Usd(UpperBound));

        (await user.ChatAsync("narrow", Price.Question)).MustBe(200);

        Assert.Equal(UpperBound - NarrowCost, await user.BalanceAfterAsync(1));
    }

    /// <summary>Calls one by one, at either proxy in turn, until refused; exactly <paramref name="count"/> must be answered.</summary>
    /// <param name="before">Calls that were answered before.</param>
    static async Task SpendAsync(User user, int before, int count, Func<Uri, Task<Reply>> call, string code)
    {
        for (var i = 0; i < count; i++)
            (await call(i % 2 == 0 ? Stack.Proxy : Stack.Proxy2)).MustBe(200);
        // What the other proxy's calls have used counts as held until it is booked.
        await user.BalanceAfterAsync(before + count);
        (await call(Stack.Proxy)).MustBeProblem(402, code);
        (await call(Stack.Proxy2)).MustBeProblem(402, code);
    }
}
