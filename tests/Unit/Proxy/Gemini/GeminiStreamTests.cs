using System.Buffers;
using System.Text;
using System.Text.Json;
using LlmGateway.Contracts;
using LlmGateway.Proxy;
using LlmGateway.Proxy.Gemini;
using LlmGateway.Proxy.Translation;
using LlmGateway.ServiceDefaults;
using Xunit;

namespace LlmGateway.UnitTests.Proxy;

public sealed class GeminiStreamTests
{
    static readonly string Recorded = """
        data: {"candidates": [{"content": {"parts": [{"text": "Let me ","thought": true}],"role": "model"},"index": 0}],
            "usageMetadata": {"promptTokenCount": 7,"totalTokenCount": 9,"thoughtsTokenCount": 2},"modelVersion": "gemini-x",
            "responseId": "r-1"}

        data: {"candidates": [{"content": {"parts": [{"thought": true,"text": "see","thoughtSignature":"c2ln"}],"role": "model"},
            "index": 0}],"usageMetadata": {"promptTokenCount": 7,"totalTokenCount": 11,"thoughtsTokenCount": 4},"modelVersion": "gemini-x",
            "responseId": "r-1"}

        data: {"candidates": [{"content": {"parts": [{"text": "Grüße \"da\"\n"},{"text":"\ud83d\ude00"}],"role": "model"},"index": 0}],
            "usageMetadata": {"promptTokenCount": 7,"candidatesTokenCount": 5,"totalTokenCount": 16,"thoughtsTokenCount": 4},
            "modelVersion": "gemini-x","responseId": "r-1"}

        data: {"candidates": [{"content": 
            {"parts": [{"thoughtSignature": "c2Vh","functionCall": {"args": {"city": "Köln","n":[1,{}]},"name": "get.weather"}},
            {"functionCall": {"name": "now","id": "fc-2"}}],"role": "model"},"index": 0}],"usageMetadata": {"promptTokenCount": 7,
            "candidatesTokenCount": 9,"totalTokenCount": 20,"thoughtsTokenCount": 4},"modelVersion": "gemini-x","responseId": "r-1"}

        data: {"candidates": [{"content": {"parts": [{"text": ""}],"role": "model"},"finishReason": "STOP","index": 0}],
            "usageMetadata": {"promptTokenCount": 7,"candidatesTokenCount": 9,"totalTokenCount": 20,"thoughtsTokenCount": 4},
            "modelVersion": "gemini-x","responseId": "r-1"}


        """.Unwrapped();

    static readonly Usage Settled = Usage.From([5, 2, 0, 0, 9, 4]);
    static readonly Money Cost = new(1230);
    static readonly Problem Broken = Problems.Upstream(502, "upstream_interrupted", "The provider broke off its answer.");

    [Fact]
    public void A_stream_gives_the_same_events_whatever_its_pieces() => Seeds.ForEach(300, random =>
    {
        var (events, reader) = Read(Encoding.UTF8.GetBytes(Recorded), random);
        // The first call came without an id. Ids that are made up are of no other answer.
        var madeUp = events.First(e => e.Kind == AnswerEventKind.ToolCall).Id!;
        Assert.Matches("^call_[0-9a-f]{24}$", madeUp);
        AnswerEvent[] expected =
        [
            new(AnswerEventKind.Start, Id: "r-1"),
            new(AnswerEventKind.Reasoning, "Let me "), new(AnswerEventKind.Reasoning, "see"), new(AnswerEventKind.Signature, "c2ln"),
            AnswerEvent.Words("Grüße \"da\"\n"), AnswerEvent.Words("😀"),
            AnswerEvent.Call(0, madeUp, "get.weather", "c2Vh"), AnswerEvent.Arguments(0, """{"city": "Köln","n":[1,{}]}"""),
            AnswerEvent.Call(1, "fc-2", "now"), AnswerEvent.Arguments(1, "{}"),
            AnswerEvent.Finished(StopReason.ToolCalls),
        ];

        Assert.Equal(expected, events.Where(e => e.Kind != AnswerEventKind.Usage));
        Assert.Equal((4L, 9L), (events[^1].Usage!.Usage![Meter.Reasoning], events[^1].Usage!.Usage![Meter.Output]));
        Assert.Equal((true, false, false), (reader.IsFinished, reader.IsDone, reader.MalformedSeen));
    });

    [Fact]
    public void A_stream_that_is_passed_differs_in_nothing_but_the_cost_in_its_last_usage() => Seeds.ForEach(300, random =>
    {
        var sent = StreamRelay(Wires.Gemini.NewRelay(Request(sse: true)), Recorded, random);
        var last = Recorded.LastIndexOf("\"thoughtsTokenCount\": 4}", StringComparison.Ordinal) + "\"thoughtsTokenCount\": 4".Length;
        Assert.Equal(Recorded.Insert(last, ",\"cost\":\"0.00000123\""), sent);
    });

    [Fact]
    public void The_end_is_withheld_until_the_request_is_settled()
    {
        using var relay = Wires.Gemini.NewRelay(Request(sse: true));
        var sent = new ArrayBufferWriter<byte>();
        relay.Push(Encoding.UTF8.GetBytes(Recorded), sent);

        Assert.Equal(Recorded[..Recorded.LastIndexOf("data:", StringComparison.Ordinal)], Encoding.UTF8.GetString(sent.WrittenSpan));
        Assert.Equal((true, false), (relay.IsWhole, relay.IsDone));
    }

    [Fact]
    public void Without_events_the_stream_is_one_array() => Seeds.ForEach(300, random =>
    {
        var array = JsonDocument.Parse(StreamRelay(Wires.Gemini.NewRelay(Request(sse: false)), Recorded, random)).RootElement;
        Assert.Equal(5, array.GetArrayLength());
        Assert.Equal("0.00000123", array[4].GetProperty("usageMetadata").GetProperty("cost").GetString());
    });

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void An_answer_with_several_candidates_ends_when_all_of_them_have(bool sse)
    {
        using var relay = Wires.Gemini.NewRelay(Request(sse));
        var sent = new ArrayBufferWriter<byte>();
        Push(
            relay,
            """{"candidates":[{"index":0,"content":{"parts":[{"text":"a"}]}},{"index":1,"content":{"parts":[{"text":"b"}]}}]}""",
            sent);
        Push(relay, """{"candidates":[{"index":0,"finishReason":"STOP"}]}""", sent);
        Assert.False(relay.IsWhole);
        Push(relay, """{"candidates":[{"index":1,"finishReason":"MAX_TOKENS"}]}""", sent);
        Assert.True(relay.IsWhole);
        Assert.DoesNotContain("MAX_TOKENS", Encoding.UTF8.GetString(sent.WrittenSpan), StringComparison.Ordinal);
    }

    [Fact]
    public void A_refused_prompt_is_an_answer_that_was_withheld()
    {
        var (events, reader) = Read(
            "data: {\"promptFeedback\":{\"blockReason\":\"SAFETY\"},\"usageMetadata\":{\"promptTokenCount\":9,\"totalTokenCount\":9}}\n\n"u8
                .ToArray(),
            new(1));
        Assert.Contains(AnswerEvent.Finished(StopReason.Filtered), events);
        Assert.True(reader.IsFinished);
    }

    [Theory]
    [InlineData("STOP", StopReason.End)]
    [InlineData("MAX_TOKENS", StopReason.Length)]
    [InlineData("SAFETY", StopReason.Filtered)]
    [InlineData("PROHIBITED_CONTENT", StopReason.Filtered)]
    [InlineData("SOMETHING_NEW", StopReason.Failed)]
    [InlineData("OTHER", StopReason.Failed)]
    public void Every_reason_to_stop_is_known(string reason, StopReason stop)
    {
        var events = new List<AnswerEvent>();
        Assert.True(new GeminiReader().ReadWhole(Encoding.UTF8.GetBytes($$"""{"candidates":[{"finishReason":"{{reason}}"}]}"""), events));
        Assert.Contains(events, e => (e.Kind, e.Stop) == (AnswerEventKind.Finish, stop));
    }

    [Fact]
    public void A_stream_that_breaks_off_ends_in_an_error_that_clients_raise()
    {
        using var events = Wires.Gemini.NewRelay(Request(sse: true));
        var sent = new ArrayBufferWriter<byte>();
        events.WriteFailure(sent, Broken, "req_1");
        var line = Encoding.UTF8.GetString(sent.WrittenSpan);
        Assert.StartsWith("data: {", line, StringComparison.Ordinal);
        Assert.EndsWith("}\n\n", line, StringComparison.Ordinal);
        var error = JsonDocument.Parse(line[6..]).RootElement.GetProperty("error");
        Assert.Equal((502, "UNAVAILABLE"), (error.GetProperty("code").GetInt32(), error.GetProperty("status").GetString()));

        using var passed = Wires.Gemini.NewRelay(Request(sse: false));
        using var translated = new TranslatedRelay(Wires.Gemini, Wires.Gemini, Head(sse: false));
        foreach (var relay in (StreamRelay[])[passed, translated])
        {
            sent = new();
            Push(relay, """{"candidates":[{"content":{"parts":[{"text":"a"}]}}]}""", sent);
            relay.WriteFailure(sent, Broken, "req_1");
            var array = JsonDocument.Parse(sent.WrittenMemory).RootElement;
            Assert.Equal((2, 502), (array.GetArrayLength(), array[1].GetProperty("error").GetProperty("code").GetInt32()));
        }
    }

    [Fact]
    public void No_bytes_make_a_reader_or_a_relay_throw() => Seeds.ForEach(2000, random =>
    {
        var bytes = Encoding.UTF8.GetBytes(Recorded);
        for (var i = random.Next(1, 12); i > 0; i--)
            bytes[random.Next(bytes.Length)] = random.Next(3) == 0 ? "{}[]\",:\\\n"u8[random.Next(9)] : (byte)random.Next(256);
        if (random.Next(3) == 0)
            bytes = bytes[..random.Next(bytes.Length)];

        var (events, _) = Read(bytes, random);
        new GeminiReader().ReadWhole(bytes, []);
        StreamRelay[] relays =
        [
            Wires.Gemini.NewRelay(Request(sse: random.Next(2) == 0)),
            new TranslatedRelay(Wires.Gemini, Wires.Gemini, Head(sse: true)),
        ];
        foreach (var relay in relays)
            using (relay)
            {
                var sent = new ArrayBufferWriter<byte>();
                Pieces(bytes, random, piece => relay.Push(piece.Span, sent));
                relay.End(sent);
                relay.Meter.Settle("{}"u8);
                if (relay.IsWhole)
                    relay.WriteTail(sent, Settled, Cost);
                else
                    relay.WriteFailure(sent, Broken, "req_1");
            }
        Assert.All(events, e => Assert.True(e.Kind != AnswerEventKind.Text || e.Text is not null));
    });

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void What_the_writer_says_the_reader_understands(bool sse)
    {
        AnswerEvent[] said =
        [
            new(AnswerEventKind.Start, Id: "r-9"),
            new(AnswerEventKind.Reasoning, "hm"),
            new(AnswerEventKind.Signature, "c2ln"),
            AnswerEvent.Words("a\u00e9\"\n😀"),
            AnswerEvent.Call(0, "c0", "f", "c2Vh"),
            AnswerEvent.Call(1, "c1", "g"),
            AnswerEvent.Arguments(0, "{\"a\":"),
            AnswerEvent.Arguments(1, "{}"),
            AnswerEvent.Arguments(0, "[1]}"),
        ];
        AnswerEvent[] understood =
        [
            .. said[..4],
            AnswerEvent.Call(0, "c0", "f", "c2Vh"),
            AnswerEvent.Arguments(0, "{\"a\":[1]}"),
            AnswerEvent.Call(1, "c1", "g"),
            AnswerEvent.Arguments(1, "{}"),
            AnswerEvent.Finished(StopReason.ToolCalls),
        ];
        var stop = AnswerEvent.Finished(StopReason.ToolCalls);

        var stream = new ArrayBufferWriter<byte>();
        var writer = Wires.Gemini.NewWriter(Head(sse));
        foreach (var e in said)
            writer.Write(e, stream);
        writer.WriteEnd(stop, Settled, Cost, stream);
        var events = sse ? Read(stream.WrittenSpan.ToArray(), new(1)).Events : ReadArray(stream.WrittenMemory);
        Check(events);

        var whole = new ArrayBufferWriter<byte>();
        Wires.Gemini.NewWriter(Head(sse)).WriteWhole([.. said, stop], Settled, Cost, whole);
        events = [];
        Assert.True(new GeminiReader().ReadWhole(whole.WrittenSpan, events));
        Check(events);
        var json = JsonDocument.Parse(whole.WrittenMemory).RootElement;
        Assert.Equal(
            ("a model", "0.00000123"),
            (json.GetProperty("modelVersion").GetString(), json.GetProperty("usageMetadata").GetProperty("cost").GetString()));

        void Check(List<AnswerEvent> events)
        {
            Assert.Equal(understood, events.Where(e => e.Kind != AnswerEventKind.Usage));
            Assert.Equal(Settled.ToArray()[..6], events[^1].Usage!.Usage!.ToArray()[..6]);
        }
    }

    [Fact]
    public void A_function_call_that_broke_off_is_not_passed_on()
    {
        var whole = new ArrayBufferWriter<byte>();
        Wires.Gemini.NewWriter(Head(sse: true)).WriteWhole(
            [AnswerEvent.Call(0, "c", "f"), AnswerEvent.Arguments(0, "{\"a\":"), AnswerEvent.Finished(StopReason.Length)],
            Settled,
            Cost,
            whole);
        var candidate = JsonDocument.Parse(whole.WrittenMemory).RootElement.GetProperty("candidates")[0];
        Assert.Equal(
            (0, "MAX_TOKENS"),
            (candidate.GetProperty("content").GetProperty("parts").GetArrayLength(), candidate.GetProperty("finishReason").GetString()));
    }

    [Fact]
    public void Arguments_without_end_are_not_kept() => Assert.Throws<IOException>(() =>
    {
        var writer = Wires.Gemini.NewWriter(Head(sse: true));
        writer.Write(AnswerEvent.Call(0, "c", "f"), new ArrayBufferWriter<byte>());
        for (var i = 0; i <= GeminiWriter.MaxArguments / 1024; i++)
            writer.Write(AnswerEvent.Arguments(0, new string('1', 1024)), new ArrayBufferWriter<byte>());
    });

    [Theory]
    [InlineData(402, "FAILED_PRECONDITION")]
    [InlineData(429, "RESOURCE_EXHAUSTED")]
    [InlineData(400, "INVALID_ARGUMENT")]
    [InlineData(422, "INVALID_ARGUMENT")]
    [InlineData(500, "INTERNAL")]
    [InlineData(504, "DEADLINE_EXCEEDED")]
    public void An_error_has_Googles_shape_and_the_gateways_fields(int status, string name)
    {
        var body = new ArrayBufferWriter<byte>();
        Wires.Gemini.WriteError(body, new(status, "t", "some_code", "Why.", "field", 3), "req_1");
        var json = JsonDocument.Parse(body.WrittenMemory).RootElement;
        var error = json.GetProperty("error");

        Assert.Equal(
            (status, name, "Why."),
            (error.GetProperty("code").GetInt32(), error.GetProperty("status").GetString(), error.GetProperty("message").GetString()));
        Assert.Contains(
            error.GetProperty("details").EnumerateArray(),
            detail => detail.TryGetProperty("retryDelay", out var delay) && delay.GetString() == "3s");
        Assert.Equal(
            ("some_code", "req_1", "field"),
            (json.GetProperty("code").GetString(), json.GetProperty("requestId").GetString(), json.GetProperty("param").GetString()));
    }

    static (List<AnswerEvent> Events, GeminiReader Reader) Read(byte[] stream, Random random)
    {
        var (reader, events) = (new GeminiReader(), new List<AnswerEvent>());
        using var lines = new SseReader();
        Pieces(stream, random, piece =>
        {
            var rest = piece.Span;
            while (lines.TryRead(ref rest, out var e))
                if (e.HasData)
                    reader.Read(e, events);
        });
        return (events, reader);
    }

    static List<AnswerEvent> ReadArray(ReadOnlyMemory<byte> json)
    {
        var (reader, events) = (new GeminiReader(), new List<AnswerEvent>());
        foreach (var chunk in JsonDocument.Parse(json).RootElement.EnumerateArray())
            reader.Read(new SseEvent { Data = Encoding.UTF8.GetBytes(chunk.GetRawText()), HasData = true, IsComplete = true }, events);
        return events;
    }

    static string StreamRelay(StreamRelay relay, string stream, Random random)
    {
        using (relay)
        {
            var sent = new ArrayBufferWriter<byte>();
            Pieces(Encoding.UTF8.GetBytes(stream), random, piece => relay.Push(piece.Span, sent));
            relay.End(sent);
            Assert.True(relay.IsWhole);
            relay.WriteTail(sent, Settled, Cost);
            return Encoding.UTF8.GetString(sent.WrittenSpan);
        }
    }

    static void Push(StreamRelay relay, string chunk, ArrayBufferWriter<byte> sent) =>
        relay.Push(Encoding.UTF8.GetBytes($"data: {chunk}\r\n\r\n"), sent);

    static void Pieces(ReadOnlyMemory<byte> bytes, Random random, Action<ReadOnlyMemory<byte>> take)
    {
        while (bytes.Length > 0)
        {
            var length = Math.Min(bytes.Length, random.Next(3) == 0 ? random.Next(1, 8) : random.Next(1, 900));
            take(bytes[..length]);
            bytes = bytes[length..];
        }
    }

    static AnswerHead Head(bool sse) => new("req_1", "a model", DateTimeOffset.UnixEpoch, Request(sse));

    static ModelRequest Request(bool sse)
    {
        Assert.True(Wires.Gemini.TryRead("""{"contents":[{"parts":[]}]}"""u8, new("m", Stream: true, sse), out var request, out _));
        return request;
    }
}
