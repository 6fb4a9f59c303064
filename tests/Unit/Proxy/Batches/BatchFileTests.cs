using System.Text;
using LlmGateway.Proxy.Batches;
using LlmGateway.ServiceDefaults;
using Xunit;

namespace LlmGateway.UnitTests.Proxy;

/// <summary>
/// Every line of a file for an OpenAI batch is read as strictly as the request that it is, and the refusal names its number.
/// </summary>
public sealed class BatchFileTests
{
    const string Good =
        """{"custom_id":"a","method":"POST","url":"/v1/chat/completions","body":{"model":"gpt","max_tokens":5,"messages":"""
            + """[{"role":"user","content":"hi"}]}}""";

    [Theory]
    [InlineData("\n")]
    [InlineData("\r\n")]
    [InlineData("\n\n")]
    public void The_bound_is_the_sum_of_the_lines_at_batch_prices_and_each_has_a_limit(string end)
    {
        var second = Good.Replace("\"a\"", "\"b\"").Replace("\"max_tokens\":5,", "");

        var (plan, sent) = BatchFile.Read(BatchCases.Utf8($"{Good}{end}{second}"), BatchCases.Anyone);

        var limited = second.Replace("gpt", "gpt-upstream").Replace("}]}}", "}],\"max_completion_tokens\":1000}}");
        Assert.Equal($"{Good.Replace("gpt", "gpt-upstream")}\n{limited}\n", Encoding.UTF8.GetString(sent.Span));
        var (first, other) = (BodyOf(Good), BodyOf(second));
        Assert.Equal((first + 16 + 64) * 500 + 5 * 1_000 + (other + 16 + 64) * 500 + 1_000 * 1_000, plan.Terms.Bound.Nanos);
        Assert.Equal(("/v1/chat/completions", "gpt", 2), (plan.Terms.Endpoint, plan.Terms.Model, plan.Terms.Lines));

        static int BodyOf(string line) => line.Length - """{"custom_id":"a","method":"POST","url":"/v1/chat/completions","body":}""".Length;
    }

    [Theory]
    [InlineData("/v1/responses", "{\"model\":\"gpt\",\"input\":\"hi\"}")]
    [InlineData("/v1/embeddings", "{\"model\":\"embedder\",\"input\":\"hi\"}")]
    public void Other_addresses_have_batches_too(string url, string body)
    {
        var (plan, _) = BatchFile.Read(
            BatchCases.Utf8($$"""{"custom_id":"a","method":"POST","url":"{{url}}","body":{{body}}}"""),
            BatchCases.Anyone);

        Assert.Equal(url, plan.Terms.Endpoint);
        Assert.True(plan.Terms.Bound.Nanos > 0);
    }

    [Theory]
    [InlineData("\"messages\":", "\"message\":", "missing_field", "line 3: body.messages")]
    [InlineData("\"max_tokens\":5", "\"max_tokens\":\"5\"", "invalid_value", "line 3: body.max_tokens")]
    [InlineData("\"max_tokens\":5", "\"stream\":true", "invalid_value", "line 3: body.stream")]
    [InlineData("\"content\":\"hi\"", "\"content\":[{\"input_audio\":{}}]", "unpriceable_parameter",
        "line 3: body.messages[0].content[0].input_audio")]
    [InlineData("\"gpt\"", "\"llama\"", "invalid_value", "line 3: body.model")]
    [InlineData("POST", "GET", "invalid_value", "line 3: method")]
    [InlineData("/v1/chat/completions", "/v1/messages", "invalid_value", "line 3: url")]
    [InlineData("/v1/chat/completions", "/v1/images/generations", "invalid_value", "line 3: url")]
    [InlineData("/v1/chat/completions", "/v1/embeddings", "invalid_value", "line 3: url")]
    [InlineData("\"b\"", "\"a\"", "invalid_value", "line 3: custom_id")]
    [InlineData("\"method\":", "\"priority\":1,\"method\":", "unpriceable_parameter", "line 3: priority")]
    [InlineData("\"method\":", "\"custom_id\":\"c\",\"method\":", "malformed_json", "line 3: custom_id")]
    [InlineData("}]}}", "}]}", "malformed_json", "line 3")]
    [InlineData("}]}}", "}]}} {}", "malformed_json", "line 3")]
    public void A_line_that_no_request_could_be_is_refused_by_its_number(string of, string with, string code, string param)
    {
        var problem = ProblemOf($"{Good}\n\n{Good.Replace("\"a\"", "\"b\"").Replace(of, with)}\n");

        Assert.Equal((code, param), (problem.Code, problem.Param));
        Assert.Contains($"'{param}'", problem.Message);
    }

    [Theory]
    [InlineData("")]
    [InlineData("\n \r\n")]
    public void A_file_without_lines_is_refused(string file) =>
        Assert.Equal(("invalid_value", "file"), (ProblemOf(file).Code, ProblemOf(file).Param));

    [Fact]
    public void A_model_whose_provider_has_no_such_batches_is_refused() =>
        Assert.Equal(
            ("untranslatable_parameter", "line 1: body.model"),
            (ProblemOf(Good.Replace("gpt", "claude")).Code, ProblemOf(Good.Replace("gpt", "claude")).Param));

    static Problem ProblemOf(string file) =>
        Assert.Throws<ProblemException>(() => BatchFile.Read(BatchCases.Utf8(file), BatchCases.Anyone)).Problem;
}
