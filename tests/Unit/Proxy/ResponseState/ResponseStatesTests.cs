using System.Net;
using System.Text;
using System.Text.Json;
using LlmGateway.Contracts;
using LlmGateway.Proxy;
using LlmGateway.Proxy.Responses;
using LlmGateway.Proxy.ResponseState;
using LlmGateway.ServiceDefaults;
using Microsoft.AspNetCore.Http;
using Xunit;

namespace LlmGateway.UnitTests.Proxy.ResponseState;

/// <summary>What a request refers to stands in it when it is read, and only its customer can refer to it.</summary>
public sealed class ResponseStatesTests : IDisposable
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

    [Fact]
    public async Task Encrypted_thoughts_are_not_said_to_another_provider()
    {
        var first = await AnswerAsync("""{"model":"own","input":"hi"}""");

        var (chained, _) = await ReadAsync($$"""{"model":"other","previous_response_id":"{{first}}"}""");
        var (named, _) = await ReadAsync("""{"model":"other","input":[{"id":"rs_1"},{"id":"msg_1"}]}""");

        Assert.Equal($$"""{"model":"other","input":[{"role":"user","content":"hi"},{{Message}}]}""", chained);
        Assert.Equal($$"""{"model":"other","input":[{{Message}}]}""", named);
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

    /// <summary>The table here gives out what it has to everybody; the seal does not open.</summary>
    [Fact]
    public async Task Another_customer_finds_nothing_even_where_the_table_gives_it_out()
    {
        var first = await AnswerAsync("""{"model":"own","input":"hi"}""");
        var stranger = Ids.New();

        foreach (var body in (string[])[
            $$"""{"model":"own","previous_response_id":"{{first}}","input":"x"}""",
            """{"model":"own","input":[{"type":"item_reference","id":"msg_1"}]}"""])
            Assert.Equal(404, (await RefusedAsync(body, stranger)).Status);
        Assert.Null(await _kept.States().FindAsync(KeptInMemory.Call(stranger).Caller, first));
        Assert.NotNull(await _kept.States().FindAsync(KeptInMemory.Call(_customer).Caller, first));
    }

    [Theory]
    [InlineData("resp_0123456789abcdef0123456789abcdef")]
    [InlineData("resp_1")]
    [InlineData("../x")]
    public async Task What_is_not_there_is_not_found_by_name(string id)
    {
        var problem = await RefusedAsync($$"""{"model":"own","previous_response_id":"{{id}}","input":"x"}""", _customer);
        Assert.Equal((404, "previous_response_not_found", "previous_response_id"), (problem.Status, problem.Code, problem.Param));

        problem = await RefusedAsync($$"""{"model":"own","input":["a",{"type":"item_reference","id":"{{id}}"}]}""", _customer);
        Assert.Equal((404, "item_not_found", "input[1].id"), (problem.Status, problem.Code, problem.Param));
    }

    [Fact]
    public async Task A_deleted_response_is_not_there()
    {
        var first = await AnswerAsync("""{"model":"own","input":"hi"}""");
        var caller = KeptInMemory.Call(_customer).Caller;

        Assert.True(await _kept.States().DeleteAsync(caller, first));
        Assert.False(await _kept.States().DeleteAsync(caller, first));
        Assert.Equal(404, (await RefusedAsync($$"""{"model":"own","previous_response_id":"{{first}}"}""", _customer)).Status);
    }

    [Fact]
    public async Task A_table_that_does_not_answer_refuses_what_continues_and_serves_what_begins()
    {
        var first = await AnswerAsync("""{"model":"own","input":"hi"}""");
        _kept.Answer = HttpStatusCode.ServiceUnavailable;

        Assert.Equal(503, (await RefusedAsync($$"""{"model":"own","previous_response_id":"{{first}}"}""", _customer)).Status);
        Assert.Equal("false", await StoredAsync("""{"model":"own","input":"hi"}"""));
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

    [Theory]
    [InlineData("""{"model":"own","input":"a","input":[{"type":"item_reference","id":"msg_1"}]}""", "malformed_json")]
    [InlineData("""{"model":"own","previous_response_id":null,"input":"\ud83d"}""", "malformed_json")]
    [InlineData("""{"model":"own","input":"a","\ud83d":1}""", "malformed_json")]
    [InlineData("""{"model":"own","input":""", "malformed_json")]
    [InlineData("""[]""", "malformed_json")]
    [InlineData("""{"model":"own","input":"a","store":"no"}""", "invalid_value")]
    [InlineData("""{"model":"own","input":"a","Store":false}""", "invalid_value")]
    [InlineData("""{"model":"own","input":"a","background":true}""", "unpriceable_parameter")]
    [InlineData("""{"model":"own","input":"a","conversation":"conv_1"}""", "unpriceable_parameter")]
    public async Task What_the_strict_reader_refuses_is_refused(string body, string code)
    {
        await AnswerAsync("""{"model":"own","input":"hi"}""");
        Assert.Equal(code, (await RefusedAsync(body, _customer)).Code);
    }

    async Task<string> AnswerAsync(string body)
    {
        var turn = await TurnAsync(body);
        await turn.TellAsync(Encoding.UTF8.GetBytes(Said.Unwrapped()), "own");
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

    async Task<Problem> RefusedAsync(string json, Guid customer)
    {
        try
        {
            return (await _kept.States().ReadAsync(KeptInMemory.Call(customer), await BodyAsync(json))).Problem!;
        }
        catch (ProblemException e)
        {
            return e.Problem;
        }
    }

    static ValueTask<RequestBody> BodyAsync(string json)
    {
        var http = new DefaultHttpContext();
        http.Request.ContentType = "application/json";
        http.Request.Body = new MemoryStream(Encoding.UTF8.GetBytes(json));
        return RequestBody.ReadAsync(http, new BodyBudget(1 << 20, 1 << 20), Guid.Empty);
    }
}
