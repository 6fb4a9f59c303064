using System.Text;
using System.Text.Json.Nodes;
using LlmGateway.Proxy;
using LlmGateway.Proxy.Translation;
using Xunit;

namespace LlmGateway.UnitTests.Proxy;

/// <summary>A call in whose arguments the output limit was reached is no complete call, on any wire, whole or streamed.</summary>
public sealed class CutCallTests
{
    static readonly AnswerHead Head = new("req_1", "m", DateTimeOffset.UnixEpoch, ChatRequestTests.Accepted(
        """{"model":"m","messages":[{"role":"user","content":"hi"}]}"""));

    /// <summary>One call with all of its arguments, one without any, and one that was being written.</summary>
    static List<AnswerEvent> Answer(string last, StopReason stop)
    {
        List<AnswerEvent> answer =
        [
            new(AnswerEventKind.Start, Id: "x"), AnswerEvent.Call(0, "call_0", "whole"), AnswerEvent.Arguments(0, """{"a":1}"""),
            AnswerEvent.Call(1, "call_1", "none"), AnswerEvent.Call(2, "call_2", "last"),
        ];
        if (last.Length > 0)
            answer.Add(AnswerEvent.Arguments(2, last));
        return [.. answer, AnswerEvent.Finished(stop), AnswerEvent.Used(TranslationCases.Usage)];
    }

    [Theory]
    [InlineData("""{"path":"a.txt","con""", StopReason.Length, "incomplete")]
    [InlineData("""{"path":"a.txt","con""", StopReason.Filtered, "incomplete")]
    [InlineData("", StopReason.Length, "incomplete")]
    [InlineData("""{"path":"a.txt"}""", StopReason.Length, "completed")]
    [InlineData("", StopReason.ToolCalls, "completed")]
    public void On_the_Responses_wire_its_item_says_so(string last, StopReason stop, string status)
    {
        var whole = JsonNode.Parse(TranslationCases.WriteWhole(Wires.Responses, Head, Answer(last, stop)))!;
        var events = Encoding.UTF8.GetString(TranslationCases.WriteStream(Wires.Responses, Head, Answer(last, stop))).Split("\n\n")
            .Where(e => e.Contains("data: ", StringComparison.Ordinal))
            .Select(e => JsonNode.Parse(e[(e.IndexOf("data: ", StringComparison.Ordinal) + 6)..])!).ToList();
        var done = events.Where(e => e["type"]!.GetValue<string>() == "response.output_item.done").Select(e => e["item"]!);

        foreach (var items in (JsonNode[][])[
            [.. whole["output"]!.AsArray()!], [.. events[^1]["response"]!["output"]!.AsArray()!], [.. done]])
        {
            Assert.Equal(["completed", "completed", status], items.Select(item => item["status"]!.GetValue<string>()));
            Assert.Equal(
                ["""{"a":1}""", "{}", last.Length == 0 && status == "completed" ? "{}" : last],
                items.Select(item => item["arguments"]!.GetValue<string>()));
        }
    }

    [Fact]
    public void Words_that_were_cut_off_are_no_complete_message_either()
    {
        List<AnswerEvent> answer =
            [new(AnswerEventKind.Start, Id: "x"), AnswerEvent.Words("and th"), AnswerEvent.Finished(StopReason.Length)];
        var whole = JsonNode.Parse(TranslationCases.WriteWhole(Wires.Responses, Head, answer))!;
        Assert.Equal("incomplete", whole["output"]![0]!["status"]!.GetValue<string>());
        answer[2] = AnswerEvent.Finished(StopReason.End);
        whole = JsonNode.Parse(TranslationCases.WriteWhole(Wires.Responses, Head, answer))!;
        Assert.Equal("completed", whole["output"]![0]!["status"]!.GetValue<string>());
    }

    [Theory]
    [InlineData("""{"path":"a.txt","con""")]
    [InlineData("")]
    public void On_other_wires_it_is_not_made_whole(string last)
    {
        var answer = Answer(last, StopReason.Length);
        foreach (var text in (string[])[
            Encoding.UTF8.GetString(TranslationCases.WriteWhole(Wires.Gemini, Head, answer)),
            Encoding.UTF8.GetString(TranslationCases.WriteStream(Wires.Gemini, Head, answer))])
        {
            // The wire has no half calls.
            Assert.DoesNotContain("\"last\"", text, StringComparison.Ordinal);
            Assert.Contains("\"none\"", text, StringComparison.Ordinal);
            Assert.Contains("MAX_TOKENS", text, StringComparison.Ordinal);
        }
        var chat = JsonNode.Parse(TranslationCases.WriteWhole(Wires.Chat, Head, answer))!["choices"]![0]!;
        Assert.Equal("length", chat["finish_reason"]!.GetValue<string>());
        Assert.Equal(["""{"a":1}""", "{}", last], chat["message"]!["tool_calls"]!.AsArray()
            .Select(call => call!["function"]!["arguments"]!.GetValue<string>()));
        var chunks = Encoding.UTF8.GetString(TranslationCases.WriteStream(Wires.Chat, Head, answer));
        Assert.Single(chunks.Split("\"arguments\":\"{}\"").Skip(1));
        Assert.Contains("\"finish_reason\":\"length\"", chunks, StringComparison.Ordinal);
        foreach (var text in (string[])[
            Encoding.UTF8.GetString(TranslationCases.WriteWhole(Wires.Messages, Head, answer)),
            Encoding.UTF8.GetString(TranslationCases.WriteStream(Wires.Messages, Head, answer))])
            Assert.Contains("\"stop_reason\":\"max_tokens\"", text, StringComparison.Ordinal);
    }
}
