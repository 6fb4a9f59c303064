using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using LlmGateway.Proxy;
using LlmGateway.Proxy.Translation;
using LlmGateway.ServiceDefaults;
using Xunit;

namespace LlmGateway.UnitTests.Proxy;

public sealed class ResponsesTranslationTests
{
    /// <summary>Clients sort events by their numbers, and some drop one whose number they have seen.</summary>
    [Fact]
    public void An_error_of_the_gateway_has_the_next_number_of_its_stream()
    {
        var head = new AnswerHead("req_1", "m", DateTimeOffset.UnixEpoch, ResponsesRequestTests.Accepted("""{"model":"m","input":"a"}"""));
        var begun = Encoding.UTF8.GetString(TranslationCases.WriteStream(Wires.Responses, head,
            [new(AnswerEventKind.Start, Id: "x"), AnswerEvent.Words("Hello"), AnswerEvent.Finished(StopReason.End)]));
        begun = begun[..begun.IndexOf("event: response.output_text.done", StringComparison.Ordinal)];
        using var passed = Wires.Responses.NewRelay(ResponsesRequestTests.Accepted("""{"model":"m","stream":true,"input":"a"}"""));
        using var translated = new TranslatedRelay(Wires.Chat, Wires.Responses, head);

        foreach (var (relay, said) in ((StreamRelay, string)[])[
            (passed, begun), (translated, "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"}}]}\n\n")])
        {
            var sent = Encoding.UTF8.GetString(TranslationCases.Push(relay, Encoding.UTF8.GetBytes(said), new Random(1)));
            var numbers = sent.Split("\n\n").Where(e => e.Contains("data: ", StringComparison.Ordinal))
                .Select(e => JsonDocument.Parse(e[(e.IndexOf("data: ", StringComparison.Ordinal) + 6)..]).RootElement
                    .GetProperty("sequence_number").GetInt32()).ToList();
            Assert.Contains("event: error", sent, StringComparison.Ordinal);
            Assert.Equal(Enumerable.Range(0, numbers.Count), numbers);
        }
    }

    [Fact]
    public void Every_field_of_a_request_is_understood()
    {
        var conversation = Understand("""
            {"model":"m","max_output_tokens":5,"user":"u","store":false,"truncation":"disabled","include":["reasoning.encrypted_content"],
                "temperature":0.5,"top_p":0.9,"parallel_tool_calls":true,
             "tool_choice":{"type":"function","name":"f"},
                "tools":[{"type":"function","name":"f","description":"d","parameters":{"type":"object"},"strict":true}],
             "text":{"verbosity":"medium","format":{"type":"json_schema","name":"s","schema":{"type":"object"},"strict":true}},
                "reasoning":{"effort":"low","summary":"auto"},
             "input":[{"role":"developer","content":"z"},
                {"role":"user","content":[{"type":"input_text","text":"b"},{"type":"input_image","image_url":"data:image/png;base64,AAAA",
                "detail":"low"}]},
              {"type":"reasoning","id":"rs_1","summary":[{"type":"summary_text","text":"x"},{"type":"summary_text","text":"y"}],
                "encrypted_content":"seal"},
              {"type":"message","id":"msg_1","status":"completed","role":"assistant",
                "content":[{"type":"output_text","text":"c","annotations":[],"logprobs":[]}]},
              {"type":"function_call","id":"fc_1","status":"completed","call_id":"c1","name":"f","arguments":"{}"},
                {"type":"function_call_output","call_id":"c1","output":"r"}],
             "instructions":"a"}
            """.Unwrapped());

        Assert.Equal([new TextPart("a"), new TextPart("z")], conversation.System);
        Assert.Equal(
            new Part[] { new TextPart("b"), new ImagePart("image/png", "AAAA", null, "input[1].content[1].image_url") },
            conversation.Turns[0].Parts);
        Assert.Equal(
            [new ReasoningPart("x\n\ny", "seal"), new TextPart("c"), new ToolCallPart("c1", "f", "{}")],
            conversation.Turns.Skip(1).Take(3).SelectMany(turn => turn.Parts));
        var result = Assert.IsType<ToolResultPart>(Assert.Single(conversation.Turns[4].Parts));
        Assert.Equal(("c1", "f", "input[5]"), (result.CallId, result.Name, result.Field));
        Assert.Equal(new Tool("f", "d", """{"type":"object"}""", true, "tools[0]"), Assert.Single(conversation.Tools));
        Assert.Equal(new ToolChoice(ToolMode.One, "f", "tool_choice"), conversation.ToolChoice);
        Assert.Equal((0.5m, 0.9m, true), (conversation.Temperature?.Value, conversation.TopP?.Value, conversation.ParallelTools?.Value));
        Assert.Equal(new OutputFormat("s", """{"type":"object"}""", true, "text.format"), conversation.Format);
        Assert.Equal(new Effort("low", null, true, "reasoning.effort"), conversation.Effort);
    }

    [Fact]
    public void An_input_that_is_a_text_is_what_the_user_said() =>
        Assert.Equal([new TextPart("hello")], Assert.Single(Understand("""{"model":"m","input":"hello"}""").Turns).Parts);

    /// <summary>Recorded from @ai-sdk/openai 3.0 (with <c>store: false</c>) and @langchain/openai 1.5 after a tool was called.</summary>
    [Theory]
    [InlineData(
        """{"model":"m","input":[{"role":"user","content":[{"type":"input_text","text":"a"}]},"""
            + """{"type":"reasoning","id":"rs_1_0","encrypted_content":"seal","summary":[{"type":"summary_text","text":"Hm"}]},"""
            + """{"role":"assistant","content":[{"type":"output_text","text":"Hi"}],"id":"msg_1_1"},"""
            + """{"type":"function_call","call_id":"c0","name":"f","arguments":"{}"},"""
            + """{"type":"function_call_output","call_id":"c0","output":"ok"}],"store":false,"tools":"""
            + """[{"type":"function","name":"f","parameters":{"type":"object"}}],"tool_choice":"auto"}""")]
    [InlineData(
        """{"input":[{"type":"message","role":"user","content":"a"},"""
            + """{"id":"rs_1_0","type":"reasoning","summary":[{"type":"summary_text","text":"Hm"}],"encrypted_content":"seal"},"""
            + """{"id":"msg_1_1","type":"message","status":"completed","content":"""
            + """[{"type":"output_text","annotations":[],"logprobs":[],"text":"Hi"}],"role":"assistant"},"""
            + """{"id":"fc_1_2","type":"function_call","status":"completed","arguments":"{}","call_id":"c0","name":"f"},"""
            + """{"type":"function_call_output","call_id":"c0","output":"ok"}],"model":"m","stream":false,"text":{}}""")]
    public void What_clients_send_back_after_a_call_is_understood(string body)
    {
        var parts = Understand(body).Turns.SelectMany(turn => turn.Parts).ToList();
        Assert.Equal(
            [new TextPart("a"), new ReasoningPart("Hm", "seal"), new TextPart("Hi"), new ToolCallPart("c0", "f", "{}")],
            parts.Take(4));
        Assert.Equal([new TextPart("ok")], Assert.IsType<ToolResultPart>(parts[4]).Content);
    }

    [Theory]
    [InlineData("""{"type":"reasoning","summary":["x"],"encrypted_content":"s"}""", "input[0].summary[0].text")]
    [InlineData("""{"role":"king","content":"a"}""", "input[0].role")]
    [InlineData("""{"type":"function_call","call_id":7,"name":"f","arguments":"{}"}""", "input[0].call_id")]
    [InlineData("""{"role":"user","content":[{"type":"input_image","image_url":{"url":"https://x"}}]}""", "input[0].content[0].image_url")]
    public void What_is_no_item_is_refused_by_name(string item, string param)
    {
        var problem = Assert.Throws<ProblemException>(() => Understand($$"""{"model":"m","input":[{{item}}]}""")).Problem;
        Assert.Equal(("invalid_value", param), (problem.Code, problem.Param));
    }

    [Theory]
    [InlineData(""" "top_logprobs":3 """, "top_logprobs")]
    [InlineData(""" "include":["message.output_text.logprobs"] """, "include")]
    [InlineData(""" "text":{"format":{"type":"grammar"}} """, "text.format.type")]
    public void What_only_this_wire_can_say_is_refused_by_name(string member, string param)
    {
        var problem = Assert.Throws<ProblemException>(() => Understand($$"""{"model":"m","input":"a",{{member}}}""")).Problem;
        Assert.Equal(("untranslatable_parameter", param), (problem.Code, problem.Param));
    }

    [Fact]
    public void A_conversation_that_is_composed_and_understood_is_the_same_again() => Seeds.ForEach(500, random =>
    {
        var conversation = TranslationCases.Conversation(random, samplesAll: false, imagesInResults: true);
        var body = Wires.Responses.Compose(conversation, "up", 77, stream: random.Next(2) == 0);
        var request = Wires.Responses.Read(body, default);

        Assert.Equal(("up", 77), (request.Model, request.MaxTokens));
        Assert.Equal(TranslationCases.Show(conversation), TranslationCases.Show(Wires.Responses.Understand(body, request)));
    });

    [Fact]
    public void What_this_wire_cannot_say_is_refused_by_the_name_in_the_callers_wire()
    {
        var conversation = new Conversation { Turns = [new(Speaker.User, [new TextPart("hi")], "")] };
        Assert.Equal("stop_sequences", Refused(conversation with { Stop = new(["x"], "stop_sequences") }));
        Assert.Equal(
            "messages[0].content[0]",
            Refused(
                conversation with { Turns = [new(
                    Speaker.Assistant,
                    [new ImagePart("image/png", "AA==", null, "messages[0].content[0]")],
                    "")] }));

        static string? Refused(Conversation conversation) =>
            Assert.Throws<ProblemException>(() => Wires.Responses.Compose(conversation, "m", 9, false)).Problem.Param;
    }

    [Fact]
    public void A_stream_is_read_alike_in_any_pieces() => Seeds.ForEach(300, random =>
    {
        var (events, reader) = TranslationCases.ReadStream(Wires.Responses, Encoding.UTF8.GetBytes(Recorded), random);
        Assert.Equal(
            "\nStart: resp_1 \nReasoning: Hm.\n\nYes.\nSignature:  seal\nText: Hello 😀\nFinish: ToolCalls\n"
                + "Usage: 15,5,0,0,4,3,0,0,0,0,0,1,0,0,0\ncall_a get_weather {\"city\":\"Paris\"}\ncall_b get_time {}",
            TranslationCases.Show(events.OrderBy(e => e.Kind == AnswerEventKind.Usage)));
        Assert.True(reader.IsDone && reader.IsFinished && !reader.MalformedSeen);
    });

    [Fact]
    public void A_passed_stream_is_the_providers_but_for_the_cost_and_its_end_waits_for_the_settlement() => Seeds.ForEach(300, random =>
    {
        using var relay = Wires.Responses.NewRelay(ResponsesRequestTests.Accepted("""{"model":"m","stream":true,"input":"a"}"""));
        var sent = Encoding.UTF8.GetString(TranslationCases.Push(relay, Encoding.UTF8.GetBytes(Recorded), random));
        Assert.Equal(
            Recorded.Replace("\"total_tokens\":27}", "\"total_tokens\":27,\"cost\":\"0.00000123\"}", StringComparison.Ordinal),
            sent);
        Assert.Equal(27, MeterReading.InputOf(relay.Meter.Usage!.Usage!) + MeterReading.OutputOf(relay.Meter.Usage.Usage!));

        var pushed = new System.Buffers.ArrayBufferWriter<byte>();
        using var unsettled = Wires.Responses.NewRelay(ResponsesRequestTests.Accepted("""{"model":"m","stream":true,"input":"a"}"""));
        unsettled.Push(Encoding.UTF8.GetBytes(Recorded), pushed);
        Assert.DoesNotContain("response.completed", Encoding.UTF8.GetString(pushed.WrittenSpan), StringComparison.Ordinal);
    });

    [Theory]
    [InlineData(
        "event: response.failed\ndata: {\"type\":\"response.failed\",\"response\":{\"id\":\"resp_1\",\"status\":\"failed\","
            + "\"error\":{\"code\":\"server_error\",\"message\":\"broken\"},\"usage\":null}}\n\n")]
    [InlineData("event: error\ndata: {\"type\":\"error\",\"code\":\"server_error\",\"message\":\"broken\",\"param\":null}\n\n")]
    [InlineData("event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"x\",\"message\":\"broken\"}}\n\n")]
    public void A_failure_of_the_provider_is_passed_at_once_and_is_the_only_one(string failure)
    {
        using var passed = Wires.Responses.NewRelay(ResponsesRequestTests.Accepted("""{"model":"m","stream":true,"input":"a"}"""));
        Assert.Equal(failure, Encoding.UTF8.GetString(TranslationCases.Push(passed, Encoding.UTF8.GetBytes(failure), new Random(1))));
        Assert.False(passed.IsWhole);

        using var translated = new TranslatedRelay(Wires.Responses, Wires.Chat, Head());
        Assert.Contains(
            "\"message\":\"broken\"",
            Encoding.UTF8.GetString(TranslationCases.Push(translated, Encoding.UTF8.GetBytes(failure), new Random(1))),
            StringComparison.Ordinal);
    }

    /// <summary>But for the answer's id: on this wire it is the gateway's own.</summary>
    [Fact]
    public void What_is_written_is_read_as_the_same_events() => Seeds.ForEach(500, random =>
    {
        var events = TranslationCases.Answer(random);
        var expected = TranslationCases.Show(events.Select(e => e.Kind == AnswerEventKind.Start ? e with { Id = "resp_1" } : e));
        var stream = TranslationCases.WriteStream(Wires.Responses, Head(), events);
        var (read, reader) = TranslationCases.ReadStream(Wires.Responses, stream, random);
        Assert.Equal(expected, TranslationCases.Show(Ordered(read)));
        Assert.True(reader.IsDone && !reader.MalformedSeen);

        var whole = new List<AnswerEvent>();
        Assert.True(Wires.Responses.NewReader().ReadWhole(TranslationCases.WriteWhole(Wires.Responses, Head(), events), whole));
        Assert.Equal(expected, TranslationCases.Show(Ordered(whole)));

        static IEnumerable<AnswerEvent> Ordered(List<AnswerEvent> events) => events.OrderBy(e => e.Kind is AnswerEventKind.Usage);
    });

    [Fact]
    public void A_stream_is_told_in_the_events_that_clients_know()
    {
        AnswerEvent[] events =
        [
            new(AnswerEventKind.Start, Id: "msg_1"),
            new(AnswerEventKind.Reasoning, "Hm"),
            new(AnswerEventKind.Signature, "seal"),
            AnswerEvent.Words("Hi"),
            AnswerEvent.Words("!"),
            AnswerEvent.Call(0, "c0", "f"),
            AnswerEvent.Call(1, "c1", "g"),
            AnswerEvent.Arguments(1, "{}"),
            AnswerEvent.Finished(StopReason.ToolCalls),
        ];
        var told = Encoding.UTF8
            .GetString(TranslationCases.WriteStream(Wires.Responses, Head(), [.. events]))
            .Split("\n\n", StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(
        [
            "response.created", "response.in_progress", "response.output_item.added", "response.reasoning_summary_part.added",
            "response.reasoning_summary_text.delta", "response.reasoning_summary_text.done", "response.reasoning_summary_part.done",
            "response.output_item.done", "response.output_item.added", "response.content_part.added", "response.output_text.delta",
            "response.output_text.delta", "response.output_text.done", "response.content_part.done", "response.output_item.done",
            "response.output_item.added", "response.output_item.added", "response.function_call_arguments.delta",
            "response.function_call_arguments.delta", "response.function_call_arguments.done", "response.output_item.done",
            "response.function_call_arguments.done", "response.output_item.done", "response.completed",
        ], told.Select(e => Regex.Match(e, "^event: (.*)\ndata: (.*)$", RegexOptions.Singleline).Groups[1].Value));
        for (var i = 0; i < told.Length; i++)
        {
            using var json = JsonDocument.Parse(told[i][(told[i].IndexOf("data: ", StringComparison.Ordinal) + 6)..]);
            Assert.Equal(i, json.RootElement.GetProperty("sequence_number").GetInt32());
            Assert.StartsWith($"event: {json.RootElement.GetProperty("type").GetString()}\n", told[i], StringComparison.Ordinal);
        }
        Assert.Equal(
            """
            data: {"type":"response.output_text.delta","sequence_number":11,"item_id":"msg_1_1","output_index":1,"content_index":0,
            "delta":"!","logprobs":[]}
            """.ReplaceLineEndings(""),
            told[11].Split('\n')[1]);
        Assert.EndsWith(
            """
            "model":"my/model","output":[{"id":"rs_1_0","type":"reasoning","summary":[{"type":"summary_text","text":"Hm"}],
                "encrypted_content":"seal"},{"id":"msg_1_1","type":"message","status":"completed",
                "content":[{"type":"output_text","annotations":[],"logprobs":[],"text":"Hi!"}],"role":"assistant"},
                {"id":"fc_1_2","type":"function_call","status":"completed","arguments":"{}","call_id":"c0","name":"f"},
                {"id":"fc_1_3","type":"function_call","status":"completed","arguments":"{}","call_id":"c1","name":"g"}],
                "parallel_tool_calls":true,"previous_response_id":null,"store":false,"temperature":null,"tool_choice":"auto","tools":[],
                "top_p":null,"truncation":"disabled","usage":{"input_tokens":20,"input_tokens_details":{"cached_tokens":5},
                "output_tokens":7,"output_tokens_details":{"reasoning_tokens":3},"total_tokens":27,"cost":"0.00000123"},"metadata":{}}}
            """.Unwrapped(), told[^1], StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void No_mutation_of_a_stream_makes_a_relay_throw_or_depend_on_the_pieces(bool translates) => Seeds.ForEach(2000, random =>
    {
        var stream = TranslationCases.Mutated(Encoding.UTF8.GetBytes(Recorded), random);
        using var one = NewRelay();
        using var two = NewRelay();
        Assert.Equal(
            TranslationCases.Named(TranslationCases.Push(one, stream, new Random(1))),
            TranslationCases.Named(TranslationCases.Push(two, stream, random)));
        Assert.Equal(one.Meter.DeliveredTokens, two.Meter.DeliveredTokens);

        StreamRelay NewRelay() => translates
            ? new TranslatedRelay(Wires.Responses, Wires.Responses, Head())
            : Wires.Responses.NewRelay(ResponsesRequestTests.Accepted("""{"model":"m","stream":true,"input":"a"}"""));
    });

    [Fact]
    public void Each_provider_is_spoken_to_in_a_wire_that_it_knows()
    {
        Assert.Same(Wires.Responses, Wires.Of("openai", Wires.Responses));
        Assert.Same(Wires.Chat, Wires.Of("openai", Wires.Chat));
        Assert.Same(Wires.Responses, Wires.Of("responses", Wires.Chat));
        Assert.Same(Wires.Chat, Wires.Of("openai-compatible", Wires.Chat));
        Assert.Equal("OpenAI chat", Wires.Of("openai-compatible", Wires.Responses)!.Name);
    }

    /// <summary>
    /// As OpenAI sends it: two paragraphs of thoughts with their seal, text with an escaped pair, a call in pieces and one whole, usage at
    /// the end.
    /// </summary>
    static readonly string Recorded = """
        event: response.created
        data: {"type":"response.created","sequence_number":0,"response":{"id":"resp_1","object":"response","status":"in_progress",
            "error":null,"output":[],"usage":null}}

        event: response.output_item.added
        data: {"type":"response.output_item.added","sequence_number":1,"output_index":0,"item":{"id":"rs_1","type":"reasoning",
            "summary":[]}}

        event: response.reasoning_summary_part.added
        data: {"type":"response.reasoning_summary_part.added","item_id":"rs_1","output_index":0,"summary_index":0,
            "part":{"type":"summary_text","text":""}}

        event: response.reasoning_summary_text.delta
        data: {"type":"response.reasoning_summary_text.delta","item_id":"rs_1","output_index":0,"summary_index":0,"delta":"Hm.",
            "obfuscation":"abc"}

        event: response.reasoning_summary_part.added
        data: {"type":"response.reasoning_summary_part.added","item_id":"rs_1","output_index":0,"summary_index":1,
            "part":{"type":"summary_text","text":""}}

        event: response.reasoning_summary_text.delta
        data: {"delta":"Yes.","type":"response.reasoning_summary_text.delta","item_id":"rs_1","output_index":0,"summary_index":1}

        event: response.output_item.done
        data: {"type":"response.output_item.done","output_index":0,"item":{"id":"rs_1","type":"reasoning","encrypted_content":"seal",
            "summary":[{"type":"summary_text","text":"Hm."},{"type":"summary_text","text":"Yes."}]}}

        event: response.output_item.added
        data: {"type":"response.output_item.added","output_index":1,"item":{"id":"msg_1","type":"message","status":"in_progress",
            "content":[],"role":"assistant"}}

        event: response.output_text.delta
        data: {"type":"response.output_text.delta","item_id":"msg_1","output_index":1,"content_index":0,"delta":"Hello","logprobs":[]}

        event: response.output_text.delta
        data: {"type":"response.output_text.delta","item_id":"msg_1","output_index":1,"content_index":0,"delta":" \ud83d\ude00",
            "logprobs":[]}

        event: response.output_text.done
        data: {"type":"response.output_text.done","item_id":"msg_1","output_index":1,"content_index":0,"text":"Hello \ud83d\ude00",
            "logprobs":[]}

        event: response.output_item.added
        data: {"type":"response.output_item.added","output_index":2,"item":{"id":"fc_1","type":"function_call","status":"in_progress",
            "arguments":"","call_id":"call_a","name":"get_weather"}}

        event: response.function_call_arguments.delta
        data: {"type":"response.function_call_arguments.delta","item_id":"fc_1","output_index":2,"delta":"{\"city\""}

        event: response.function_call_arguments.delta
        data: {"type":"response.function_call_arguments.delta","item_id":"fc_1","output_index":2,"delta":":\"Paris\"}"}

        event: response.function_call_arguments.done
        data: {"type":"response.function_call_arguments.done","item_id":"fc_1","output_index":2,"arguments":"{\"city\":\"Paris\"}"}

        event: response.output_item.done
        data: {"type":"response.output_item.done","output_index":3,"item":{"id":"fc_2","type":"function_call","status":"completed",
            "arguments":"{}","call_id":"call_b","name":"get_time"}}

        event: response.completed
        data: {"type":"response.completed","sequence_number":16,"response":{"id":"resp_1","object":"response","status":"completed",
            "error":null,"incomplete_details":null,"output":[{"type":"message","content":[]}],
            "usage":{"input_tokens":20,"input_tokens_details":{"cached_tokens":5},"output_tokens":7,
            "output_tokens_details":{"reasoning_tokens":3},"total_tokens":27},"metadata":{}}}


        """.Unwrapped().ReplaceLineEndings("\n");

    static AnswerHead Head() => new(
        "req_1",
        "my/model",
        DateTimeOffset.FromUnixTimeSeconds(1_700_000_000),
        ResponsesRequestTests.Accepted("""{"model":"m","stream":true,"input":"a"}"""));

    static Conversation Understand(string body) =>
        Wires.Responses.Understand(Encoding.UTF8.GetBytes(body), Wires.Responses.Read(Encoding.UTF8.GetBytes(body), default));
}
