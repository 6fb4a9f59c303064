using System.Text;
using System.Text.Json;
using LlmGateway.Contracts;
using LlmGateway.Proxy;
using LlmGateway.Proxy.Translation;
using Xunit;

namespace LlmGateway.UnitTests.Proxy;

/// <summary>How an answer ended, from every wire to every other.</summary>
public sealed class StopReasonsTests
{
    static readonly (string Wire, string Word, StopReason Reason)[] Known =
    [
        ("chat", "stop", StopReason.End), ("chat", "eos", StopReason.End), ("chat", "length", StopReason.Length),
        ("chat", "model_length", StopReason.Length), ("chat", "max_tokens", StopReason.Length),
        ("chat", "function_call", StopReason.ToolCalls), ("chat", "content_filter", StopReason.Filtered),
        ("chat", "sensitive", StopReason.Filtered), ("chat", "safety", StopReason.Filtered),
        ("messages", "end_turn", StopReason.End), ("messages", "stop_sequence", StopReason.StopSequence),
        ("messages", "max_tokens", StopReason.Length), ("messages", "model_context_window_exceeded", StopReason.Length),
        ("messages", "tool_use", StopReason.ToolCalls), ("messages", "refusal", StopReason.Filtered),
        ("messages", "guardrail_intervened", StopReason.Filtered), ("messages", "stop", StopReason.End),
        ("gemini", "STOP", StopReason.End), ("gemini", "MAX_TOKENS", StopReason.Length), ("gemini", "SAFETY", StopReason.Filtered),
        ("gemini", "RECITATION", StopReason.Filtered), ("gemini", "IMAGE_SAFETY", StopReason.Filtered),
        ("responses", "completed", StopReason.End), ("responses", "max_output_tokens", StopReason.Length),
        ("responses", "content_filter", StopReason.Filtered),
    ];

    static readonly (string Wire, string Word)[] Failures =
    [
        ("gemini", "MALFORMED_FUNCTION_CALL"), ("gemini", "UNEXPECTED_TOOL_CALL"), ("gemini", "TOO_MANY_TOOL_CALLS"), ("gemini", "OTHER"),
        ("gemini", "MALFORMED_RESPONSE"), ("gemini", "INVENTED_TOMORROW"),
        ("chat", "error"), ("chat", "insufficient_system_resource"), ("chat", "network_error"), ("chat", "abort"),
        ("chat", "invented_tomorrow"), ("messages", "invented_tomorrow"), ("messages", "malformed_tool_use"),
        ("responses", "cancelled"), ("responses", "queued"), ("responses", "invented_tomorrow"),
    ];

    public static TheoryData<string, string, string, string, bool> KnownPairs => Pairs(
        Known.Select(row => (row.Wire, row.Word, row.Reason.ToString())));

    public static TheoryData<string, string, string, string, bool> FailurePairs => Pairs(
        Failures.Select(row => (row.Wire, row.Word, nameof(StopReason.Failed))));

    [Theory, MemberData(nameof(KnownPairs))]
    public void A_word_of_one_wire_is_said_in_the_words_of_the_other(string from, string to, string word, string reason, bool stream)
    {
        var (said, failure) = Translate(from, to, Answer(from, word, stream), stream);
        Assert.Null(failure);
        var expected = StopReasons.WordsOf(Enum.Parse<StopReason>(reason));
        Assert.Contains(
            to switch
            {
                "chat" => $"\"finish_reason\":\"{expected.Chat}\"",
                "messages" => $"\"stop_reason\":\"{expected.Messages}\"",
                "gemini" => $"\"finishReason\":\"{expected.Gemini}\"",
                _ => expected.Responses is { } incomplete ? $"\"reason\":\"{incomplete}\"" : "\"status\":\"completed\"",
            },
            said,
            StringComparison.Ordinal);
    }

    /// <summary>google-gemini/gemini-cli #11661: an agent took the empty answer for a finished one.</summary>
    [Theory, MemberData(nameof(FailurePairs))]
    public void A_failure_or_an_unknown_word_is_never_a_success(string from, string to, string word, string reason, bool stream)
    {
        Assert.Equal(nameof(StopReason.Failed), reason);
        var (said, failure) = Translate(from, to, Answer(from, word, stream), stream);
        Assert.Contains(word, failure, StringComparison.Ordinal);
        foreach (var success in (string[])["end_turn", "\"completed\"", "\"STOP\"", "\"stop\""])
            Assert.DoesNotContain(success, said, StringComparison.Ordinal);
    }

    [Fact]
    public void What_Google_says_of_a_call_that_it_could_not_write_is_told()
    {
        var (_, failure) = Translate("gemini", "chat", """
            {"candidates":[{"content":{},"finishReason":"MALFORMED_FUNCTION_CALL","finishMessage":"Malformed function call: print(x)"}],
            "usageMetadata":{"promptTokenCount":1000,"totalTokenCount":1000}}
            """.Unwrapped(), stream: false);
        Assert.Contains("Malformed function call: print(x)", failure, StringComparison.Ordinal);
    }

    /// <summary>Some servers repeat in each piece that there is no reason yet.</summary>
    [Theory]
    [InlineData("")]
    [InlineData("null")]
    public void No_reason_yet_is_no_end(string word)
    {
        var events = new List<AnswerEvent>();
        Assert.True(Wires.Chat.NewReader().ReadWhole(Encoding.UTF8.GetBytes(Answer("chat", word, stream: false)), events));
        Assert.DoesNotContain(events, e => e.Kind == AnswerEventKind.Finish);
    }

    static TheoryData<string, string, string, string, bool> Pairs(IEnumerable<(string Wire, string Word, string Reason)> rows)
    {
        var data = new TheoryData<string, string, string, string, bool>();
        foreach (var (wire, word, reason) in rows)
            foreach (var to in AnswerCases.Wires.Keys.Where(to => to != wire))
                foreach (var stream in (bool[])[false, true])
                    data.Add(wire, to, word, reason, stream);
        return data;
    }

    static (string Said, string? Failure) Translate(string from, string to, string answer, bool stream) =>
        stream ? AnswerCases.Stream(from, to, answer) : AnswerCases.Whole(from, to, answer);

    /// <summary>One word and this end.</summary>
    static string Answer(string wire, string word, bool stream)
    {
        var said = wire switch
        {
            "chat" => $$$"""
                {"id":"c","choices":[{"index":0,"{{{(stream ? "delta" : "message")}}}":{"content":"Hi"},"finish_reason":"{{{word}}}"}],
                "usage":{"prompt_tokens":5,"completion_tokens":1}}
                """.ReplaceLineEndings(""),
            "gemini" => $$$"""
                {"candidates":[{"content":{"parts":[{"text":"Hi"}]},"finishReason":"{{{word}}}"}],
                "usageMetadata":{"promptTokenCount":5,"candidatesTokenCount":1}}
                """.ReplaceLineEndings(""),
            "messages" => $$$"""
                {"id":"m","content":[{"type":"text","text":"Hi"}],"stop_reason":"{{{word}}}","usage":{"input_tokens":5,"output_tokens":1}}
                """.Trim(),
            _ => $$$"""
                {"id":"resp_1","status":"{{{(word is "completed" or "cancelled" or "queued" ? word : "incomplete")}}}",
                "incomplete_details":{"reason":"{{{word}}}"},
                "output":[{"type":"message","content":[{"type":"output_text","text":"Hi"}]}],"usage":{"input_tokens":5,"output_tokens":1}}
                """.ReplaceLineEndings(""),
        };
        return (stream, wire) switch
        {
            (false, _) => said,
            (_, "messages") => AnswerCases.MessagesStream(said),
            (_, "responses") => $"event: response.completed\ndata: {{\"type\":\"response.completed\",\"response\":{said}}}\n\n",
            _ => $"data: {said}\n\n",
        };
    }
}

/// <summary>One answer of a provider, told to a caller of another wire as the pipeline does it.</summary>
static class AnswerCases
{
    public static readonly Dictionary<string, ConversationWire> Wires = new()
    {
        ["chat"] = LlmGateway.Proxy.Wires.Chat, ["messages"] = LlmGateway.Proxy.Wires.Messages,
        ["gemini"] = LlmGateway.Proxy.Wires.Gemini, ["responses"] = LlmGateway.Proxy.Wires.Responses,
    };

    static AnswerHead Head => new("req_1", "m", DateTimeOffset.UnixEpoch, ChatRequestTests.Accepted(
        """{"model":"m","stream_options":{"include_usage":true},"messages":[{"role":"user","content":"hi"}]}"""));

    /// <returns>What the caller would get, and why it gets an error instead.</returns>
    public static (string Said, string? Failure) Whole(string from, string to, string answer)
    {
        var writer = Wires[to].NewWriter(Head);
        var meter = new EventMeter(Wires[from].NewReader(), writer);
        var sent = new System.Buffers.ArrayBufferWriter<byte>();
        if (!meter.See(Encoding.UTF8.GetBytes(answer)) || meter.ErrorSeen)
            return ("", meter.ErrorMessage ?? "none of the wire");
        writer.WriteWhole(meter.Whole, meter.Settle("{}"u8).Usage, new Money(1230), sent);
        JsonDocument.Parse(sent.WrittenMemory).Dispose();
        return (Encoding.UTF8.GetString(sent.WrittenSpan), null);
    }

    public static (string Said, string? Failure) Stream(string from, string to, string answer)
    {
        using var relay = new TranslatedRelay(Wires[from], Wires[to], Head);
        var sent = Encoding.UTF8.GetString(TranslationCases.Push(relay, Encoding.UTF8.GetBytes(answer), new Random(1)));
        return (sent, relay.IsWhole ? null : relay.FailureMessage ?? "broken off");
    }

    /// <summary>A whole answer of the Messages wire as its stream, without the blocks' starts and ends being split.</summary>
    public static string MessagesStream(string whole)
    {
        using var json = JsonDocument.Parse(whole);
        var (stream, root) = (new StringBuilder(), json.RootElement);
        Event("message_start", """ "message":{"id":"m","usage":{"input_tokens":5,"output_tokens":1}} """);
        foreach (var (index, block) in root.GetProperty("content").EnumerateArray().Index())
        {
            Event("content_block_start", $"\"index\":{index},\"content_block\":{block.GetRawText()}");
            Event("content_block_stop", $"\"index\":{index}");
        }
        var reason = root.GetProperty("stop_reason").GetRawText();
        Event("message_delta", $"\"delta\":{{\"stop_reason\":{reason}}},\"usage\":{{\"output_tokens\":1}}");
        Event("message_stop", "\"x\":0");
        return stream.ToString();

        void Event(string type, string members) => stream.Append($"event: {type}\ndata: {{\"type\":\"{type}\",{members.Trim()}}}\n\n");
    }
}
