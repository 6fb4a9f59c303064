using System.Text;
using LlmGateway.Contracts;
using LlmGateway.Contracts.Expressions;
using LlmGateway.Proxy;
using LlmGateway.UnitTests.Contracts;
using Xunit;

namespace LlmGateway.UnitTests.Proxy;

/// <summary>What an answer of a route is settled with.</summary>
public sealed class RouteMeterTests
{
    const string Usage = """
        data: {"object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":"four words of text"}}]}

        data: {"object":"chat.completion.chunk","choices":[],"usage":{"prompt_tokens":7,"completion_tokens":4,"total_tokens":11}}

        data: [DONE]


        """;

    const string Seed = "json(sseLastData(allData)).usage.total_tokens ?? 1";

    [Fact]
    public void The_seeds_own_expression_says_the_tokens_of_a_stream()
    {
        var (reading, requests) = Of(CustomRoute.Tokens, Seed, Usage);
        Assert.Equal((11, false, null, 1), (Tokens(reading), reading.Estimated, reading.Reason, requests));
    }

    [Fact]
    public void Units_are_requests_where_the_route_counts_those()
    {
        var (reading, requests) = Of(CustomRoute.Requests, "responseBytes / 1024", new string('x', 3000));
        Assert.Equal((3, 3, 0, false), (reading.Usage[Meter.Request], requests, Tokens(reading), reading.Estimated));
    }

    [Theory]
    [InlineData("json(sseLastData(allData)).nothing.total ?? 1")]
    [InlineData("json(sseLastData(allData)).usage.total_tokens.x")]
    public void An_expression_that_fails_leaves_the_providers_counts(string expression)
    {
        var (reading, _) = Of(CustomRoute.Tokens, expression, Usage);
        Assert.Equal((11, "expression_wrong_kind"), (Tokens(reading), reading.Reason));
    }

    [Fact]
    public void Tokens_of_an_answer_of_no_wire_are_estimated_by_its_length_and_marked()
    {
        var (reading, _) = Of(CustomRoute.Tokens, "json(allData).tokens", new string('x', 400), request: new string('y', 40));
        Assert.Equal((110, true, "expression_not_json"), (Tokens(reading), reading.Estimated, reading.Reason));
    }

    [Fact]
    public void Requests_of_an_answer_for_which_the_expression_fails_are_what_the_route_says_and_marked()
    {
        var (reading, requests) = Of(CustomRoute.Requests, "len(respBody.rows)", "no JSON", fallback: 3);
        Assert.Equal((3, 3, true, "expression_wrong_kind"), (reading.Usage[Meter.Request], requests, reading.Estimated, reading.Reason));
        var (none, count) = Of(CustomRoute.Requests, "len(respBody.rows)", "no JSON");
        Assert.Equal((0, 0, true), (none.Usage[Meter.Request], count, none.Estimated));
    }

    /// <summary>Its default would be taken for a count.</summary>
    [Theory]
    [InlineData(Seed)]
    [InlineData("get(json(sseLastData(allData)), 'usage.total_tokens') ?? 1")]
    [InlineData("usage?.total_tokens ?? 1")]
    public void A_stream_that_broke_off_is_estimated_and_never_1(string expression)
    {
        var begun = Usage[..(Usage.IndexOf("\n\n", StringComparison.Ordinal) + 2)];
        var (reading, _) = Of(CustomRoute.Tokens, expression, begun, isWhole: false);
        Assert.True(Tokens(reading) > 1 && reading.Estimated, $"{Tokens(reading)} {reading.Reason}");
        Assert.Contains("expression_partial_answer", reading.Reason);
        Assert.EndsWith("aborted", reading.Reason);
    }

    [Fact]
    public void What_depends_on_the_length_alone_is_measured_also_when_an_answer_breaks_off()
    {
        var (reading, requests) = Of(CustomRoute.Requests, "responseBytes / 1000", new string('x', 5000), isWhole: false);
        Assert.Equal((5, 5, false, "aborted"), (reading.Usage[Meter.Request], requests, reading.Estimated, reading.Reason));
    }

    [Theory]
    [InlineData("1", 1L), InlineData("2 + 3", 5L), InlineData("let a = 2; a * 2", null), InlineData("responseBytes", null)]
    [InlineData("now()", null)]
    public void An_expression_without_variables_says_a_number_by_itself(string expression, long? constant) =>
        Assert.Equal(constant, Metered.Parse(expression).Constant);

    static long Tokens(MeterReading reading) => reading.Usage.InputTokens + reading.Usage.OutputTokens;

    static (MeterReading Reading, long Requests) Of(
        string unit, string expression, string answer, string request = "", long fallback = 0, bool isWhole = true)
    {
        var route = new CustomRoute("/x", "p") { Unit = unit, Meter = expression, MaxUnits = 1000, FallbackUnits = fallback };
        using var meter = new RouteMeter(
            route, Metered.Parse(expression), new Facts { RequestBody = Encoding.UTF8.GetBytes(request) },
            isStream: answer.StartsWith("data:", StringComparison.Ordinal));
        foreach (var piece in Encoding.UTF8.GetBytes(answer).Chunk(7))
            meter.Push(piece);
        var reading = meter.Settle(isWhole, isWhole ? null : "aborted");
        return (reading, meter.Requests);
    }
}
