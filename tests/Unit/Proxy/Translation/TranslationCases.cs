using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using LlmGateway.Contracts;
using LlmGateway.Proxy;
using LlmGateway.Proxy.Chat;
using LlmGateway.Proxy.OneShots;
using LlmGateway.Proxy.Translation;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.UnitTests.Proxy;

/// <summary>Random conversations and answers in no wire's words, and what a wire makes of them.</summary>
static class TranslationCases
{
    static readonly string[] Words =
        ["word ", "größer ", "日本", "😀", "a\"b\\c ", "\n\n", "</script>", "data: [DONE]\n\n", "\u2028", "{}", "\0\u001f"];

    public static readonly ProviderUsage Usage = ChatUsage.Read(
        """{"prompt_tokens":20,"completion_tokens":7,"prompt_tokens_details":{"cached_tokens":5},"completion_tokens_details":"""u8
            + """{"reasoning_tokens":3}}"""u8);

    public static string Text(Random random) =>
        string.Concat(Enumerable.Range(0, random.Next(1, 5)).Select(_ => Words[random.Next(Words.Length)]));

    /// <param name="samplesAll">With penalties, seed and stop sequences.</param>
    public static Conversation Conversation(Random random, bool samplesAll, bool imagesInResults)
    {
        var turns = new List<Turn>();
        for (var i = random.Next(1, 5); i > 0; i--)
        {
            List<Part> said = [new TextPart(Text(random))];
            if (random.Next(3) == 0)
                said.Add(Image(random));
            if (random.Next(3) == 0)
                said.Add(new TextPart(Text(random)));
            turns.Add(new(Speaker.User, said, ""));
            List<Part> answered = random.Next(3) == 0 ? [] : [new TextPart(Text(random))];
            List<Part> results = [];
            for (var call = answered.Count == 0 ? 1 : random.Next(3); call > 0; call--)
            {
                var (id, name) = ($"call_{turns.Count}_{call}", $"tool{random.Next(3)}");
                answered.Add(new ToolCallPart(id, name, $$"""{"n":{{random.Next()}},"text":"{{(random.Next(2) == 0 ? "ü" : "\\n")}}"}"""));
                List<Part> content = [new TextPart(Text(random))];
                if (imagesInResults && random.Next(3) == 0)
                    content.Add(Image(random));
                results.Add(new ToolResultPart(id, name, content, false, ""));
            }
            turns.Add(new(Speaker.Assistant, answered, ""));
            if (results.Count > 0)
                turns.Add(new(Speaker.User, results, ""));
        }
        var samples = samplesAll && random.Next(2) == 0;
        return new()
        {
            System = [.. Enumerable.Range(0, random.Next(3)).Select(_ => new TextPart(Text(random)))],
            Turns = turns,
            Tools = [.. Enumerable.Range(0, 3).Select(n => new Tool(
                $"tool{n}",
                random.Next(2) == 0 ? Text(random) : null,
                """{"type":"object","properties":{"n":{"type":"integer"}}}""",
                random.Next(2) == 0,
                ""))],
            ToolChoice = random.Next(5) is var mode and < 4 ? new((ToolMode)mode, mode == (int)ToolMode.One ? "tool1" : null, "") : null,
            ParallelTools = random.Next(2) == 0 ? new(random.Next(2) == 0, "") : null,
            Temperature = random.Next(2) == 0 ? new(0.1m * random.Next(20), "") : null,
            TopP = random.Next(2) == 0 ? new(0.25m, "") : null,
            FrequencyPenalty = samples ? new(-1.5m, "") : null,
            PresencePenalty = samples ? new(0.5m, "") : null,
            Seed = samples ? new(random.NextInt64(), "") : null,
            Stop = samples ? new([Text(random), "END"], "") : null,
            Format = random.Next(3) switch
            {
                0 => new("shape", """{"type":"object","properties":{}}""", random.Next(2) == 0, ""),
                1 => new(null, null, false, ""),
                _ => null,
            },
            Effort = random.Next(2) == 0 ? new(random.Next(2) == 0 ? "low" : "high", null, false, "") : null,
        };
    }

    static ImagePart Image(Random random) =>
        random.Next(2) == 0 ? new("image/png", "iVBORw0KGgo=", null, "") : new(null, null, "https://example.com/a.png?b=c&d", "");

    /// <summary>A conversation as text without the fields it came from, neighbours of the same speaker joined.</summary>
    public static string Show(Conversation conversation)
    {
        var shown = new StringBuilder();
        Speaker? speaker = null;
        foreach (var turn in conversation.Turns)
        {
            if (turn.Speaker != speaker)
                shown.AppendLine(CultureInfo.InvariantCulture, $"{speaker = turn.Speaker}:");
            foreach (var part in turn.Parts)
                shown.AppendLine(Show(part));
        }
        shown.AppendJoin('|', conversation.System.Select(part => part.Text)).AppendLine();
        foreach (var tool in conversation.Tools)
            shown.AppendLine((tool with { Field = "" }).ToString());
        return shown.AppendJoin('\n',
        [
            conversation.ToolChoice is { } choice
                ? choice with { Field = "" }
                : null, conversation.ParallelTools?.Value, conversation.Temperature?.Value, conversation.TopP?.Value,
            conversation.TopK?.Value, conversation.FrequencyPenalty?.Value, conversation.PresencePenalty?.Value, conversation.Seed?.Value,
            conversation.Stop is { } stop ? string.Join('|', stop.Value) : null,
            conversation.Format is { } format
                ? format with { Field = "" }
                : null, conversation.Effort is { } effort ? effort with { Field = "" } : null,
        ]).ToString();
    }

    static string Show(Part part) => part switch
    {
        ToolResultPart result => $"result {result.CallId} {result.Name} {result.IsError} [{string.Join(',', result.Content.Select(Show))}]",
        ImagePart image => (image with { Field = "" }).ToString(),
        _ => part.ToString(),
    };

    /// <summary>
    /// An answer with its usage and its end. Texts of one kind stand alone between others: pieces of one text cannot be told apart.
    /// </summary>
    public static List<AnswerEvent> Answer(Random random, bool refuses = true)
    {
        var events = new List<AnswerEvent> { new(AnswerEventKind.Start, Id: "resp_answer1") };
        if (random.Next(2) == 0)
            Add(AnswerEventKind.Reasoning);
        if (random.Next(4) > 0)
            Add(AnswerEventKind.Text);
        else if (refuses)
            Add(AnswerEventKind.Refusal);
        var calls = random.Next(3);
        for (var call = 0; call < calls; call++)
            events.Add(AnswerEvent.Call(call, $"call_{call}", $"tool{call}"));
        // Arguments of several calls come interleaved.
        foreach (var piece in (string[])["{\"a\":", "\"ü😀\\n", "\"}"])
            for (var call = 0; call < calls; call++)
                events.Add(AnswerEvent.Arguments(call, piece));
        events.Add(
            AnswerEvent.Finished(calls > 0
                ? StopReason.ToolCalls
                : random.Next(3) switch { 0 => StopReason.Length, 1 => StopReason.Filtered, _ => StopReason.End }));
        events.Add(AnswerEvent.Used(Usage));
        return events;

        void Add(AnswerEventKind kind)
        {
            for (var pieces = random.Next(1, 4); pieces > 0; pieces--)
                events.Add(new(kind, Text(random)));
        }
    }

    /// <summary>Answers as text: pieces of the same thing joined, calls one after the other, usage as counts.</summary>
    public static string Show(IEnumerable<AnswerEvent> events)
    {
        var shown = new StringBuilder();
        var kind = AnswerEventKind.Start;
        var calls = new SortedDictionary<int, string>();
        foreach (var e in events)
        {
            if (e.Kind is AnswerEventKind.ToolCall or AnswerEventKind.ToolArguments)
                calls[e.Index] = calls.GetValueOrDefault(e.Index) + (e.Kind == AnswerEventKind.ToolCall ? $"\n{e.Id} {e.Text} " : e.Text);
            else if (e.Kind is AnswerEventKind.Text or AnswerEventKind.Reasoning or AnswerEventKind.Refusal)
                shown.Append(e.Kind == kind ? "" : $"\n{e.Kind}: ").Append(e.Text);
            else if (e.Kind == AnswerEventKind.Finish)
                shown.Append(CultureInfo.InvariantCulture, $"\n{e.Kind}: {e.Stop}");
            else if (e.Kind == AnswerEventKind.Usage)
                shown.Append("\nUsage: ").AppendJoin(',', e.Usage?.Usage?.ToArray() ?? []);
            else
                shown.Append(CultureInfo.InvariantCulture, $"\n{e.Kind}: {e.Id} {e.Text}");
            kind = e.Kind;
        }
        return shown.AppendJoin("", calls.Values).ToString();
    }

    /// <summary>What the wire's writer says, as a stream.</summary>
    public static byte[] WriteStream(ConversationWire wire, AnswerHead head, List<AnswerEvent> events)
    {
        var (writer, sent) = (wire.NewWriter(head), new ArrayBufferWriter<byte>());
        foreach (var e in events)
            if (e.Kind is not (AnswerEventKind.Finish or AnswerEventKind.Usage))
                writer.Write(e, sent);
        writer.WriteEnd(events.Last(e => e.Kind == AnswerEventKind.Finish), Usage.Usage!, new Money(1230), sent);
        return sent.WrittenSpan.ToArray();
    }

    public static byte[] WriteWhole(ConversationWire wire, AnswerHead head, List<AnswerEvent> events)
    {
        var sent = new ArrayBufferWriter<byte>();
        wire.NewWriter(head).WriteWhole(events, Usage.Usage!, new Money(1230), sent);
        return sent.WrittenSpan.ToArray();
    }

    /// <summary>Reads a stream that arrives in pieces of random size.</summary>
    public static (List<AnswerEvent> Events, AnswerReader Reader) ReadStream(ConversationWire wire, byte[] stream, Random random)
    {
        var (reader, events) = (wire.NewReader(), new List<AnswerEvent>());
        using var sse = new SseReader();
        foreach (var piece in Pieces(stream, random))
            for (ReadOnlySpan<byte> rest = piece; sse.TryRead(ref rest, out var e);)
                if (e.HasData && !reader.IsDone)
                    reader.Read(e, events);
        return (events, reader);
    }

    /// <summary>A relay that is fed random pieces and then ended as <see cref="Inference"/> would.</summary>
    public static byte[] Push(StreamRelay relay, byte[] stream, Random random)
    {
        var sent = new ArrayBufferWriter<byte>();
        foreach (var piece in Pieces(stream, random))
            relay.Push(piece, sent);
        relay.End(sent);
        if (relay.IsWhole)
            relay.WriteTail(sent, relay.Meter.Settle("{}"u8).Usage, new Money(1230));
        else
            relay.WriteFailure(sent, Problems.Upstream(502, "upstream_interrupted", "The provider broke off its answer."), "req_1");
        return sent.WrittenSpan.ToArray();
    }

    /// <summary>What was sent, with one text for all ids that were made up: no two answers have the same.</summary>
    public static string Named(byte[] sent) => Regex.Replace(Encoding.UTF8.GetString(sent), "call_[0-9a-f]{24}", "call_made_up");

    /// <summary>As a network may deliver it.</summary>
    public static IEnumerable<byte[]> Pieces(byte[] stream, Random random)
    {
        for (var start = 0; start < stream.Length;)
        {
            var length = Math.Min(random.Next(1, 200), stream.Length - start);
            yield return stream[start..(start + length)];
            start += length;
        }
    }

    public static byte[] Mutated(byte[] stream, Random random)
    {
        for (var i = random.Next(1, 6); i > 0; i--)
            stream[random.Next(stream.Length)] = random.Next(3) == 0 ? (byte)random.Next(256) : stream[random.Next(stream.Length)];
        return stream;
    }
}
