using System.Text;
using System.Text.Json;
using LlmGateway.Contracts;
using LlmGateway.Contracts.Expressions;
using LlmGateway.Proxy.Expressions;
using LlmGateway.ServiceDefaults;
using Xunit;

namespace LlmGateway.UnitTests.Proxy;

/// <summary>What a recorded answer would be worth, from the bytes of the body on.</summary>
public sealed class DryRunTests
{
    const string Seed = "json(sseLastData(allData)).usage.total_tokens ?? 1";

    const string Stream = """
        data: {"id":"c","choices":[{"index":0,"delta":{"content":"Hi"}}],"usage":null}

        data: {"id":"c","choices":[],"usage":{"prompt_tokens":100,"completion_tokens":423,"total_tokens":523}}

        data: [DONE]


        """;

    [Fact]
    public void A_stream_is_worth_what_its_expression_says_and_costs_so_many_units()
    {
        var result = Run(Seed, Stream, "\"unit\":\"tokens\",\"price\":\"0.000002\",\"maxUnits\":4000");

        Assert.Equal(("523", 523L, "tokens", 4000L), (result.Value, result.Units, result.Unit, result.Held));
        Assert.Equal((Money.Parse("0.001046"), false, null), (result.Cost, result.Estimated, result.Reason));
        Assert.Equal((true, null), (result.Stream, result.Failure));
        Assert.Equal((100L, 423L), (result.Usage!["input_tokens"], result.Usage["output_tokens"]));
        Assert.InRange(result.Steps, 1, MeteringExpression.MaxSteps);
        var json = JsonSerializer.Serialize(result, Defaults.Json);
        Assert.Contains("\"value\":\"523\",\"units\":523,\"unit\":\"tokens\",\"price\":\"0.000002\",\"cost\":\"0.001046\"", json);
    }

    /// <summary>As of a call: the type counts, and without one how the recording begins.</summary>
    [Theory]
    [InlineData("", true)]
    [InlineData("text/event-stream; charset=utf-8", true)]
    [InlineData("application/json", false)]
    public void An_answer_is_a_stream_by_its_type(string type, bool isStream) =>
        Assert.Equal(isStream, Run("responseBytes", Stream, "", type.Length == 0 ? "{}" : $$"""{"content-type":"{{type}}"}""").Stream);

    [Fact]
    public void An_expression_that_fails_says_where_and_what_is_billed_in_its_place()
    {
        var result = Run("1 +\n  json(allData).rows", "no json", "\"maxUnits\":7,\"price\":\"0.5\"", """{"Content-Type":"text/plain"}""");

        Assert.Null(result.Value);
        Assert.Equal((Failure.NotJson, 2, 3), (result.Failure!.Reason, result.Failure.Line, result.Failure.Column));
        Assert.Equal((7L, true, Failure.NotJson), (result.Units, result.Estimated, result.Reason));
        Assert.Equal(Money.Parse("3.5"), result.Cost);
    }

    [Fact]
    public void What_is_above_the_bound_is_counted_and_costs_no_more_than_was_held()
    {
        var result = Run("9", "x", "\"maxUnits\":4,\"price\":\"1\"");

        Assert.Equal((9L, 4L, Money.Usd(4), "capped"), (result.Units, result.Held, result.Cost, result.Reason));
    }

    [Fact]
    public void The_request_can_be_read_too() => Assert.Equal(
        "12",
        Run(
            "len(body.rows) + int(query.n) + (headers['X-Rows'] == '9' ? 9 : 0)", "x", """
            "request":{"method":"GET","path":"/a","query":{"n":"1"},"headers":{"x-rows":"9"},"body":"{\"rows\":[1,2]}"}
            """).Value);

    [Fact]
    public void An_answer_that_is_none_is_worth_nothing()
    {
        var result = Run("5", "no", "\"price\":\"1\"", status: 503);

        Assert.Equal(("5", 0L, Money.Zero, "upstream_error"), (result.Value, result.Units, result.Cost, result.Reason));
    }

    [Theory]
    [InlineData("1 +", "", "meter", "line 1, column 4")]
    [InlineData("usge.total_tokens", "\"unit\":\"tokens\",\"maxUnits\":1", "meter", "Did you mean 'usage'?")]
    [InlineData("1", "\"unit\":\"rows\"", "unit", "must be one of")]
    [InlineData("responseBytes", "\"price\":\"1\"", "maxUnits", "is required")]
    [InlineData("1", "\"price\":\"-1\"", "price", "must be between 0")]
    [InlineData("1", "\"maxUnits\":0", "maxUnits", "must be from 1")]
    [InlineData("1", "\"misspelt\":0", "misspelt", "is not a member")]
    [InlineData("1", "\"request\":{\"url\":\"/\"}", "request.url", "is not a member")]
    public void What_a_route_may_not_say_is_refused_by_its_name(string meter, string more, string field, string reason)
    {
        var problem = Assert.Throws<ProblemException>(() => Run(meter, "x", more)).Problem;

        Assert.Equal((400, field), (problem.Status, problem.Param));
        Assert.Contains(reason, problem.Message, StringComparison.Ordinal);
    }

    static DryRun.Result Run(string meter, string answer, string more, string headers = "{}", int status = 200) => DryRun.Measure(
        Body.Parse<DryRun.Request>(Encoding.UTF8.GetBytes($$"""
            {"meter":{{JsonSerializer.Serialize(meter)}},"response":{"status":{{status}},"headers":{{headers}},
             "body":{{JsonSerializer.Serialize(answer)}}}{{(more.Length == 0 ? "" : $",{more}")}} }
            """)),
        DateTimeOffset.UnixEpoch);
}
