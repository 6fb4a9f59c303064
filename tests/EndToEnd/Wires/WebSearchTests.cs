using System.Text.Json;

namespace LlmGateway.EndToEnd;

/// <summary>
/// Searches of the web that the provider runs itself: paid at a cent each where the model has that price and the request a bound, and
/// otherwise not there. In the sandbox what one search finds is a hundred tokens of input.
/// </summary>
public sealed class WebSearchTests
{
    const long Search = 10_000_000, Found = 100 * Price.Input;

    /// <summary>Four words, for the order is one, and the usual twenty of answer.</summary>
    const string Question = "[[searches:2]] one two three";

    const long OfTwo = (2 * Search) + (2 * Found) + (4 * Price.Input) + (20 * Price.Output);

    public static TheoryData<string, bool> Answers() => new()
    {
        { "responses", false }, { "responses", true }, { "messages", false }, { "messages", true },
    };

    [Theory]
    [MemberData(nameof(Answers))]
    public async Task Each_search_is_on_the_bill(string wire, bool stream)
    {
        var user = await Backend.Wires.NewUserAsync();
        var tag = Sandbox.NewTag();

        var reply = (await AskAsync(user, wire, "search", Question, "3", stream: stream, tag: tag)).MustBe(200);

        Assert.Equal(2, Searches(reply));
        Assert.Null(reply["X-LLMGateway-Ignored"]);
        Assert.Contains($"\"{Gateway.Usd(OfTwo)}\"", stream ? reply.Text : $"\"{reply["X-LLMGateway-Cost"]}\"");
        Assert.Contains("web_search", Assert.Single(await Sandbox.CallsAsync(tag)).Body);
        var row = await Books.OnlyUsageAsync(user);
        Assert.Equal((OfTwo, OfTwo, 204, false, null), (row.Cost, row.Charged, row.InputTokens, row.Estimated, row.Reason));
        Assert.Equal(1_000_000_000 - OfTwo, await user.BalanceAfterAsync(1));
    }

    /// <summary>What is counted here knows the question and the answer, and not what was found.</summary>
    [Theory]
    [MemberData(nameof(Answers))]
    public async Task A_provider_that_tells_no_usage_is_paid_for_the_searches_that_were_seen(string wire, bool stream)
    {
        var user = await Backend.Wires.NewUserAsync();

        (await AskAsync(user, wire, "search-nousage", Question, "3", stream: stream)).MustBe(200);

        var row = await Books.OnlyUsageAsync(user);
        Assert.True(row.Estimated);
        Assert.InRange(row.Charged, 2 * Search + 1, OfTwo - 1);
    }

    /// <summary>The hold: one search, a context of 1 000 tokens before it and one after it, sixteen tokens of answer.</summary>
    [Theory]
    [MemberData(nameof(Answers))]
    public async Task A_provider_that_searches_more_often_is_paid_what_was_held_and_the_operator_bears_the_rest(string wire, bool stream)
    {
        const long held = Search + (2 * 1_000 * Price.Input) + (16 * Price.Output);
        const long cost = (5 * Search) + (5 * Found) + (4 * Price.Input) + (32 * Price.Output);
        var user = await Backend.Wires.NewUserAsync(Gateway.Usd(held));

        (await AskAsync(user, wire, "search-overrun", "[[searches:5]] one two three", "1", stream: stream)).MustBe(200);

        var row = await Books.OnlyUsageAsync(user);
        Assert.Equal((cost, held, cost - held, "capped"), (row.Cost, row.Charged, row.Absorbed, row.Reason));
    }

    [Theory]
    [InlineData("responses"), InlineData("messages")]
    public async Task What_the_searches_may_cost_is_held_before_the_call(string wire)
    {
        var user = await Backend.Wires.NewUserAsync(Gateway.Usd(Search + (2 * 1_000 * Price.Input)));
        var tag = Sandbox.NewTag();

        var refused = await AskAsync(user, wire, "search", Question, "1", tag: tag);

        Assert.Equal(402, refused.Status);
        Assert.Empty(await Sandbox.CallsAsync(tag));
    }

    [Theory]
    [InlineData("responses", "small", "3", false)]
    [InlineData("responses", "search", null, true)]
    [InlineData("messages", "small", "3", false)]
    [InlineData("messages", "search", null, true)]
    public async Task Without_price_or_bound_it_is_left_out_beside_own_tools_and_refused_without_them(
        string wire, string model, string? most, bool namesBound)
    {
        var user = await Backend.Wires.NewUserAsync();
        var tag = Sandbox.NewTag();

        var reply = (await AskAsync(user, wire, model, Question, most, own: true, tag: tag)).MustBe(200);
        var refused = await AskAsync(user, wire, model, Question, most);

        Assert.Equal((0, "web_search"), (Searches(reply), reply["X-LLMGateway-Ignored"]));
        Assert.DoesNotContain("\"web_search", Assert.Single(await Sandbox.CallsAsync(tag)).Body);
        Assert.Equal(400, refused.Status);
        Assert.Contains("'tools[0].type'", refused.Text);
        Assert.Equal(namesBound, refused.Text.Contains(wire == "messages" ? "'tools[0].max_uses'" : "'max_tool_calls'"));
        Assert.Equal((4 * Price.Input) + (20 * Price.Output), (await Books.OnlyUsageAsync(user)).Charged);
    }

    /// <summary>The second provider speaks another wire.</summary>
    [Theory]
    [InlineData("responses"), InlineData("messages")]
    public async Task A_provider_that_takes_over_is_told_of_it_only_where_it_can_be(string wire)
    {
        var user = await Backend.Wires.NewUserAsync();

        var reply = (await AskAsync(user, wire, "search-fallback", Question, "3", own: true)).MustBe(200);
        var alone = await AskAsync(user, wire, "search-fallback", Question, "3");

        Assert.Equal("gemini", reply["X-LLMGateway-Provider"]);
        Assert.Contains("web_search", reply["X-LLMGateway-Ignored"]);
        Assert.Equal(502, alone.Status);
        Assert.Equal(
            (4 * Price.Input) + (20 * Price.Output), (await Books.UsageAsync(user, 3)).Sum(row => row.Charged));
    }

    static Task<Reply> AskAsync(
        User user, string wire, string model, string question, string? most, bool own = false, bool stream = false, string? tag = null)
    {
        var (head, text) = ($"\"model\":\"{wire}-{model}\",\"stream\":{(stream ? "true" : "false")}", JsonSerializer.Serialize(question));
        var limit = model.EndsWith("overrun", StringComparison.Ordinal) ? 16 : 1_000;
        var tags = tag is null ? "" : $",\"metadata\":{{\"user_id\":\"[[tag:{tag}]]\"}}";
        if (wire == "messages")
        {
            var search = $"{{\"type\":\"web_search_20250305\",\"name\":\"web_search\"{(most is null ? "" : $",\"max_uses\":{most}")}}}";
            var tools = search + (own ? ",{\"name\":\"f\",\"input_schema\":{\"type\":\"object\"}}" : "");
            return Gateway.SendAsync("POST", "/v1/messages", user.Token, $$"""
                {{{head}},"max_tokens":{{limit}},"messages":[{"role":"user","content":{{text}}}],"tools":[{{tools}}]{{tags}}}
                """);
        }
        var offered = "{\"type\":\"web_search\"}" + (own ? ",{\"type\":\"function\",\"name\":\"f\",\"parameters\":{}}" : "");
        var bound = most is null ? "" : $",\"max_tool_calls\":{most}";
        return Gateway.SendAsync("POST", "/v1/responses", user.Token, $$"""
            {{{head}},"max_output_tokens":{{limit}},"store":false,"input":{{text}},"tools":[{{offered}}]{{bound}}{{tags}}}
            """);
    }

    /// <summary>The searches in an answer, whole or streamed.</summary>
    static int Searches(Reply reply)
    {
        var text = reply.Text;
        var end = text.IndexOf("event: response.completed", StringComparison.Ordinal);
        var before = end < 0 ? text : text[..end];
        return before.StartsWith('{')
            ? Count("\"type\":\"web_search_call\"") + Count("\"type\":\"server_tool_use\"")
            : Count("event: response.web_search_call.searching") + Count("\"type\":\"server_tool_use\"");

        int Count(string mark) => before.Split(mark).Length - 1;
    }
}
