using System.Text;
using LlmGateway.Proxy;
using Xunit;

namespace LlmGateway.UnitTests.Proxy;

/// <summary>
/// What real servers answer although no document of theirs says so. All of it reaches the caller, on each wire and in each form, or the
/// caller is told why not.
/// </summary>
public sealed class ImperfectAnswersTests
{
    /// <summary>A message of the chat wire, and what a caller of any wire must find in its translation.</summary>
    static readonly Dictionary<string, (string Message, string[] Found)> Chat = new()
    {
        // spring-projects/spring-ai #5019, BerriAI/litellm #16272: Mistral's reasoning models.
        ["content in parts"] = (
            """
            "content":[{"type":"thinking","thinking":[{"type":"text","text":"Let me think"}]},{"type":"text","text":"The answer is 42"}]
            """,
            ["Let me think", "The answer is 42"]),
        ["content in an object"] = ("""  "content":{"type":"text","text":"The answer is 42"} """, ["The answer is 42"]),
        ["content as a list of texts"] = ("""  "content":["The answer ","is 42"] """, ["The answer is 42"]),
        ["marks of sources"] = (
            """ "content":[{"type":"text","text":"As said"},{"type":"reference","reference_ids":[1]}] """, ["As said"]),
        ["a refusal among the parts"] = (""" "content":[{"type":"refusal","refusal":"I cannot"}] """, ["I cannot"]),
        // ggml-org/llama.cpp #20198
        ["arguments as an object"] = (
            """ "tool_calls":[{"index":0,"id":"c1","function":{"name":"write","arguments":{"path":"a.txt","n":1}}}] """,
            ["a.txt", "write"]),
        ["calls as one object"] = (
            """ "tool_calls":{"id":"c1","function":{"name":"write","arguments":"{\"path\":\"a.txt\"}"}} """, ["a.txt", "write"]),
        ["a call of the wire's old form"] = (
            """ "function_call":{"name":"write","arguments":"{\"path\":\"a.txt\"}"} """, ["a.txt", "write"]),
        ["OpenRouter's thoughts"] = (
            """
            "content":"A","reasoning":null,"reasoning_details":[{"type":"reasoning.text","text":"Hm so"},
            {"type":"reasoning.encrypted","data":"x"}]
            """,
            ["Hm so"]),
        ["the same thoughts three times"] = (
            """ "content":"A","reasoning":"Hm","reasoning_content":"Hm","reasoning_details":[{"type":"reasoning.text","text":"Hm"}] """,
            ["Hm"]),
    };

    public static TheoryData<string, string, bool> ChatCases => Cases(Chat.Keys, "messages", "responses", "gemini");

    [Theory, MemberData(nameof(ChatCases))]
    public void Nothing_of_a_message_is_lost(string what, string to, bool stream)
    {
        var (message, found) = Chat[what];
        var (said, failure) = TellChat(message, to, stream);
        Assert.Null(failure);
        foreach (var text in found)
            Assert.Contains(text, said, StringComparison.Ordinal);
        Assert.DoesNotContain("HmHm", said, StringComparison.Ordinal);
    }

    /// <summary>danny-avila/LibreChat #6065, lobehub/lobehub #9049: models that draw.</summary>
    static readonly Dictionary<string, (string From, string Answer)> Images = new()
    {
        ["OpenRouter's member"] = ("chat", Message(
            """ "content":"Here","images":[{"type":"image_url","image_url":{"url":"data:image/png;base64,QUFB"}}] """)),
        ["among the parts"] = ("chat", Message(
            """ "content":[{"type":"text","text":"Here"},{"type":"image_url","image_url":"data:image/png;base64,QUFB"}] """)),
        ["Google's data"] = ("gemini",
            """
            {"candidates":[{"content":{"parts":[{"text":"Here"},{"inlineData":{"mimeType":"image/png","data":"QUFB"}}]},
            "finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":5,"candidatesTokenCount":9}}
            """),
        ["OpenAI's item"] = ("responses",
            """
            {"id":"resp_1","status":"completed","output":[{"type":"image_generation_call","status":"completed","result":"QUFB"}],
            "usage":{"input_tokens":5,"output_tokens":9}}
            """),
        ["a block"] = ("messages",
            """
            {"id":"m","content":[{"type":"image","source":{"type":"base64","media_type":"image/png","data":"QUFB"}}],
            "stop_reason":"end_turn","usage":{"input_tokens":5,"output_tokens":9}}
            """),
    };

    public static TheoryData<string, string, bool> ImageCases => Cases(Images.Keys, [.. AnswerCases.Wires.Keys]);

    [Theory, MemberData(nameof(ImageCases))]
    public void An_image_is_shown_or_the_caller_is_told_before_it_is_paid(string what, string to, bool stream)
    {
        var (from, answer) = Images[what];
        if (from == to)
            return;
        var (said, failure) = Tell(from, to, answer, stream);
        if (to == "messages")
            Assert.Contains("image", failure, StringComparison.Ordinal);
        else
            Assert.Contains("QUFB", said, StringComparison.Ordinal);
        Assert.Equal(to == "messages", failure is not null);
    }

    static readonly Dictionary<string, (string From, string Answer)> Unreadable = new()
    {
        ["a part of tomorrow"] = ("chat", Message(""" "content":[{"type":"hologram","data":"x"}] """)),
        ["sound"] = ("chat", Message(""" "content":null,"audio":{"id":"a","data":"x"} """)),
        ["a call without a name"] = ("chat", Message(""" "tool_calls":[{"id":"c1","function":{"arguments":"{}"}}] """)),
        ["Google's sound"] = ("gemini", Parts("""{"inlineData":{"mimeType":"audio/wav","data":"x"}}""")),
        ["Google's part of tomorrow"] = ("gemini", Parts("""{"hologram":{"data":"x"}}""")),
        ["a call with words for arguments"] = ("gemini", Parts("""{"functionCall":{"name":"f","args":"all of them"}}""")),
        ["a block of tomorrow"] = ("messages", Block("""{"type":"hologram","data":"x"}""")),
        ["an item of tomorrow"] = ("responses", Item("""{"type":"hologram_call","data":"x"}""")),
        ["free text for a tool"] = ("responses", Item("""{"type":"custom_tool_call","call_id":"c","name":"patch","input":"x"}""")),
    };

    public static TheoryData<string, string, bool> UnreadableCases => Cases(Unreadable.Keys, [.. AnswerCases.Wires.Keys]);

    [Theory, MemberData(nameof(UnreadableCases))]
    public void What_cannot_be_read_is_an_error(string what, string to, bool stream)
    {
        var (from, answer) = Unreadable[what];
        if (from != to)
            Assert.NotNull(Tell(from, to, answer, stream).Failure);
    }

    static readonly Dictionary<string, (string From, string Answer, string[] Found)> Others = new()
    {
        ["Google's code and its result"] = ("gemini",
            Parts("""{"executableCode":{"language":"A","code":"print(1)"}},{"codeExecutionResult":{"output":"1"}},{"text":"Done"}"""),
            ["print(1)", "Done"]),
        ["Google's arguments in a string"] = ("gemini",
            Parts("""{"functionCall":{"name":"f","args":"{\"city\":\"Paris\"}"}}"""), ["Paris"]),
        ["a block's arguments in a string"] = ("messages",
            Block("""{"type":"tool_use","id":"t","name":"f","input":"{\"city\":\"Paris\"}"}"""), ["Paris"]),
        ["an item's arguments as an object"] = ("responses",
            Item("""{"type":"function_call","call_id":"c","name":"f","arguments":{"city":"Paris"}}"""), ["Paris"]),
        ["an item's content as a text"] = ("responses", Item("""{"type":"message","role":"assistant","content":"Hello"}"""), ["Hello"]),
    };

    public static TheoryData<string, string, bool> OtherCases => Cases(Others.Keys, [.. AnswerCases.Wires.Keys]);

    [Theory, MemberData(nameof(OtherCases))]
    public void Other_wires_are_read_as_liberally(string what, string to, bool stream)
    {
        var (from, answer, found) = Others[what];
        if (from == to)
            return;
        var (said, failure) = Tell(from, to, answer, stream);
        Assert.Null(failure);
        foreach (var text in found)
            Assert.Contains(text, said, StringComparison.Ordinal);
    }

    /// <summary>elizaOS/eliza #30904: half of an emoji in each of two events.</summary>
    [Theory]
    [InlineData("content")]
    [InlineData("reasoning_content")]
    public void Halves_of_a_character_are_joined(string member)
    {
        foreach (var to in (string[])["messages", "responses", "gemini"])
        {
            var stream = $$$"""data: {"choices":[{"delta":{"{{{member}}}":"a \ud83d"}}]}""" + "\n\n"
                + $$$"""data: {"choices":[{"delta":{"{{{member}}}":"\ude00 b"},"finish_reason":"stop"}]}""" + "\n\ndata: [DONE]\n\n";
            var (said, failure) = AnswerCases.Stream("chat", to, stream);
            Assert.Null(failure);
            // Written as one pair of escapes, which every JSON reader joins.
            Assert.Contains("\\uD83D\\uDE00 b", said, StringComparison.Ordinal);
            Assert.DoesNotContain("\ufffd", said, StringComparison.OrdinalIgnoreCase);
            Assert.DoesNotContain("\\ufffd", said, StringComparison.OrdinalIgnoreCase);
        }
    }

    [Fact]
    public void Signs_of_life_are_no_part_of_the_answer_but_half_of_a_piece_is()
    {
        var rest = "data: {\"choices\":[{\"delta\":{\"content\":\"Hi\"},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";
        Assert.Null(AnswerCases.Stream("chat", "messages", "data: ping\n\ndata:\n\n" + rest).Failure);
        Assert.NotNull(AnswerCases.Stream("chat", "messages", "data: {\"choices\":[{\"delta\":{\"content\":\"lo\n\n" + rest).Failure);
    }

    /// <summary>ggml-org/llama.cpp #12379: the name comes again with each piece. vLLM and others: the id comes before the name.</summary>
    [Theory]
    [InlineData("""{"index":0,"id":"c1","function":{"name":"add","arguments":""}}""",
        """{"index":0,"id":"c1","function":{"name":"add","arguments":"{\"a\":1}"}}""")]
    [InlineData("""{"index":0,"id":"c1","type":"function"}""", """{"index":0,"function":{"name":"add","arguments":"{\"a\":1}"}}""")]
    [InlineData("""{"index":0,"id":"c1","function":{"name":"add","arguments":null}}""",
        """{"index":0,"id":"","function":{"name":null,"arguments":"{\"a\":1}"}}""")]
    public void A_call_in_odd_pieces_is_one_call(string first, string second)
    {
        var stream = string.Concat(((string[])[first, second]).Select(call =>
            $$$"""data: {"choices":[{"index":0,"delta":{"content":null,"tool_calls":[{{{call}}}]}}]}""" + "\n\n"))
            + """data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}""" + "\n\ndata: [DONE]\n\n";
        var (said, failure) = AnswerCases.Stream("chat", "messages", stream);
        Assert.Null(failure);
        Assert.Equal(2, said.Split("\"name\":\"add\"").Length);
        Assert.Contains("\"id\":\"c1\"", said, StringComparison.Ordinal);
        Assert.Contains("\"stop_reason\":\"tool_use\"", said, StringComparison.Ordinal);
    }

    /// <summary>XiaomiMiMo/MiMo-Code #2244: a server that never says why it ended. Its end mark says that it did.</summary>
    [Fact]
    public void An_answer_without_a_reason_is_whole_when_its_end_is_there()
    {
        const string piece = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hi\"},\"finish_reason\":null}]}\n\n";
        Assert.Null(AnswerCases.Stream("chat", "messages", piece + "data: [DONE]\n\n").Failure);
        Assert.NotNull(AnswerCases.Stream("chat", "messages", piece).Failure);
        Assert.Null(AnswerCases.Whole("chat", "messages", """{"choices":[{"message":{"content":"Hi"},"finish_reason":null}]}""").Failure);
    }

    [Fact]
    public void The_error_of_a_choice_is_told()
    {
        var (_, failure) = AnswerCases.Stream("chat", "messages", """
            data: {"choices":[{"index":0,"delta":{"content":""},"error":{"code":502,"message":"Provider gone"},"finish_reason":"error"}]}


            """.ReplaceLineEndings("\n"));
        Assert.Equal("Provider gone", failure);
    }

    static TheoryData<string, string, bool> Cases(IEnumerable<string> names, params string[] callers)
    {
        var data = new TheoryData<string, string, bool>();
        foreach (var name in names)
            foreach (var to in callers)
                foreach (var stream in (bool[])[false, true])
                    data.Add(name, to, stream);
        return data;
    }

    static (string Said, string? Failure) TellChat(string message, string to, bool stream) => Tell("chat", to, Message(message), stream);

    static (string Said, string? Failure) Tell(string from, string to, string lines, bool stream) => lines.ReplaceLineEndings("") is
        var answer && !stream
        ? AnswerCases.Whole(from, to, answer)
        : AnswerCases.Stream(from, to, from switch
        {
            "messages" => AnswerCases.MessagesStream(answer),
            "responses" => $"event: response.completed\ndata: {{\"type\":\"response.completed\",\"response\":{answer}}}\n\n",
            _ => $"data: {answer.Replace("\"message\":", "\"delta\":", StringComparison.Ordinal)}\n\n",
        });

    static string Message(string members) =>
        $$$"""{"id":"c","choices":[{"index":0,"message":{{{{members.Trim()}}}},"finish_reason":"stop"}],"usage":"""
            + """{"prompt_tokens":5,"completion_tokens":9}}""";

    static string Parts(string parts) =>
        $$$"""{"candidates":[{"content":{"parts":[{{{parts}}}]},"finishReason":"STOP"}],"usageMetadata":"""
            + """{"promptTokenCount":5,"candidatesTokenCount":9}}""";

    static string Block(string block) =>
        $$$"""{"id":"m","content":[{{{block}}}],"stop_reason":"end_turn","usage":{"input_tokens":5,"output_tokens":9}}""";

    static string Item(string item) =>
        $$$"""{"id":"resp_1","status":"completed","output":[{{{item}}}],"usage":{"input_tokens":5,"output_tokens":9}}""";
}
