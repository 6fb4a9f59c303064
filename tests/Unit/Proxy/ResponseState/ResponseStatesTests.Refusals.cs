using System.Net;
using LlmGateway.Contracts;
using LlmGateway.Proxy;
using LlmGateway.Proxy.ResponseState;
using LlmGateway.ServiceDefaults;
using Xunit;

namespace LlmGateway.UnitTests.Proxy.ResponseState;

public sealed partial class ResponseStatesTests
{
    [Fact]
    public async Task More_than_a_request_may_refer_to_is_refused_by_its_bound()
    {
        _kept.Answer = HttpStatusCode.RequestEntityTooLarge;
        var problem = await RefusedAsync("""{"model":"own","input":[{"type":"item_reference","id":"msg_1"}]}""", _customer);
        Assert.Equal(413, problem.Status);
        Assert.Contains("16 kept responses", problem.Message, StringComparison.Ordinal);
    }

    /// <summary>Only the strict reader may read a member of which there are two, or which is no text.</summary>
    [Theory]
    [InlineData("\"previous_response_id\":5")]
    [InlineData("\"previous_response_id\":\"FIRST\",\"previous_response_id\":\"FIRST\"")]
    [InlineData("\"previous_response_id\":5,\"previous_response_id\":\"FIRST\"")]
    public async Task What_names_no_one_response_is_refused_also_beside_items(string members)
    {
        var first = await AnswerAsync("""{"model":"own","input":"hi"}""");
        var problem = await RefusedAsync(
            $$"""{"model":"own",{{members.Replace("FIRST", first)}},"input":[{"type":"item_reference","id":"msg_1"}]}""", _customer);
        Assert.Equal((400, "previous_response_id"), (problem.Status, problem.Param));
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
        using var room = new BodyBudget(1 << 20, 1 << 20).OpenRoom(stranger);
        Assert.Null(await _kept.States().FindAsync(KeptInMemory.Call(stranger).Caller, first, room));
        Assert.NotNull(await _kept.States().FindAsync(KeptInMemory.Call(_customer).Caller, first, room));
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

    async Task<Problem> RefusedAsync(string json, Guid customer, ResponseStates? states = null)
    {
        try
        {
            return (await (states ?? _kept.States()).ReadAsync(KeptInMemory.Call(customer), await BodyAsync(json))).Problem!;
        }
        catch (ProblemException e)
        {
            return e.Problem;
        }
    }
}
