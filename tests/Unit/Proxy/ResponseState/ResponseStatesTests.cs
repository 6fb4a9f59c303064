using System.Buffers;
using System.Net;
using System.Reflection;
using System.Text;
using System.Text.Json;
using LlmGateway.Contracts;
using LlmGateway.Proxy;
using LlmGateway.Proxy.Responses;
using LlmGateway.Proxy.ResponseState;
using LlmGateway.Proxy.Translation;
using LlmGateway.ServiceDefaults;
using Microsoft.AspNetCore.Http;
using Xunit;

namespace LlmGateway.UnitTests.Proxy.ResponseState;

/// <summary>What a request refers to stands in it when it is read, and only its customer can refer to it.</summary>
public sealed partial class ResponseStatesTests : IDisposable
{
    const string Said = """
        {"id":"resp_provider","status":"completed","store":false,"output":[{"type":"reasoning","id":"rs_1","summary":[],
            "encrypted_content":"SEAL"},
            {"type":"message","id":"msg_1","role":"assistant","content":[{"type":"output_text","text":"hello"}]}]}
        """;

    const string Thought = """{"type":"reasoning","id":"rs_1","summary":[],"encrypted_content":"SEAL"}""";
    const string Message = """{"type":"message","id":"msg_1","role":"assistant","content":[{"type":"output_text","text":"hello"}]}""";

    readonly KeptInMemory _kept = new();
    readonly Guid _customer = Ids.New();

    public void Dispose() => _kept.Dispose();

    [Fact]
    public async Task A_response_is_continued_with_everything_that_preceded_it()
    {
        var first = await AnswerAsync("""{"model":"own","input":"hi"}""");
        var second = await AnswerAsync($$"""{"model":"own","previous_response_id":"{{first}}","input":"and now?"}""");

        var (body, _) = await ReadAsync(
            $$"""{"model":"own","input":[{"role":"user","content":"last"}],"previous_response_id":"{{second}}"}""");

        Assert.Equal(
            $$"""{"model":"own","input":[{"role":"user","content":"hi"},{{Thought}},{{Message}},{"role":"user","content":"and now?"},"""
                + $$"""{{Thought}},{{Message}},{"role":"user","content":"last"}]}""",
            body);
    }

    /// <summary>As the AI SDK sends its second turn.</summary>
    [Fact]
    public async Task Items_are_replaced_where_they_are_named()
    {
        await AnswerAsync("""{"model":"own","input":"hi"}""");

        var (body, _) = await ReadAsync("""
            {"model":"own","input":[{"role":"user","content":"hi"},{"type":"item_reference","id":"rs_1"},{"id":"msg_1"},
                {"role":"user","content":"and now?"}]}
            """.Unwrapped());

        Assert.Equal(
            $$"""{"model":"own","input":[{"role":"user","content":"hi"},{{Thought}},{{Message}},{"role":"user","content":"and now?"}]}""",
            body);
    }

    /// <summary>What a client says again of what it continues is said once, whole or as a reference. Every result has its call.</summary>
    [Fact]
    public async Task Items_of_what_is_continued_are_said_once()
    {
        const string Call = """{"id":"fc_1","type":"function_call","call_id":"call_0","name":"f","arguments":"{}"}""";
        const string Output = """{"type":"function_call_output","call_id":"call_0","output":"ok"}""";
        var calls = $$"""{"id":"resp_up","object":"response","status":"completed","output":[{{Call}}]}""";
        var first = await AnswerAsync("""{"model":"own","input":"hi"}""", "own", calls);
        const string Hi = """{"role":"user","content":"hi"}""";

        foreach (var again in (string[])[
            Call, """{"type":"item_reference","id":"fc_1"}""", """{"id":"fc_1"}""",
            """{"type":"function_call","call_id":"call_0","name":"f","arguments":"{}"}"""])
        {
            var (body, _) = await ReadAsync(
                $$"""{"model":"own","previous_response_id":"{{first}}","input":[{{again}},{{Output}}]}""");
            Assert.Equal($$"""{"model":"own","input":[{{Hi}},{{Call}},{{Output}}]}""", body);
        }
        // This provider gives its next call the same id. Each call keeps its result, and a result that is sent again is said once.
        var second = await AnswerAsync(
            $$"""{"model":"own","previous_response_id":"{{first}}","input":[{{Output}}]}""", "own",
            calls.Replace("fc_1", "fc_2", StringComparison.Ordinal));
        var (last, _) = await ReadAsync(
            $$"""{"model":"own","previous_response_id":"{{second}}","input":[{{Output}},{{Output}}]}""");
        Assert.Equal(
            $$"""{"model":"own","input":[{{Hi}},{{Call}},{{Output}},{{Call.Replace("fc_1", "fc_2")}},{{Output}}]}""", last);
    }

    [Fact]
    public async Task A_thought_without_its_text_gets_it_back_or_is_left_out_and_named()
    {
        await AnswerAsync("""{"model":"own","input":"hi"}""");

        var (body, turn) = await ReadAsync("""
            {"model":"own","input":[{"type":"reasoning","id":"rs_1","summary":[]},{"type":"reasoning","id":"rs_2","summary":[]},
                {"role":"user","content":"x"}]}
            """.Unwrapped());

        Assert.Equal($$"""{"model":"own","input":[{{Thought}},{"role":"user","content":"x"}]}""", body);
        Assert.Equal(["input[1]"], turn.LeftOut);
    }

    /// <summary>Each provider gets its own thoughts, whoever answered last, and at every attempt.</summary>
    [Fact]
    public async Task Encrypted_thoughts_are_said_to_their_maker_alone()
    {
        var first = await AnswerAsync("""{"model":"own","input":"hi"}""");
        var second = await AnswerAsync(
            $$"""{"model":"other","previous_response_id":"{{first}}","input":"and now?"}""", "other", Said.Replace("rs_1", "rs_2"));
        var (call, body) = (KeptInMemory.Call(_customer), await BodyAsync(
            $$"""{"model":"own","previous_response_id":"{{second}}","input":[{"id":"rs_1"},{"id":"rs_2"},{"id":"msg_1"}]}"""));
        var (request, _) = await _kept.States().ReadAsync(call, body);

        (string, string, string)[] providers = [("own", "rs_1", "rs_2"), ("other", "rs_2", "rs_1")];
        foreach (var (provider, mine, foreign) in providers)
        {
            call.Route = call.Caller.Project.Find(provider)!;
            using var attempt = new ProviderAttempt(Wires.Responses, call, request!, body.Memory);
            var said = Encoding.UTF8.GetString(attempt.Compose(10).Span);
            Assert.Equal(2, said.Split($"\"{mine}\"").Length);
            Assert.DoesNotContain(foreign, said, StringComparison.Ordinal);
            Assert.Contains("\"model\":\"" + provider, said, StringComparison.Ordinal);
        }
    }

    /// <summary>Another key of the same connection may belong to another account.</summary>
    [Fact]
    public async Task A_provider_that_cannot_open_thoughts_gets_the_request_once_more_without_them()
    {
        var first = await AnswerAsync("""{"model":"own","input":"hi"}""");
        var (call, body) = (KeptInMemory.Call(_customer), await BodyAsync(
            $$"""{"model":"own","previous_response_id":"{{first}}","input":"x"}"""));
        var (request, _) = await _kept.States().ReadAsync(call, body);
        call.Route = call.Caller.Project.Find("own")!;
        using var attempt = new ProviderAttempt(Wires.Responses, call, request!, body.Memory);

        Assert.Contains("SEAL", Encoding.UTF8.GetString(attempt.Compose(10).Span), StringComparison.Ordinal);
        Assert.True(attempt.Yields(400, """{"error":{"code":"invalid_encrypted_content"}}"""u8));
        var said = Encoding.UTF8.GetString(attempt.Compose(10).Span);

        Assert.DoesNotContain("SEAL", said, StringComparison.Ordinal);
        Assert.Contains("hello", said, StringComparison.Ordinal);
        Assert.Contains("include", said, StringComparison.Ordinal);
        Assert.Contains("encrypted_content", call.Http.Response.Headers[Ignored.Header].ToString(), StringComparison.Ordinal);
        Assert.False(attempt.Yields(400, """{"error":{"code":"invalid_encrypted_content"}}"""u8));
    }

    [Fact]
    public async Task What_the_gateway_asks_for_alone_is_left_out_once_where_a_provider_refuses_it()
    {
        var (call, body) = (KeptInMemory.Call(_customer), await BodyAsync("""{"model":"own","input":"x"}"""));
        var (request, _) = await _kept.States().ReadAsync(call, body);
        call.Route = call.Caller.Project.Find("own")!;
        using var attempt = new ProviderAttempt(Wires.Responses, call, request!, body.Memory);

        Assert.Contains("include", Encoding.UTF8.GetString(attempt.Compose(10).Span), StringComparison.Ordinal);
        Assert.True(attempt.Yields(422, """{"detail":[{"loc":["body","include",0],"msg":"unexpected"}]}"""u8));
        Assert.DoesNotContain("include", Encoding.UTF8.GetString(attempt.Compose(10).Span), StringComparison.Ordinal);
        Assert.False(attempt.Yields(422, "include"u8));
    }

    /// <summary>What packs well takes little of the table and much of the memory.</summary>
    [Fact]
    public async Task What_a_tiny_request_refers_to_counts_for_its_customer_before_it_is_fetched()
    {
        var first = await AnswerAsync($$"""{"model":"own","input":"{{new string('x', 600_000)}}"}""");
        Assert.InRange(_kept.Rows[0].Sealed.Length, 1, 10_000);
        var bodies = new BodyBudget(1 << 20, 1 << 20);

        foreach (var body in (string[])[
            $$"""{"model":"own","previous_response_id":"{{first}}","input":"x"}""",
            """{"model":"own","input":[{"type":"item_reference","id":"msg_1"}]}"""])
            Assert.Equal("too_many_bytes", (await RefusedAsync(body, _customer, _kept.States(bodies))).Code);
        var caller = KeptInMemory.Call(_customer).Caller;
        using (var room = bodies.OpenRoom(caller.Owner))
            await Assert.ThrowsAsync<ProblemException>(() => _kept.States(bodies).FindAsync(caller, first, room));

        Assert.Equal((0, 0L), (_kept.Fetched, bodies.Held));
    }

    /// <summary>A stream may last for minutes; what it keeps in memory for its end is the body, which is counted.</summary>
    [Fact]
    public void A_turn_holds_no_parsed_conversation() => Assert.DoesNotContain(
        typeof(ResponseTurn).GetFields(BindingFlags.Instance | BindingFlags.NonPublic),
        field => field.FieldType.FullName!.Contains("JsonElement", StringComparison.Ordinal)
            || field.FieldType.FullName.Contains("JsonDocument", StringComparison.Ordinal));

    /// <summary>Half a character, a member twice, an item that is none: callers are refused for them, providers write them.</summary>
    [Theory]
    [InlineData("""{"type":"message","role":"assistant","content":[{"type":"output_text","text":"ok \ud83d"}]}""")]
    [InlineData("""{"type":"message","role":"assistant","content":"a","content":"ok"}""")]
    [InlineData("""7,{"type":"message","role":"assistant","content":"ok"}""")]
    public async Task What_is_kept_can_be_continued_whatever_the_provider_wrote(string item)
    {
        var first = await AnswerAsync(
            """{"model":"own","input":"hi"}""", "own", $$"""{"id":"r","status":"completed","output":[{{item}}]}""");
        var (body, _) = await ReadAsync($$"""{"model":"own","previous_response_id":"{{first}}","input":"x"}""");
        Assert.Contains("ok", body, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_answer_that_could_not_be_continued_is_not_kept_and_says_so()
    {
        var turn = await TurnAsync("""{"model":"own","input":"hi"}""");
        var told = await turn.TellAsync("""
            {"id":"r","output":[{"type":"message","role":"assistant","content":[{"type":"input_file","file_id":"f"}]}]}
            """u8.ToArray(), "own");
        Assert.Contains("\"store\":false", Encoding.UTF8.GetString(told.Span), StringComparison.Ordinal);
        Assert.Empty(_kept.Rows);
    }

    /// <summary>Its last event repeats a large answer, and what the request said of instructions and tools.</summary>
    [Fact]
    public async Task A_stream_with_a_large_last_event_is_kept()
    {
        var (call, body) = (KeptInMemory.Call(_customer), await BodyAsync("""{"model":"own","input":"hi","stream":true}"""));
        var (request, _) = await _kept.States().ReadAsync(call, body);
        var turn = ((ResponsesRequest)request!).Turn!;
        using var relay = turn.Relay(Wires.Responses.NewRelay(request));
        var large = new string('x', SseReader.MaxEventBytes);
        relay.Push(Encoding.UTF8.GetBytes(
            "data: {\"type\":\"response.completed\",\"response\":{\"id\":\"r\",\"status\":\"completed\",\"instructions\":\"" + large
            + "\",\"output\":[" + Message + "],\"usage\":{\"input_tokens\":1,\"output_tokens\":1}}}\n\n"),
            new ArrayBufferWriter<byte>());
        var tail = new ArrayBufferWriter<byte>();
        relay.WriteTail(tail, new(), Money.Zero);

        var told = await turn.TellEndAsync(tail.WrittenMemory, "own");

        Assert.True(relay.IsWhole);
        var row = Assert.Single(_kept.Rows);
        Assert.Contains(Ids.Show(Ids.Response, row.Id), Encoding.UTF8.GetString(told.Span), StringComparison.Ordinal);
    }

    /// <summary>Whatever a stream says of itself reaches who asks, such as the provider's reason for a failure.</summary>
    [Fact]
    public async Task A_relay_around_another_hides_nothing_of_it()
    {
        using var relay = (await TurnAsync("""{"model":"own","input":"hi"}""")).Relay(new PassRelay(Wires.Responses));
        Assert.All(
            typeof(StreamRelay).GetMethods().Where(method => method.IsVirtual && method.DeclaringType == typeof(StreamRelay)),
            method => Assert.Equal(
                relay.GetType(),
                relay.GetType().GetMethod(method.Name, [.. method.GetParameters().Select(p => p.ParameterType)])!.DeclaringType));
    }

    [Fact]
    public async Task What_precedes_a_request_counts_in_what_is_reserved_for_it()
    {
        var words = string.Join(' ', Enumerable.Repeat("word", 1000));
        var first = await AnswerAsync($$"""{"model":"own","input":"{{words}}"}""");

        var (request, _) = await _kept.States().ReadAsync(
            KeptInMemory.Call(_customer), await BodyAsync($$"""{"model":"own","previous_response_id":"{{first}}"}"""));

        Assert.InRange(request!.InputBound(0), words.Length, words.Length + 1000);
        Assert.Equal(3, request.Messages);
    }

    [Theory]
    [InlineData("""{"model":"own","input":"hi"}""", "true", 1)]
    [InlineData("""{"model":"own","input":"hi","store":true}""", "true", 1)]
    [InlineData("""{"model":"own","input":"hi","store":null}""", "true", 1)]
    [InlineData("""{"model":"own","input":"hi","store":false}""", "false", 0)]
    public async Task An_answer_is_kept_unless_its_caller_says_no_and_says_whether_it_is(string body, string stored, int rows)
    {
        Assert.Equal(stored, await StoredAsync(body));
        Assert.Equal(rows, _kept.Rows.Count);
    }

    [Fact]
    public async Task An_answer_for_which_there_is_no_room_says_so()
    {
        _kept.Answer = HttpStatusCode.InsufficientStorage;
        Assert.Equal("false", await StoredAsync("""{"model":"own","input":"hi"}"""));
    }

    [Fact]
    public async Task A_failed_answer_is_not_kept()
    {
        var turn = await TurnAsync("""{"model":"own","input":"hi"}""");
        await turn.TellAsync("""{"id":"r","status":"failed","output":[]}"""u8.ToArray(), "own");
        Assert.Empty(_kept.Rows);
    }

    [Fact]
    public async Task The_end_of_a_stream_is_told_when_its_answer_is_kept()
    {
        var turn = await TurnAsync("""{"model":"own","input":"hi","stream":true}""");
        var told = Encoding.UTF8.GetString((await turn.TellEndAsync(
            Encoding.UTF8.GetBytes($"event: response.completed\ndata: {{\"type\":\"response.completed\",\"response\":{Said.Trim()}}}\n\n"
                .Unwrapped()), "own")).Span);

        var row = Assert.Single(_kept.Rows);
        Assert.Contains(
            $"\"id\":\"{Ids.Show(Ids.Response, row.Id)}\",\"status\":\"completed\",\"store\":true", told, StringComparison.Ordinal);
        Assert.EndsWith("\n\n", told, StringComparison.Ordinal);
    }

    /// <summary>OpenAI refuses to encrypt the thoughts of models that have none; the caller asked for neither.</summary>
    [Theory]
    [InlineData("", ",\"store\":false,\"include\":[\"reasoning.encrypted_content\"]")]
    [InlineData(",\"include\":null", ",\"include\":[\"reasoning.encrypted_content\"],\"max_output_tokens\":9,\"store\":false")]
    [InlineData(",\"include\":[ ]",
        ",\"include\":[\"reasoning.encrypted_content\" ],\"max_output_tokens\":9,\"store\":false")]
    [InlineData(",\"include\":[\"message.output_text.logprobs\"]",
        ",\"include\":[\"reasoning.encrypted_content\",\"message.output_text.logprobs\"],\"max_output_tokens\":9,\"store\":false")]
    [InlineData(",\"include\":[\"reasoning.encrypted_content\"]",
        ",\"include\":[\"reasoning.encrypted_content\"],\"max_output_tokens\":9,\"store\":false")]
    [InlineData(",\"store\":false", ",\"store\":false")]
    public async Task Thoughts_are_asked_for_in_a_form_that_can_be_kept(string more, string end)
    {
        var body = await BodyAsync($$"""{"model":"own","input":"hi"{{more}}}""");
        var (request, _) = await _kept.States().ReadAsync(KeptInMemory.Call(_customer), body);

        var sent = Encoding.UTF8.GetString(request!.Rewrite(body.Memory, "own", 9, injectUsage: true).Span);

        Assert.Contains(end, sent, StringComparison.Ordinal);
        Assert.Equal(!more.Contains("false", StringComparison.Ordinal), sent.Contains("encrypted", StringComparison.Ordinal));
        var again = Encoding.UTF8.GetString(request.Rewrite(body.Memory, "own", 9, injectUsage: false).Span);
        Assert.Equal(more.Contains("encrypted", StringComparison.Ordinal), again.Contains("encrypted", StringComparison.Ordinal));
    }

    async Task<string> AnswerAsync(string body, string provider = "own", string said = Said)
    {
        var turn = await TurnAsync(body);
        await turn.TellAsync(Encoding.UTF8.GetBytes(said.Unwrapped()), provider);
        return Ids.Show(Ids.Response, _kept.Rows[^1].Id);
    }

    async Task<string> StoredAsync(string body)
    {
        var turn = await TurnAsync(body);
        var told = JsonSerializer.Deserialize<JsonElement>(
            (await turn.TellAsync(Encoding.UTF8.GetBytes(Said.Unwrapped()), "own")).Span);
        return told.GetProperty("store").GetRawText();
    }

    async Task<ResponseTurn> TurnAsync(string body)
    {
        var (request, problem) = await _kept.States().ReadAsync(KeptInMemory.Call(_customer), await BodyAsync(body));
        Assert.Null(problem);
        return ((ResponsesRequest)request!).Turn!;
    }

    async Task<(string Body, ResponseTurn Turn)> ReadAsync(string json)
    {
        var (call, body) = (KeptInMemory.Call(_customer), await BodyAsync(json));
        var (request, problem) = await _kept.States().ReadAsync(call, body);
        Assert.Null(problem);
        return (Encoding.UTF8.GetString(body.Memory.Span), ((ResponsesRequest)request!).Turn!);
    }

    static ValueTask<RequestBody> BodyAsync(string json)
    {
        var http = new DefaultHttpContext();
        http.Request.ContentType = "application/json";
        http.Request.Body = new MemoryStream(Encoding.UTF8.GetBytes(json));
        return RequestBody.ReadAsync(http, new BodyBudget(1 << 20, 1 << 20), Guid.Empty);
    }
}
