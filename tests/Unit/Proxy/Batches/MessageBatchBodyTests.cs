using System.Text;
using LlmGateway.Proxy.Batches;
using LlmGateway.ServiceDefaults;
using Xunit;

namespace LlmGateway.UnitTests.Proxy;

/// <summary>Every request of an Anthropic batch is read as strictly as one outside of it, and the refusal names its place.</summary>
public sealed class MessageBatchBodyTests
{
    const string Good = """{"custom_id":"a","params":{"model":"claude","max_tokens":5,"messages":[{"role":"user","content":"hi"}]}}""";

    [Fact]
    public void The_bound_is_the_sum_of_the_lines_at_batch_prices_and_the_provider_gets_its_own_model()
    {
        var second = Good.Replace("\"a\"", "\"b\"").Replace("5", "4000");
        var plan = new BatchPlan(BatchCases.Anyone, "/v1/messages");

        var sent =
            Encoding.UTF8.GetString(MessageBatchBody.Read(BatchCases.Utf8($$"""{ "requests" : [{{Good}}, {{second}}] }"""), plan).Span);

        // The model has at most 1 000 tokens of output, so that is what the second asks for.
        Assert.Equal(
            $$"""{ "requests" : [{{Good.Replace("claude", "claude-upstream")}},"""
                + $$""" {{second.Replace("claude", "claude-upstream").Replace("4000", "1000")}}] }""",
            sent);
        var (first, other) = (ParamsOf(Good), ParamsOf(second));
        var bound = (first + 16 + 64) * 500 + 5 * 1_000 + (other + 16 + 64) * 500 + 1_000 * 1_000;
        Assert.Equal(
            ("/v1/messages", "claude", 2, (long)bound, 2),
            (plan.Terms.Endpoint, plan.Terms.Model, plan.Terms.Lines, plan.Terms.Bound.Nanos, plan.Terms.EstimatedInput));
        Assert.Equal(BatchCases.Prices.Batch, plan.Terms.Prices);

        static int ParamsOf(string request) => request.Length - """{"custom_id":"a","params":}""".Length;
    }

    [Fact]
    public void A_model_is_had_from_the_first_provider_that_has_batches()
    {
        var plan = new BatchPlan(BatchCases.Anyone, "/v1/messages");

        MessageBatchBody.Read(BatchCases.Utf8($$"""{"requests":[{{Good.Replace("claude", "anywhere")}}]}"""), plan);

        Assert.Equal("anthropic", plan.Route!.Model.Provider);
    }

    [Theory]
    [InlineData("""{}""", "missing_field", "requests")]
    [InlineData("""{"requests":[]}""", "missing_field", "requests")]
    [InlineData("""{"requests":{}}""", "invalid_value", "requests")]
    [InlineData("""{"requests":[],"speed":"fast"}""", "unpriceable_parameter", "speed")]
    [InlineData("""{"requests":[7]}""", "invalid_value", "requests[0]")]
    [InlineData("""{"requests":[{"custom_id":"a"}]}""", "missing_field", "requests[0].params")]
    [InlineData("""{"requests":[{"params":{"model":"claude","max_tokens":5,"messages":[{}]}}]}""", "invalid_value",
        "requests[0].custom_id")]
    [InlineData("""{"requests":[{"custom_id":"a","params":7}]}""", "malformed_json", "requests[0].params")]
    [InlineData("""{"requests":[{"custom_id":"a","params":{},"priority":1}]}""", "unpriceable_parameter", "requests[0].priority")]
    public void A_batch_of_the_wrong_form_is_refused_by_name(string body, string code, string param) => Refused(body, code, param);

    [Theory]
    [InlineData("\"max_tokens\":5", "\"max_tokens\":5e0", "invalid_value", "requests[1].params.max_tokens")]
    [InlineData("\"max_tokens\":5,", "", "missing_field", "requests[1].params.max_tokens")]
    [InlineData("\"max_tokens\":5", "\"max_tokens\":5,\"stream\":true", "invalid_value", "requests[1].params.stream")]
    [InlineData("\"max_tokens\":5", "\"max_tokens\":5,\"service_tier\":\"priority\"", "unpriceable_parameter",
        "requests[1].params.service_tier")]
    [InlineData("\"content\":\"hi\"", "\"content\":[{\"file_id\":\"f\"}]", "unpriceable_parameter",
        "requests[1].params.messages[0].content[0].file_id")]
    [InlineData("\"claude\"", "\"other-claude\"", "invalid_value", "requests[1].params.model")]
    [InlineData("\"b\"", "\"a\"", "invalid_value", "requests[1].custom_id")]
    [InlineData("\"b\"", "\"\"", "invalid_value", "requests[1].custom_id")]
    public void A_line_that_no_request_could_be_is_refused_by_name(string of, string with, string code, string param) =>
        Refused($$"""{"requests":[{{Good}},{{Good.Replace("\"a\"", "\"b\"").Replace(of, with)}}]}""", code, param);

    [Theory]
    [InlineData("nothing", "model_not_found")]
    [InlineData("unpriced", "model_unpriced")]
    [InlineData("gpt", "untranslatable_parameter")]
    [InlineData("gemini", "untranslatable_parameter")]
    public void A_model_without_such_batches_is_refused(string model, string code) =>
        Refused($$"""{"requests":[{{Good.Replace("claude", model)}}]}""", code, "requests[0].params.model");

    [Fact]
    public void What_the_credential_may_not_call_it_may_not_batch()
    {
        var body = $$"""{"requests":[{{Good}}]}""";

        Assert.Equal("model_not_allowed", ProblemOf(body, BatchCases.Caller(models: "gpt")).Code);
        Assert.Equal("live_only", ProblemOf(body, BatchCases.Caller(test: true, models: null)).Code);
    }

    [Fact]
    public void A_batch_has_so_many_requests_and_no_more()
    {
        string Body(int lines) =>
            $$"""{"requests":[{{string.Join(',', Enumerable.Range(0, lines).Select(i => Good.Replace("\"a\"", $"\"{i}\"")))}}]}""";
        MessageBatchBody.Read(BatchCases.Utf8(Body(BatchPlan.MaxLines)), new(BatchCases.Anyone, "/v1/messages"));

        Refused(Body(BatchPlan.MaxLines + 1), "invalid_value", $"requests[{BatchPlan.MaxLines}].params");
    }

    static void Refused(string body, string code, string param)
    {
        var problem = ProblemOf(body, BatchCases.Anyone);
        Assert.Equal((code, param), (problem.Code, problem.Param));
        Assert.Contains($"'{param}'", problem.Message);
    }

    static Problem ProblemOf(string body, LlmGateway.Proxy.Caller caller) =>
        Assert.Throws<ProblemException>(() => MessageBatchBody.Read(BatchCases.Utf8(body), new(caller, "/v1/messages"))).Problem;
}
