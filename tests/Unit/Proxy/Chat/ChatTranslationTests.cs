using System.Text;
using System.Text.Json;
using LlmGateway.Contracts;
using LlmGateway.Proxy;
using LlmGateway.Proxy.Chat;
using LlmGateway.Proxy.OneShots;
using LlmGateway.Proxy.Translation;
using LlmGateway.ServiceDefaults;
using Xunit;

namespace LlmGateway.UnitTests.Proxy;

public sealed class ChatTranslationTests
{
    static readonly DateTimeOffset Created = DateTimeOffset.FromUnixTimeSeconds(1_700_000_000);

    [Fact]
    public void Every_field_of_a_request_is_understood()
    {
        var conversation = Understand("""
            {"model":"m","max_tokens":5,"user":"u","metadata":{"a":"b"},"store":false,"n":1,"logit_bias":{},"temperature":0.5,"top_p":0.9,
                "top_k":40,"seed":-7,"stop":"END",
             "frequency_penalty":1,"presence_penalty":-1,"reasoning_effort":"high","parallel_tool_calls":false,
                "tool_choice":{"type":"function","function":{"name":"f"}},
             "tools":[{"type":"function","function":{"name":"f","description":"d","parameters":{"type":"object"},"strict":true}}],
             "response_format":{"type":"json_schema","json_schema":{"name":"s","schema":{"type":"object"},"strict":true}},
             "messages":[{"role":"system","content":"a"},
                {"role":"user","content":[{"type":"text","text":"b"},
                {"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA","detail":"high"}}]},
              {"role":"assistant","content":null,"refusal":null,"annotations":[],
                "tool_calls":[{"id":"c1","type":"function","function":{"name":"f","arguments":"{}"}}]},
              {"role":"tool","tool_call_id":"c1","content":"r"},{"role":"developer","content":[{"type":"text","text":"z"}]}]}
            """.Unwrapped());

        Assert.Equal([new TextPart("a"), new TextPart("z")], conversation.System);
        Assert.Equal(
            new Part[] { new TextPart("b"), new ImagePart("image/png", "AAAA", null, "messages[1].content[1].image_url.url") },
            conversation.Turns[0].Parts);
        Assert.Equal([new ToolCallPart("c1", "f", "{}")], conversation.Turns[1].Parts);
        var result = Assert.IsType<ToolResultPart>(Assert.Single(conversation.Turns[2].Parts));
        Assert.Equal(("c1", "f", "messages[3]"), (result.CallId, result.Name, result.Field));
        Assert.Equal(new Tool("f", "d", """{"type":"object"}""", true, "tools[0]"), Assert.Single(conversation.Tools));
        Assert.Equal(new ToolChoice(ToolMode.One, "f", "tool_choice"), conversation.ToolChoice);
        Assert.Equal(
            (0.5m, 0.9m, 40, -7L),
            (conversation.Temperature?.Value, conversation.TopP?.Value, conversation.TopK?.Value, conversation.Seed?.Value));
        Assert.Equal(
            (1m, -1m, "END", false),
            (
                conversation.FrequencyPenalty?.Value,
                conversation.PresencePenalty?.Value,
                conversation.Stop?.Value[0],
                conversation.ParallelTools?.Value));
        Assert.Equal(new OutputFormat("s", """{"type":"object"}""", true, "response_format"), conversation.Format);
        Assert.Equal(new Effort("high", null, false, "reasoning_effort"), conversation.Effort);
    }

    /// <summary>Recorded from @ai-sdk/openai-compatible 2.0 and @langchain/openai 1.5 after a tool was called.</summary>
    [Theory]
    [InlineData(
        """{"model":"m","messages":[{"role":"user","content":"a"},"""
            + """{"role":"assistant","content":"Hi","reasoning_content":"Hm","tool_calls":"""
            + """[{"id":"c0","type":"function","function":{"name":"f","arguments":"{}"}}]},"""
            + """{"role":"tool","tool_call_id":"c0","content":"ok"}],"tools":"""
            + """[{"type":"function","function":{"name":"f","parameters":{"type":"object"}}}],"tool_choice":"auto"}""")]
    [InlineData(
        """{"model":"m","stream":false,"messages":[{"role":"user","content":"a"},"""
            + """{"role":"assistant","content":"Hi","tool_calls":"""
            + """[{"id":"c0","type":"function","function":{"name":"f","arguments":"{}"}}]},"""
            + """{"role":"tool","content":"ok","tool_call_id":"c0"}]}""")]
    public void What_clients_send_back_after_a_call_is_understood(string body)
    {
        var parts = Understand(body).Turns.SelectMany(turn => turn.Parts).Where(part => part is not ReasoningPart).ToList();
        Assert.Equal([new TextPart("a"), new TextPart("Hi"), new ToolCallPart("c0", "f", "{}")], parts.Take(3));
        Assert.Equal([new TextPart("ok")], Assert.IsType<ToolResultPart>(parts[3]).Content);
    }

    [Theory]
    [InlineData(""" "n":2 """, "n")]
    [InlineData(""" "functions":[{"name":"f"}] """, "functions")]
    [InlineData(""" "logprobs":true """, "logprobs")]
    [InlineData(""" "logit_bias":{"1":5} """, "logit_bias")]
    [InlineData(""" "response_format":{"type":"grammar"} """, "response_format.type")]
    [InlineData(""" "messages":[{"role":"function","content":"a","name":"f"}] """, "messages[0].role")]
    [InlineData(""" "messages":[{"role":"user","content":[{"type":"hologram"}]}] """, "messages[0].content[0].type")]
    public void What_only_this_wire_can_say_is_refused_by_name(string members, string param)
    {
        var problem = Refused(
            $"{{{(members.Contains("messages", StringComparison.Ordinal) ? "" : """ "messages":[{"role":"user","content":"a"}],""")}"
                + $"\"model\":\"m\",{members}}}");
        Assert.Equal(("untranslatable_parameter", param), (problem.Code, problem.Param));
    }

    [Theory]
    [InlineData("""{"role":"king","content":"a"}""", "messages[0].role")]
    [InlineData("""{"content":"a"}""", "messages[0].role")]
    [InlineData("""{"role":"tool","content":"a"}""", "messages[0].tool_call_id")]
    [InlineData("""{"role":"user","content":[{"type":"image_url","image_url":{"url":"file:///etc/passwd"}}]}""",
        "messages[0].content[0].image_url.url")]
    [InlineData("""{"role":"assistant","tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":{}}}]}""",
        "messages[0].tool_calls[0].function.arguments")]
    public void What_is_no_message_is_refused_by_name(string message, string param) =>
        Assert.Equal(
            ("invalid_value", param),
            Refused($$"""{"model":"m","messages":[{{message}}]}""") is var problem ? (problem.Code, problem.Param) : default);

    [Fact]
    public void A_conversation_that_is_composed_and_understood_is_the_same_again() => Seeds.ForEach(500, random =>
    {
        var conversation = TranslationCases.Conversation(random, samplesAll: true, imagesInResults: false);
        var body = Wires.Chat.Compose(conversation, "up", 77, stream: random.Next(2) == 0);
        var request = (ChatRequest)Wires.Chat.Read(body, default);

        Assert.Equal(("up", 77, request.Stream), (request.Model, request.MaxTokens, request.WantsUsage));
        Assert.Equal(TranslationCases.Show(conversation), TranslationCases.Show(Wires.Chat.Understand(body, request)));
    });

    [Fact]
    public void Imitators_of_OpenAI_get_the_limit_by_the_name_that_they_know()
    {
        var conversation = new Conversation { Turns = [new(Speaker.User, [new TextPart("hi")], "")] };
        Assert.Equal(
            """{"model":"up","messages":[{"role":"user","content":"hi"}],"max_completion_tokens":9,"service_tier":"default"}""",
            Encoding.UTF8.GetString(Wires.Chat.Compose(conversation, "up", 9, stream: false)));
        Assert.Equal(
            """
            {"model":"up","messages":[{"role":"user","content":"hi"}],"stream":true,"stream_options":{"include_usage":true},"max_tokens":9}
            """.ReplaceLineEndings(""),
            Encoding.UTF8.GetString(new ChatWire(isImitated: true).Compose(conversation, "up", 9, stream: true)));
    }

    [Fact]
    public void Images_of_results_follow_in_a_message_of_the_user_behind_all_results()
    {
        Turn Result(string id) => new(
            Speaker.User,
            [new ToolResultPart(id, "f", [new TextPart("seen"), new ImagePart("image/png", "AA==", null, "")], false, "")],
            "");
        var body = Wires.Chat.Compose(
            new()
            {
                Turns =
                [
                    new(Speaker.User, [new TextPart("look")], ""),
                    new(Speaker.Assistant, [new ToolCallPart("a", "f", "{}"), new ToolCallPart("b", "f", "{}")], ""),
                    Result("a"), Result("b"), new(Speaker.User, [new TextPart("and?")], ""),
                ],
            },
            "m", 9, false);
        var messages = JsonDocument.Parse(body).RootElement.GetProperty("messages").EnumerateArray().ToList();

        Assert.Equal(
            ["user", "assistant", "tool", "tool", "user", "user"],
            messages.Select(message => message.GetProperty("role").GetString()));
        Assert.Equal(2, messages[4].GetRawText().Split("data:image/png;base64,AA==").Length - 1);
        Assert.Equal("and?", messages[5].GetProperty("content").GetString());
    }

    [Theory]
    [InlineData(null, 0, "none")]
    [InlineData(null, 1024, "low")]
    [InlineData(null, 1025, "medium")]
    [InlineData(null, 8193, "high")]
    [InlineData("minimal", null, "minimal")]
    public void Thinking_in_tokens_becomes_a_level(string? level, int? budget, string expected)
    {
        var body = Wires.Chat.Compose(
            new() { Turns = [new(Speaker.User, [new TextPart("hi")], "")], Effort = new(level, budget, false, "") },
            "m",
            9,
            false);
        Assert.Contains($"\"reasoning_effort\":\"{expected}\"", Encoding.UTF8.GetString(body), StringComparison.Ordinal);
    }

    [Fact]
    public void A_stream_is_read_alike_in_any_pieces() => Seeds.ForEach(300, random =>
    {
        var (events, reader) = TranslationCases.ReadStream(Wires.Chat, Encoding.UTF8.GetBytes(Recorded), random);
        Assert.Equal("""

            Start: chatcmpl-1 
            Reasoning: Hm.
            Signature:  reasoningcontent
            Text: Hello 😀
            Finish: ToolCalls
            Usage: 15,5,0,0,4,3,0,0,0,0,0,1,0,0,0
            call_a get_weather {"city":"Paris"}
            call_b get_time {}
            """.ReplaceLineEndings("\n"), TranslationCases.Show(events));
        Assert.True(reader.IsDone && reader.IsFinished && !reader.MalformedSeen);
    });

    [Fact]
    public void Calls_without_an_index_or_all_with_the_same_are_told_apart_by_their_ids()
    {
        var Stream = """
            data: {"choices":[{"delta":{"tool_calls":[{"index":0,"id":"x","type":"function",
                "function":{"name":"f","arguments":"{\"a\":1}"}}]}}]}

            data: {"choices":[{"delta":{"tool_calls":[{"index":0,"id":"y","type":"function","function":{"name":"g","arguments":"{}"}}]},
                "finish_reason":"stop"}]}

            data: {"error":{"code":"x","message":"over\ud83d\ude00 load"}}


            """.Unwrapped();
        var (events, _) = TranslationCases.ReadStream(Wires.Chat, Encoding.UTF8.GetBytes(Stream.ReplaceLineEndings("\n")), new Random(1));
        Assert.Equal("\nStart:  \nFinish: ToolCalls\nError:  over😀 load\nx f {\"a\":1}\ny g {}", TranslationCases.Show(events));
    }

    [Fact]
    public void What_is_written_is_read_as_the_same_events() => Seeds.ForEach(500, random =>
    {
        var events = TranslationCases.Answer(random);
        var expected = TranslationCases.Show(events);
        var stream = TranslationCases.WriteStream(Wires.Chat, Head(wantsUsage: true), events);
        Assert.Equal(expected, Shown(TranslationCases.ReadStream(Wires.Chat, stream, random).Events));

        var read = new List<AnswerEvent>();
        Assert.True(Wires.Chat.NewReader().ReadWhole(TranslationCases.WriteWhole(Wires.Chat, Head(wantsUsage: false), events), read));
        Assert.Equal(expected, Shown(read));

        // The gateway marks thoughts itself.
        string Shown(List<AnswerEvent> told) => TranslationCases.Show(told.Where(e => e is not { Text: ThoughtMark.Unnamed }));
    });

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A_stream_is_told_in_the_chunks_that_clients_know(bool wantsUsage)
    {
        var usageMember = wantsUsage ? ",\"usage\":null" : "";
        AnswerEvent[] events =
        [
            new(AnswerEventKind.Start, Id: "msg_1"),
            new(AnswerEventKind.Reasoning, "Hm"),
            AnswerEvent.Words("Hi"),
            AnswerEvent.Call(0, "c1", "f"),
            AnswerEvent.Finished(StopReason.ToolCalls),
        ];
        var stream = Encoding.UTF8.GetString(TranslationCases.WriteStream(Wires.Chat, Head(wantsUsage), [.. events]));
        Assert.Equal(
            Chunk("\"role\":\"assistant\",\"content\":\"\",\"refusal\":null")
                + Chunk("\"reasoning_content\":\"Hm\"")
                + Chunk("\"content\":\"Hi\"")
                + Chunk(
                    "\"tool_calls\":[{\"index\":0,\"id\":\"c1\",\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"\"}}]")
                + Chunk("\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\"{}\"}}]")
                + Chunk("", "\"tool_calls\"")
                + (wantsUsage
                    ? "data: {\"id\":\"msg_1\",\"object\":\"chat.completion.chunk\",\"created\":1700000000,\"model\":\"my/model\","
                        + "\"choices\":[],\"usage\":{\"prompt_tokens\":20,\"completion_tokens\":7,"
                        + "\"total_tokens\":27,\"prompt_tokens_details\":{\"cached_tokens\":5,\"audio_tokens\":0},"
                        + "\"completion_tokens_details\":{\"reasoning_tokens\":3,\"audio_tokens\":0},\"cost\":\"0.00000123\"}}\n\n"
                    : "")
                + "data: [DONE]\n\n",
            stream);

        string Chunk(string delta, string finish = "null") =>
            $$$"""data: {"id":"msg_1","object":"chat.completion.chunk","created":1700000000,"model":"my/model","choices":"""
                + $$$"""[{"index":0,"delta":{{{{delta}}}},"logprobs":null,"finish_reason":{{{finish}}}}]{{{usageMember}}}}"""
                + "\n\n";
    }

    [Fact]
    public void No_mutation_of_a_stream_makes_the_translation_throw_or_depend_on_the_pieces() => Seeds.ForEach(2000, random =>
    {
        var stream = TranslationCases.Mutated(Encoding.UTF8.GetBytes(Recorded), random);
        using var one = new TranslatedRelay(Wires.Chat, Wires.Chat, Head(wantsUsage: true));
        using var two = new TranslatedRelay(Wires.Chat, Wires.Chat, Head(wantsUsage: true));
        var sent = TranslationCases.Push(one, stream, new Random(1));

        Assert.Equal(TranslationCases.Named(sent), TranslationCases.Named(TranslationCases.Push(two, stream, random)));
        Assert.Equal(one.Meter.DeliveredTokens, two.Meter.DeliveredTokens);
        foreach (var e in Encoding.UTF8.GetString(sent).Split("\n\n", StringSplitOptions.RemoveEmptyEntries)[..^1])
            JsonDocument.Parse(e["data: ".Length..]).Dispose();
        Assert.EndsWith("data: [DONE]\n\n", Encoding.UTF8.GetString(sent), StringComparison.Ordinal);
    });

    /// <summary>
    /// As OpenAI and its imitators send it: thoughts, text with an escaped pair, two calls interleaved, usage in a chunk of its own.
    /// </summary>
    static readonly string Recorded = """
        data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"m","service_tier":"default",
            "choices":[{"index":0,"delta":{"role":"assistant","content":"","refusal":null},"logprobs":null,"finish_reason":null}],
            "usage":null,"obfuscation":"x"}

        : ping

        data: {"id":"chatcmpl-1","choices":[{"index":0,"delta":{"reasoning":"Hm.","reasoning_content":"Hm."},"finish_reason":null}],
            "usage":null}

        data: {"id":"chatcmpl-1","choices":[{"index":0,"delta":{"content":"Hello"},"finish_reason":null}],"usage":null}

        data: {"id":"chatcmpl-1","choices":[{"index":0,"delta":{"content":" \ud83d\ude00"},"finish_reason":null}],"usage":null}

        data: {"id":"chatcmpl-1",
            "choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"call_a","type":"function",
            "function":{"name":"get_weather","arguments":""}}]},"finish_reason":null}],"usage":null}

        data: {"id":"chatcmpl-1",
            "choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{\"city\""}},
            {"index":1,"id":"call_b","type":"function","function":{"name":"get_time","arguments":"{"}}]},"finish_reason":null}]}

        data: {"id":"chatcmpl-1",
            "choices":[{"index":0,"delta":{"tool_calls":[{"index":1,"function":{"arguments":"}"}},
            {"index":0,"function":{"arguments":":\"Paris\"}"}}]},"finish_reason":null}]}

        data: {"id":"chatcmpl-1","choices":[{"index":0,"delta":{},"logprobs":null,"finish_reason":"tool_calls"}],"usage":null}

        data: {"id":"chatcmpl-1","choices":[],"usage":{"prompt_tokens":20,"completion_tokens":7,"total_tokens":27,
            "prompt_tokens_details":{"cached_tokens":5},"completion_tokens_details":{"reasoning_tokens":3}}}

        data: [DONE]


        """.Unwrapped().ReplaceLineEndings("\n");

    static AnswerHead Head(bool wantsUsage) => new("req_1", "my/model", Created, ChatRequestTests.Accepted(
        $$"""{"model":"m","stream":true,"stream_options":{"include_usage":{{(wantsUsage ? "true" : "false")}}},"messages":"""
            + $$"""[{"role":"user","content":"hi"}]}"""));

    static Conversation Understand(string body) =>
        Wires.Chat.Understand(Encoding.UTF8.GetBytes(body), Wires.Chat.Read(Encoding.UTF8.GetBytes(body), default));

    static Problem Refused(string body) => Assert.Throws<ProblemException>(() => Understand(body)).Problem;
}
