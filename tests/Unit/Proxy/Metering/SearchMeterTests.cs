using System.Buffers;
using System.Text;
using LlmGateway.Contracts;
using LlmGateway.Proxy;
using LlmGateway.Proxy.Batches;
using LlmGateway.Proxy.Translation;
using LlmGateway.ServiceDefaults;
using Xunit;

namespace LlmGateway.UnitTests.Proxy;

/// <summary>Searches of the web that a provider ran itself are metered once each, as its wire tells them.</summary>
public sealed class SearchMeterTests
{
    const string Counts = "\"input_tokens\":10,\"output_tokens\":3";

    // Three searches, one without its action. Opening a page and looking into it are no searches.
    const string Items = """
        {"id":"ws_1","type":"web_search_call","status":"completed","action":{"type":"search","query":"x","sources":[{"type":"url"}]}}
        {"id":"ws_2","type":"web_search_call","status":"completed","action":{"query":"x","type":"search"}}
        {"id":"ws_3","type":"web_search_call","status":"completed","action":{"type":"open_page","url":"https://x"}}
        {"id":"ws_4","type":"web_search_call","status":"completed","action":{"type":"find_in_page","pattern":"y"}}
        {"id":"ws_5","type":"web_search_call","status":"completed"}
        {"id":"msg_1","type":"message","role":"assistant","content":[{"type":"output_text","text":"a b c"}]}
        """;

    const string Blocks = """
        {"type":"server_tool_use","id":"srvtoolu_1","name":"web_search","input":{"query":"x"}}
        {"type":"web_search_tool_result","tool_use_id":"srvtoolu_1","content":[{"type":"web_search_result","url":"https://x"}]}
        {"type":"server_tool_use","id":"srvtoolu_2","name":"web_search","input":{}}
        {"type":"web_search_tool_result","tool_use_id":"srvtoolu_2","content":{"type":"web_search_tool_result_error"}}
        {"type":"server_tool_use","id":"srvtoolu_3","name":"web_fetch","input":{}}
        {"type":"text","text":"a b c"}
        """;

    static readonly string[] ItemList = Items.Split('\n'), BlockList = Blocks.Split('\n');

    static string Response(string usage) => $$"""
        {"id":"resp_1","object":"response","status":"completed","output":[{{string.Join(',', ItemList)}}]{{usage}}}
        """;

    static string Message(string usage) => $$"""
        {"id":"msg_1","type":"message","role":"assistant","content":[{{string.Join(',', BlockList)}}],"stop_reason":"end_turn"{{usage}}}
        """;

    static string Usage(string more = "") => $",\"usage\":{{{Counts}{more}}}";

    static string Told(int searches) => $",\"server_tool_use\":{{\"web_search_requests\":{searches},\"web_fetch_requests\":1}}";

    static IEnumerable<string> ResponseEvents(string usage)
    {
        yield return """{"type":"response.created","response":{"id":"resp_1","status":"in_progress","output":[]}}""";
        foreach (var (index, item) in ItemList.Index())
        {
            yield return $$"""{"type":"response.output_item.added","output_index":{{index}},"item":{{item}}}""";
            yield return $$"""{"type":"response.web_search_call.completed","output_index":{{index}},"item_id":"x"}""";
            yield return $$"""{"type":"response.output_item.done","output_index":{{index}},"item":{{item}}}""";
        }
        // Some servers say the last item again.
        yield return $$"""{"type":"response.output_item.done","output_index":4,"item":{{ItemList[4]}}}""";
        yield return $$"""{"type":"response.completed","response":{{Response(usage).Trim()}}}""";
    }

    static IEnumerable<string> MessageEvents(string first, string last)
    {
        var usage = $$"""{"input_tokens":10,"output_tokens":1{{first}}}""";
        yield return $$$"""{"type":"message_start","message":{"id":"msg_1","content":[],"usage":{{{usage}}}}}""";
        foreach (var (index, block) in BlockList.Index())
        {
            yield return $$"""{"type":"content_block_start","index":{{index}},"content_block":{{block}}}""";
            yield return $$"""{"type":"content_block_stop","index":{{index}}}""";
        }
        yield return $$"""{"type":"message_delta","delta":{"stop_reason":"end_turn"}{{last}}}""";
        yield return """{"type":"message_stop"}""";
    }

    [Fact]
    public void Responses_are_metered_by_their_items()
    {
        Assert.Equal((3, false), Whole(Wires.Responses, Response(Usage())));
        Assert.Equal((3, false), Stream(Wires.Responses, ResponseEvents(Usage())));
    }

    /// <summary>Whatever items are there, failed or missing.</summary>
    [Theory]
    [InlineData(0), InlineData(1), InlineData(7)]
    public void Responses_are_metered_by_the_providers_own_count_where_it_says_one(int said)
    {
        var own = $",\"tool_usage\":{{\"image_gen\":{{\"n\":3}},\"web_search\":{{\"num_requests\":{said}}}}}";
        Assert.Equal((said, false), Whole(Wires.Responses, Response(Usage() + own)));
        Assert.Equal((said, false), Whole(Wires.Responses, $"{{{own[1..]},{Response(Usage()).Trim()[1..]}"));
        Assert.Equal((said, true), Whole(Wires.Responses, Response(own)));
        Assert.Equal((said, false), Stream(Wires.Responses, ResponseEvents(Usage() + own)));
        // At its beginning an answer has none yet, whatever it ends as.
        var begun = ResponseEvents("").Take(4).Select(data => data.Replace(
            "\"output\":[]", "\"output\":[],\"tool_usage\":{\"web_search\":{\"num_requests\":0}}", StringComparison.Ordinal));
        Assert.Equal((1, true), Stream(Wires.Responses, begun));
    }

    [Theory]
    [InlineData("null"), InlineData("[]"), InlineData("""{"web_search":null}"""), InlineData("""{"web_search":{}}""")]
    [InlineData("""{"web_search":{"num_requests":-1}}"""), InlineData("""{"web_search":{"num_requests":1.5}}""")]
    [InlineData("""{"web_search":{"num_requests":"2"}}""")]
    public void A_count_that_is_none_leaves_it_to_the_items(string own)
    {
        Assert.Equal((3, false), Whole(Wires.Responses, Response($"{Usage()},\"tool_usage\":{own}")));
        Assert.Equal((3, false), Stream(Wires.Responses, ResponseEvents($"{Usage()},\"tool_usage\":{own}")));
    }

    [Theory]
    [InlineData(0, 2), InlineData(0, 0), InlineData(1, 1), InlineData(1, 4)]
    public void Messages_are_metered_by_their_usage(int first, int last)
    {
        Assert.Equal((last, false), Whole(Wires.Messages, Message(Usage(Told(last)))));
        Assert.Equal((last, false), Stream(Wires.Messages, MessageEvents(Told(first), Usage(Told(last)))));
        Assert.Equal((first, false), Stream(Wires.Messages, MessageEvents(Told(first), Usage())));
        Assert.Equal((last, false), Stream(Wires.Messages, MessageEvents("", $",\"usage\":{{\"output_tokens\":3{Told(last)}}}")));
    }

    [Fact]
    public void Without_usage_what_was_seen_is_counted()
    {
        Assert.Equal((3, true), Whole(Wires.Responses, Response("")));
        Assert.Equal((3, true), Stream(Wires.Responses, ResponseEvents("")));
        Assert.Equal((2, true), Whole(Wires.Messages, Message("")));
        Assert.Equal((2, true), Stream(Wires.Messages, MessageEvents("", "")));
    }

    /// <summary>A caller who leaves pays for the searches until then.</summary>
    [Fact]
    public void A_stream_that_ends_early_has_the_searches_so_far()
    {
        Assert.Equal((1, true), Stream(Wires.Responses, ResponseEvents(Usage()).Take(4)));
        Assert.Equal((1, true), Stream(Wires.Messages, MessageEvents("", "").Take(4)));
    }

    [Fact]
    public void A_model_without_a_price_for_them_is_not_paid_by_them()
    {
        var reading = new MeterReading(new() { [Meter.Input] = 1, [Meter.WebSearch] = 5 }, false, null, null);
        Assert.Equal(0, reading.OnPricedMeters(new() { Input = new(1), Output = new(1) }).Usage[Meter.WebSearch]);
    }

    [Fact]
    public void Lines_of_a_batch_are_metered_like_answers()
    {
        var prices = new Prices { Input = new(0), Output = new(0), PerWebSearch = new(10_000_000_000L * 1_000_000) };
        BatchTally Tally(string endpoint, string line)
        {
            var tally = new BatchTally(new(endpoint, "m", null, prices, new(1), Lines: 1, EstimatedInput: 1));
            tally.Add(Encoding.UTF8.GetBytes(line.ReplaceLineEndings("")));
            return tally;
        }
        string Line(string body) => $$$"""{"custom_id":"a","response":{"status_code":200,"body":{{{body}}}}}""";
        string Result(string message) => $$$"""{"custom_id":"a","result":{"type":"succeeded","message":{{{message}}}}}""";

        Assert.Equal(30_000_000, Tally("/v1/responses", Line(Response(Usage()))).Cost);
        Assert.Equal(30_000_000, Tally("/v1/responses", Line(Response(""))).Cost);
        Assert.Equal(10_000_000, Tally("/v1/messages", Result(Message(Usage(Told(1))))).Cost);
        Assert.Equal(20_000_000, Tally("/v1/messages", Result(Message(""))).Cost);
    }

    static (long Searches, bool Estimated) Whole(ConversationWire wire, string answer)
    {
        var meter = new EventMeter(wire.NewReader());
        Assert.True(meter.See(Encoding.UTF8.GetBytes(answer)));
        return Settled(meter);
    }

    static (long Searches, bool Estimated) Stream(ConversationWire wire, IEnumerable<string> events)
    {
        using var relay = new PassRelay(wire);
        foreach (var data in events)
            relay.Push(Encoding.UTF8.GetBytes($"data: {data.Trim()}\n\n"), new ArrayBufferWriter<byte>());
        return Settled(relay.Meter);
    }

    static (long Searches, bool Estimated) Settled(AnswerMeter meter)
    {
        var reading = meter.Settle("""{"input":"one"}"""u8);
        return (reading.Usage[Meter.WebSearch], reading.Estimated);
    }
}
