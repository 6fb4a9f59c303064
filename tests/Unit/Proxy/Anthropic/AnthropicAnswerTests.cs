using System.Buffers;
using System.Text;
using System.Text.Json;
using LlmGateway.Contracts;
using LlmGateway.Proxy;
using LlmGateway.Proxy.Anthropic;
using LlmGateway.Proxy.Translation;
using LlmGateway.ServiceDefaults;
using Xunit;

namespace LlmGateway.UnitTests.Proxy;

public sealed class AnthropicAnswerTests
{
    // Recorded from the provider; only the texts are ours.
    internal static readonly string Recorded = """
        event: message_start
        data: {"type":"message_start","message":{"id":"msg_01","type":"message","role":"assistant","model":"claude-x","content":[],
            "stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":25,"cache_creation_input_tokens":10,"cache_read_input_tokens":7,
            "cache_creation":{"ephemeral_5m_input_tokens":4,"ephemeral_1h_input_tokens":6},"output_tokens":1,"service_tier":"standard"}}}

        event: content_block_start
        data: {"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"","signature":""}}

        event: ping
        data: {"type": "ping"}

        event: content_block_delta
        data: {"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"Let me \"see\"\n"}}

        event: content_block_delta
        data: {"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"EqQB=="}}

        event: content_block_stop
        data: {"type":"content_block_stop","index":0}

        event: content_block_start
        data: {"type":"content_block_start","index":1,"content_block":{"type":"text","text":""}}

        event: content_block_delta
        data: {"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"Hello \ud83d\ude00"}}

        event: content_block_delta
        data: {"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":" wörld"}}

        event: content_block_stop
        data: {"type":"content_block_stop","index":1}

        event: content_block_start
        data: {"type":"content_block_start","index":2,"content_block":{"type":"tool_use","id":"toolu_1","name":"weather","input":{}}}

        event: content_block_delta
        data: {"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":""}}

        event: content_block_delta
        data: {"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":"{\"city\": \"Ber"}}

        event: content_block_delta
        data: {"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":"lin\"}"}}

        event: content_block_stop
        data: {"type":"content_block_stop","index":2}

        event: content_block_start
        data: {"type":"content_block_start","index":3,"content_block":{"type":"tool_use","id":"toolu_2","name":"now","input":{}}}

        event: content_block_stop
        data: {"type":"content_block_stop","index":3}

        event: message_delta
        data: {"type":"message_delta","delta":{"stop_reason":"tool_use","stop_sequence":null},"usage":{"output_tokens":89}}

        event: message_stop
        data: {"type":"message_stop"}


        """.Unwrapped();

    internal static readonly string RecordedWhole = """
        {"id":"msg_01","type":"message","role":"assistant","model":"claude-x",
            "content":[{"type":"thinking","thinking":"Let me \"see\"\n","signature":"EqQB=="},
         {"type":"text","text":"Hello \ud83d\ude00 wörld"},{"type":"tool_use","id":"toolu_1","name":"weather","input":{"city": "Berlin"}},
            {"input":{},"name":"now","id":"toolu_2","type":"tool_use"}],
         "stop_reason":"tool_use","stop_sequence":null,"usage":{"input_tokens":25,"cache_creation_input_tokens":10,
            "cache_read_input_tokens":7,
         "cache_creation":{"ephemeral_5m_input_tokens":4,"ephemeral_1h_input_tokens":6},"output_tokens":89}}
        """.Unwrapped();

    static readonly string RecordedContent = """
        Start msg_01|Reasoning Let me "see"
        |Signature EqQB==|Text Hello 😀 wörld|ToolCall 0 toolu_1 weather|ToolArguments 0 {"city": "Berlin"}|ToolCall 1 toolu_2 
            now|ToolArguments 1 {}|Finish ToolCalls
        """.Unwrapped();

    internal static readonly AnswerHead Head = new("req_1", "named-by-caller", DateTimeOffset.UnixEpoch, new AnthropicRequest());

    [Fact]
    public void A_stream_says_the_same_whatever_the_pieces() => Seeds.ForEach(200, random =>
    {
        var events = ReadStream(Recorded, random, out var reader);
        Assert.Equal(RecordedContent.ReplaceLineEndings("\n"), Show(events));
        Assert.Equal((true, true, false), (reader.IsFinished, reader.IsDone, reader.MalformedSeen));
    });

    [Fact]
    public void A_whole_answer_says_the_same_as_its_stream()
    {
        var events = new List<AnswerEvent>();
        Assert.True(new AnthropicReader().ReadWhole(Encoding.UTF8.GetBytes(RecordedWhole), events));
        Assert.Equal(RecordedContent.ReplaceLineEndings("\n"), Show(events));
        Assert.Equal(ReadStream(Recorded, new Random(1), out _)[^1].Usage!.Usage!.ToArray(), events[^1].Usage!.Usage!.ToArray());
    }

    [Theory]
    [InlineData("end_turn", StopReason.End)]
    [InlineData("max_tokens", StopReason.Length)]
    [InlineData("model_context_window_exceeded", StopReason.Length)]
    [InlineData("stop_sequence", StopReason.StopSequence)]
    [InlineData("tool_use", StopReason.ToolCalls)]
    [InlineData("refusal", StopReason.Filtered)]
    public void Every_reason_to_stop_is_understood(string reason, StopReason expected)
    {
        var events = new List<AnswerEvent>();
        new AnthropicReader().ReadWhole(
            Encoding.UTF8.GetBytes($$"""{"content":[],"stop_reason":"{{reason}}","stop_sequence":"END"}"""),
            events);
        Assert.Equal((AnswerEventKind.Finish, expected, "END"), (events[^1].Kind, events[^1].Stop, events[^1].Text));
    }

    [Theory]
    [InlineData("""{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}""")]
    [InlineData("""{"error":{"message":"Overloaded","type":"overloaded_error"},"type":"error"}""")]
    public void An_error_is_told_in_the_providers_words(string json)
    {
        Assert.Equal("Overloaded", Assert.Single(ReadStream($"event: error\ndata: {json}\n\n", new Random(1), out _)).Text);
        var events = new List<AnswerEvent>();
        Assert.True(new AnthropicReader().ReadWhole(Encoding.UTF8.GetBytes(json), events));
        Assert.Contains(events, e => e is { Kind: AnswerEventKind.Error, Text: "Overloaded" });
    }

    [Theory]
    [InlineData("")]
    [InlineData("[]")]
    [InlineData("{}")]
    [InlineData("<html>")]
    [InlineData("""{"content":"text"}""")]
    [InlineData("""{"choices":[{"message":{"content":"x"}}]}""")]
    public void What_is_no_answer_of_this_wire_is_not_taken_for_one(string json) =>
        Assert.False(new AnthropicReader().ReadWhole(Encoding.UTF8.GetBytes(json), []));

    [Fact]
    public void Bytes_pass_through_but_for_the_cost_in_the_last_usage() => Seeds.ForEach(200, random =>
    {
        using var relay = new PassRelay(Wires.Messages);
        var sent = Push(relay, Recorded, random);
        Assert.Equal(Recorded[..Recorded.IndexOf("event: message_delta", StringComparison.Ordinal)], Text(sent));
        Assert.True(relay is { IsWhole: true, IsDone: true });

        var usage = relay.Meter.Settle("{}"u8).Usage;
        Assert.Equal(
            (25, 7, 4, 6, 89),
            (usage[Meter.Input], usage[Meter.CachedInput], usage[Meter.CacheWrite5m], usage[Meter.CacheWrite1h], usage[Meter.Output]));
        relay.WriteTail(sent, usage, new Money(1230));
        Assert.Equal(
            Recorded.Replace("\"output_tokens\":89}", "\"output_tokens\":89,\"cost\":\"0.00000123\"}", StringComparison.Ordinal),
            Text(sent));
    });

    [Fact]
    public void A_keep_alive_after_the_end_does_not_let_the_end_go_before_it_is_settled()
    {
        using var relay = new PassRelay(Wires.Messages);
        var end = Recorded.IndexOf("event: message_stop", StringComparison.Ordinal);
        var sent = Push(relay, Recorded[..end] + "event: ping\ndata: {\"type\":\"ping\"}\n\n" + Recorded[end..], new Random(1));
        Assert.DoesNotContain("message_delta", Text(sent), StringComparison.Ordinal);
    }

    [Fact]
    public void Who_leaves_before_the_end_does_not_pay_by_the_placeholder_of_the_beginning()
    {
        using var relay = new PassRelay(Wires.Messages);
        Push(relay, Recorded[..Recorded.IndexOf("event: message_delta", StringComparison.Ordinal)], new Random(1));
        Assert.Equal((false, false), (relay.Meter.UsageIsBelieved, relay.IsWhole));
        var reading = relay.Meter.Settle("""{"messages":[{"content":"one two"}]}"""u8);
        Assert.True(reading.Estimated && reading.Usage[Meter.Output] > 5);
        Assert.Equal(2, reading.Usage[Meter.Input]);
    }

    [Fact]
    public void A_stream_that_breaks_off_ends_in_an_error_that_clients_raise()
    {
        using var relay = new PassRelay(Wires.Messages);
        var sent = Push(relay, Recorded[..400], new Random(1));
        sent.ResetWrittenCount();
        relay.WriteFailure(sent, Problems.Upstream(503, "upstream_interrupted", "The provider broke off."), "req_1");
        var data = Text(sent)["event: error\ndata: ".Length..];
        using var json = JsonDocument.Parse(data);
        Assert.Equal(("error", "overloaded_error", "The provider broke off.", "req_1"), (
            json.RootElement.GetProperty("type").GetString(),
            json.RootElement.GetProperty("error").GetProperty("type").GetString(),
            json.RootElement.GetProperty("error").GetProperty("message").GetString(),
            json.RootElement.GetProperty("request_id").GetString()));
        Assert.EndsWith("}\n\n", data, StringComparison.Ordinal);
    }

    [Fact]
    public void What_is_written_is_read_again_as_the_same_stream() => Seeds.ForEach(500, random =>
    {
        var (events, usage) = RandomAnswer(random);
        var writer = Wires.Messages.NewWriter(Head);
        var sent = new ArrayBufferWriter<byte>();
        foreach (var e in events.SkipLast(1))
            writer.Write(e, sent);
        writer.WriteEnd(events[^1], usage, new Money(1230), sent);

        var read = ReadStream(Text(sent), random, out var reader);
        Assert.Equal(Show(events), Show(read));
        Assert.Equal(usage.ToArray(), read[^1].Usage!.Usage!.ToArray());
        Assert.True(reader.IsDone);
        Assert.Contains("\"cost\":\"0.00000123\"", read[^1].Usage!.Raw, StringComparison.Ordinal);
        AssertBlocksAreInOrder(Text(sent));
    });

    [Fact]
    public void What_is_written_is_read_again_as_the_same_whole_answer() => Seeds.ForEach(500, random =>
    {
        var (events, usage) = RandomAnswer(random);
        var sent = new ArrayBufferWriter<byte>();
        Wires.Messages.NewWriter(Head).WriteWhole(events, usage, new Money(1230), sent);
        var read = new List<AnswerEvent>();
        Assert.True(new AnthropicReader().ReadWhole(sent.WrittenSpan, read));
        Assert.Equal(Show(events), Show(read));
        Assert.Equal(usage.ToArray(), read[^1].Usage!.Usage!.ToArray());
        using var json = JsonDocument.Parse(sent.WrittenMemory);
        Assert.Equal(("message", "assistant", "named-by-caller", "0.00000123"), (
            json.RootElement.GetProperty("type").GetString(),
            json.RootElement.GetProperty("role").GetString(),
            json.RootElement.GetProperty("model").GetString(),
            json.RootElement.GetProperty("usage").GetProperty("cost").GetString()));
    });

    [Fact]
    public void Arguments_that_are_no_json_are_shown_as_they_are()
    {
        var sent = new ArrayBufferWriter<byte>();
        Wires.Messages.NewWriter(Head).WriteWhole(
            [AnswerEvent.Call(0, "c", "f"), AnswerEvent.Arguments(0, "{\"a\":"), AnswerEvent.Call(1, "d", "g")],
            new Usage(),
            default,
            sent);
        using var json = JsonDocument.Parse(sent.WrittenMemory);
        var content = json.RootElement.GetProperty("content");
        Assert.Equal(("{\"a\":", "{}"), (content[0].GetProperty("input").GetString(), content[1].GetProperty("input").GetRawText()));
        Assert.Equal("tool_use", json.RootElement.GetProperty("stop_reason").GetString());
    }

    /// <summary>
    /// Every block begins before its pieces, ends after them, and by the end all have ended; only tool calls are open side by side.
    /// </summary>
    static void AssertBlocksAreInOrder(string stream)
    {
        var (open, next) = (new Dictionary<int, string>(), 0);
        foreach (var line in stream.Split('\n').Where(line => line.StartsWith("data: ", StringComparison.Ordinal)))
        {
            using var json = JsonDocument.Parse(line[6..]);
            var index = json.RootElement.TryGetProperty("index", out var number) ? number.GetInt32() : -1;
            switch (json.RootElement.GetProperty("type").GetString())
            {
                case "content_block_start":
                    Assert.Equal(next++, index);
                    open[index] = json.RootElement.GetProperty("content_block").GetProperty("type").GetString()!;
                    Assert.InRange(open.Values.Count(type => type != "tool_use"), 0, 1);
                    break;
                case "content_block_delta":
                    Assert.True(open.ContainsKey(index));
                    break;
                case "content_block_stop":
                    Assert.True(open.Remove(index));
                    break;
                case "message_delta":
                    Assert.Empty(open);
                    break;
            }
        }
    }

    /// <summary>All events of an answer, its reason to end last.</summary>
    static (List<AnswerEvent> Events, Usage Usage) RandomAnswer(Random random)
    {
        var events = new List<AnswerEvent> { new(AnswerEventKind.Start, Id: "msg_9") };
        var calls = 0;
        for (var blocks = random.Next(1, 5); blocks > 0; blocks--)
            switch (random.Next(3))
            {
                case 0:
                    events.AddRange(Pieces("some \"words\"\n😀 and\\more <>&", random).Select(AnswerEvent.Words));
                    break;
                case 1:
                    events.AddRange(Pieces("thoughts about 日本", random).Select(text => new AnswerEvent(AnswerEventKind.Reasoning, text)));
                    events.Add(new(AnswerEventKind.Signature, "c2Vh=="));
                    break;
                default:
                    var side = random.Next(1, 3);
                    var arguments = Enumerable.Range(0, side)
                        .Select(i => new Queue<string>(Pieces("{\"a\":[\"}{\\\"\",{}]}", random)))
                        .ToArray();
                    for (var i = 0; i < side; i++)
                        events.Add(AnswerEvent.Call(calls + i, $"call_{calls + i}", "tool"));
                    while (arguments.Any(pieces => pieces.Count > 0))
                        if (random.Next(side) is var one && arguments[one].TryDequeue(out var piece))
                            events.Add(AnswerEvent.Arguments(calls + one, piece));
                    calls += side;
                    break;
            }
        events.Add(calls > 0 ? AnswerEvent.Finished(StopReason.ToolCalls)
            : random.Next(2) == 0 ? AnswerEvent.Finished(StopReason.Length)
            : AnswerEvent.Finished(StopReason.StopSequence, "END"));
        var usage = new Usage
        {
            [Meter.Request] = 1, [Meter.Input] = random.Next(1, 9), [Meter.CachedInput] =
                random.Next(9), [Meter.CacheWrite5m] = random.Next(9), [Meter.CacheWrite1h] = random.Next(9),
            [Meter.Output] = random.Next(1, 9), [Meter.Reasoning] = random.Next(9),
        };
        return (events, usage);
    }

    /// <summary>Never cuts a character in two.</summary>
    static IEnumerable<string> Pieces(string text, Random random)
    {
        for (var start = 0; start < text.Length;)
        {
            var length = Math.Min(random.Next(1, 9), text.Length - start);
            length += char.IsHighSurrogate(text[start + length - 1]) ? 1 : 0;
            yield return text.Substring(start, length);
            start += length;
        }
    }

    /// <summary>The content of an answer, however it was cut into pieces; usage left out.</summary>
    static string Show(List<AnswerEvent> events)
    {
        var shown = new List<(string Key, string Text)>();
        foreach (var e in events.Where(e => e.Kind != AnswerEventKind.Usage))
        {
            var key = e.Kind switch
            {
                AnswerEventKind.ToolArguments => $"ToolArguments {e.Index} ",
                AnswerEventKind.ToolCall => $"ToolCall {e.Index} {e.Id} ",
                AnswerEventKind.Start => $"Start {e.Id}",
                AnswerEventKind.Finish => $"Finish {e.Stop}",
                _ => $"{e.Kind} ",
            };
            var isCall = e.Kind == AnswerEventKind.ToolCall;
            var before = e.Kind == AnswerEventKind.ToolArguments ? shown.FindIndex(s => s.Key == key)
                : shown.Count > 0 && shown[^1].Key == key ? shown.Count - 1
                : -1;
            if (before >= 0)
                shown[before] = (key, shown[before].Text + e.Text);
            else
                shown.Add((key, e.Text ?? ""));
            // Arguments stand behind their call.
            if (isCall)
                shown.Add(($"ToolArguments {e.Index} ", ""));
        }
        return string.Join('|', shown.Select(s => s.Key + s.Text));
    }

    static List<AnswerEvent> ReadStream(string stream, Random random, out AnswerReader reader)
    {
        (var events, reader) = TranslationCases.ReadStream(Wires.Messages, Encoding.UTF8.GetBytes(stream), random);
        return events;
    }

    static ArrayBufferWriter<byte> Push(StreamRelay relay, string stream, Random random)
    {
        var sent = new ArrayBufferWriter<byte>();
        foreach (var piece in TranslationCases.Pieces(Encoding.UTF8.GetBytes(stream), random))
            relay.Push(piece, sent);
        relay.End(sent);
        return sent;
    }

    static string Text(ArrayBufferWriter<byte> sent) => Encoding.UTF8.GetString(sent.WrittenSpan);
}
