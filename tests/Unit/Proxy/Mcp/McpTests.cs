using System.Text;
using LlmGateway.Contracts;
using LlmGateway.Proxy;
using LlmGateway.ServiceDefaults;
using Xunit;

namespace LlmGateway.UnitTests.Proxy;

/// <summary>What is read of messages to an MCP server and of its answers, and what a call of a tool costs then.</summary>
public sealed class McpTests
{
    const string Call = """{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"search","arguments":{"name":"x","id":1}}}""";

    /// <summary>Of the tool, in nano-dollars.</summary>
    const long Price = 10_000_000, Most = 50_000_000;

    [Theory]
    [InlineData(Call, "tools/call", "7", "search")]
    [InlineData("""{"method":"tools/call","params":{"name":"a"},"id":"x\u0041"}""", "tools/call", "\"x\\u0041\"", "a")]
    [InlineData("""{"id":1,"method":"prompts/get","params":{"name":"a"}}""", "prompts/get", "1", null)]
    [InlineData("""{"method":"notifications/initialized"}""", "notifications/initialized", null, null)]
    [InlineData("""{"id":3,"result":{}}""", null, "3", null)]
    public void A_message_says_what_is_called(string body, string? method, string? id, string? tool) =>
        Assert.Equal(new McpMessage(method, id, tool), Read(body));

    /// <summary>What two servers could take for two different calls could cost less than it does.</summary>
    [Theory]
    [InlineData("""[{"id":1,"method":"tools/call","params":{"name":"a"}}]""", null)]
    [InlineData("""{"id":1,"method":"ping","method":"tools/call","params":{"name":"a"}}""", "method")]
    [InlineData("""{"id":1,"Method":"tools/call","method":"ping"}""", "Method")]
    [InlineData("""{"id":1,"method":"tools/call","params":{"name":"a","NAME":"b"}}""", "NAME")]
    [InlineData("""{"id":1,"method":"tools/call","params":{}}""", "params.name")]
    [InlineData("""{"id":1,"method":"tools/call","params":{"name":7}}""", "params.name")]
    [InlineData("""{"method":"tools/call","params":{"name":"a"}}""", "id")]
    [InlineData("""{"id":null,"method":"tools/call","params":{"name":"a"}}""", "id")]
    [InlineData("""{"id":1,"method":"tools/call","params":{"name":"a","task":{"ttl":1}}}""", "params.task")]
    [InlineData("""{"id":1,"method":["tools/call"]}""", "method")]
    [InlineData("""{"id":1,"method":"tools/call","params":{"name":"a"}} {}""", null)]
    [InlineData("no JSON", null), InlineData("", null)]
    public void A_message_that_is_none_or_could_be_another_one_is_refused(string body, string? param)
    {
        var e = Assert.Throws<ProblemException>(() => Read(body));
        Assert.Equal((400, param), (e.Problem.Status, e.Problem.Param));
    }

    [Theory]
    [InlineData("""{"result":{"content":[]}}""", Price, null, true)]
    [InlineData("""{"result":{"isError":false}}""", Price, null, true)]
    [InlineData("""{"result":{"isError":true}}""", 0, "tool_failed", false)]
    [InlineData("""{"error":{"code":-32000,"message":"x"}}""", 0, "tool_failed", false)]
    [InlineData("""{"result":{"_meta":{"cost":"0.02"}}}""", 20_000_000, null, true)]
    [InlineData("""{"result":{"_meta":{"cost":0.000000001}}}""", 1, null, true)]
    [InlineData("""{"result":{"_meta":{"cost":0}}}""", 0, null, true)]
    [InlineData("""{"result":{"isError":true,"_meta":{"cost":"0.02"}}}""", 20_000_000, "tool_failed", true)]
    [InlineData("""{"error":{"code":1,"message":"x","data":{"_meta":{"cost":"0.02"}}}}""", 20_000_000, "tool_failed", true)]
    [InlineData("""{"result":{"_meta":{"cost":"9"}}}""", Most, "capped", true)]
    [InlineData("""{"result":{"_meta":{"cost":"-1"}}}""", Price, null, true)]
    [InlineData("""{"result":{"_meta":{"cost":"a lot"}}}""", Price, null, true)]
    [InlineData("""{"result":{"_meta":{"cost":[1]}}}""", Price, null, true)]
    [InlineData("""{"method":"notifications/progress"}""", 0, "no_result", false)]
    public void A_result_costs_the_tools_price_or_what_it_says_and_a_failure_nothing(
        string answer, long cost, string? reason, bool isAnswer)
    {
        var json = answer.Insert(1, "\"jsonrpc\":\"2.0\",\"id\":7,");
        foreach (var isStream in (bool[])[false, true])
        {
            using var meter = Metering(isStream);
            var text = isStream
                ? $"event: message\ndata: {{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\"}}\n\n: ping\n\ndata: {json}\n\n"
                : json;
            foreach (var one in Encoding.UTF8.GetBytes(text))
                meter.Push([one]);
            var reading = meter.Settle(isWhole: true);
            Assert.Equal((cost, reason, isAnswer), (CostOf(reading), reading.Reason, meter.IsAnswer));
        }
    }

    /// <summary>A server's own request to the client may have the same id.</summary>
    [Theory]
    [InlineData("""{"id":8,"result":{}}"""), InlineData("""{"id":"7","result":{}}""")]
    [InlineData("""{"id":7,"method":"sampling/createMessage"}""")]
    [InlineData("""[{"id":7,"result":{}}]"""), InlineData("""{"id":7,"result":{}"""), InlineData("7")]
    public void What_is_no_answer_to_the_call_costs_nothing(string answer)
    {
        using var meter = Metering(isStream: false);
        meter.Push(Encoding.UTF8.GetBytes(answer));
        var reading = meter.Settle(isWhole: true);
        Assert.Equal((0, "no_result", false), (CostOf(reading), reading.Reason, meter.IsAnswer));
    }

    [Fact]
    public void What_is_cut_costs_nothing_and_what_nobody_waited_for_costs_the_price()
    {
        using var cut = Metering(isStream: true);
        cut.Push("data: {\"id\":7,"u8);
        Assert.Equal((0, false), (CostOf(cut.SoFar()), cut.IsAnswer));
        var reading = cut.Settle(isWhole: false, "upstream_interrupted");
        Assert.Equal((0, "no_result, upstream_interrupted", false), (CostOf(reading), reading.Reason, cut.IsAnswer));
        foreach (var hasLeft in (bool[])[true, false])
        {
            reading = cut.Settle(isWhole: false, "aborted", hasLeft);
            Assert.Equal((Price, "result_unknown, aborted", true), (CostOf(reading), reading.Reason, cut.IsAnswer));
        }
    }

    /// <summary>It is in the journal before the stream ends, because the caller has it.</summary>
    [Fact]
    public void A_result_that_was_told_is_owed_whatever_comes_after_it()
    {
        using var meter = Metering(isStream: true);
        Assert.Equal(0, meter.DeliveredTokens);
        meter.Push("data: {\"id\":7,\"result\":{}}\n\n"u8);
        Assert.Equal((ModelCall.CheckpointTokens, Price), (meter.DeliveredTokens, CostOf(meter.SoFar())));
        meter.Push("data: {\"id\":7,\"error\":{}}\n\n"u8);
        Assert.Equal(Price, CostOf(meter.Settle(isWhole: false, "upstream_timeout")));
    }

    [Fact]
    public void What_is_too_large_to_be_read_is_a_result()
    {
        using var meter = Metering(isStream: false);
        for (var i = 0; i < 5; i++)
            meter.Push(new byte[1024 * 1024]);
        Assert.Equal((Price, "result_too_large", true), meter.Settle(isWhole: true) is var reading
            ? (CostOf(reading), reading.Reason, meter.IsAnswer) : default);
    }

    /// <summary>The server's own ids may be guessed.</summary>
    [Fact]
    public void A_session_is_its_customers_on_its_route()
    {
        var (envelope, caller) = (new Envelope([Key('a')]), NewCaller());
        var sessions = new McpSessions(envelope, caller, "tools");
        var told = sessions.Seal("17.x");
        Assert.Equal("17.x", sessions.Open(told));
        Assert.Equal("17.x", new McpSessions(new([Key('b'), Key('a')]), caller, "tools").Open(told));
        Assert.Null(new McpSessions(envelope, NewCaller(), "tools").Open(told));
        Assert.Null(new McpSessions(envelope, caller, "other").Open(told));
        Assert.All((string[])["17.x", "", ".", told[..^1], "18" + told[2..], new('x', 2000)], other => Assert.Null(sessions.Open(other)));

        static byte[] Key(char letter) => Encoding.ASCII.GetBytes(new string(letter, 32));
    }

    [Fact]
    public void A_message_is_repeated_in_its_session_alone()
    {
        var key = McpSessions.KeyOf("tools", "17", "1");
        Assert.Equal(key, McpSessions.KeyOf("tools", "17", "1"));
        Assert.True(key.Length <= Idempotency.MaxKeyLength);
        Assert.All(
            [McpSessions.KeyOf("tools", "18", "1"), McpSessions.KeyOf("tools", "17", "\"1\""), McpSessions.KeyOf("other", "17", "1")],
            other => Assert.NotEqual(key, other));
    }

    [Theory]
    [InlineData(null, true), InlineData("tools", true), InlineData("p/tools", true), InlineData("tools/search", true)]
    [InlineData("tools/other", false), InlineData("other", false), InlineData("toolsearch", false)]
    public void A_scope_names_the_server_or_a_tool(string? allowed, bool isAllowed)
    {
        Assert.True(RoutePattern.TryRead(RoutePattern.Exact, "/tools", out var pattern, out _));
        var route = new ReadyRoute(
            new("/tools", "p") { Id = "tools", Kind = CustomRoute.Mcp }, pattern,
            new(new("p", "http", "https://api.example.com", "none", null, [], 60, 0, "cancel", false), [])).Target;
        string[]? scope = allowed is null ? null : [allowed];
        Assert.Equal(isAllowed, McpCalls.IsIn(scope, route, "search"));
        Assert.Equal(isAllowed || allowed == "tools/other", McpCalls.IsIn(scope, route, null));
    }

    [Fact]
    public void A_tool_has_its_own_price_or_that_of_all_others_or_is_not_sold()
    {
        var (own, others) = (new ToolPrice { Price = new(1) }, new ToolPrice { Price = new(2), MaxCost = new(5) });
        var route = new CustomRoute("/x", "p") { Kind = CustomRoute.Mcp, Tools = new Dictionary<string, ToolPrice> { ["a"] = own } };
        Assert.Equal((own, null), (route.PriceOf("a"), route.PriceOf("b")));
        route = route with { Tools = new Dictionary<string, ToolPrice> { ["a"] = own, [CustomRoute.AnyTool] = others } };
        Assert.Equal((own, others), (route.PriceOf("a"), route.PriceOf("b")));
        Assert.Equal((new Rate(1), new Rate(5)), (own.Most(), others.Most()));
        Assert.Equal(new Rate(7), (route with { Tools = null, Price = new(7) }).PriceOf("a")!.Price);
    }

    static McpMessage Read(string body) => McpMessage.Read(Encoding.UTF8.GetBytes(body));

    static McpMeter Metering(bool isStream) =>
        new(Read(Call), new() { Price = RateOf(Price), MaxCost = RateOf(Most) }, isStream);

    /// <summary>Picos per million are 10^-18 dollars each.</summary>
    static Rate RateOf(long nanos) => new(nanos * Money.AttosPerNano);

    static long CostOf(MeterReading reading) =>
        reading.Bound ?? Cost.Of(reading.Usage, new() { PerRequest = RateOf(Price) });

    static Caller NewCaller() => new(SessionsInMemory.Credential(), null!, "fingerprint");
}
