using System.Text;
using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using LlmGateway.Sessions;
using Xunit;

namespace LlmGateway.UnitTests.Sessions;

/// <summary>What prices cost at the borders of their tiers, before a model has them.</summary>
public sealed class PreviewPricesTests
{
    const string Tiered = """
        "prices":{"input":"1","output":"2","perRequest":"0.01","tiers":[
            {"aboveInput":500,"prices":{"input":"5","output":"6"}},{"aboveInput":100,"prices":{"input":"3","output":"4"}}]}
        """;

    /// <summary>A tier prices all of a request, so that the first token above its border costs what all tokens below it do more.</summary>
    [Fact]
    public void Both_sides_of_each_border_are_shown_and_a_tier_prices_the_whole_request()
    {
        var answer = Preview($$"""{{{Tiered}},"outputTokens":10}""");

        Assert.Equal("volume", answer.Kind);
        Assert.Null(answer.Batch);
        Assert.Equal(
            [(100, null, 10_120_000), (101, 100, 343_000), (500, 100, 1_540_000), (501, 500, 2_565_000)],
            answer.Boundaries.Select(one => (one.InputTokens, one.AboveInput, one.Cost.Nanos)));
        Assert.All(answer.Boundaries, one => Assert.Equal(10, one.OutputTokens));
        var above = answer.Boundaries[1];
        Assert.Equal((new Rate(3_000_000_000_000), new Rate(4_000_000_000_000)), (above.InputRate, above.OutputRate));
    }

    [Fact]
    public void Borders_beside_each_other_are_shown_once_and_prices_without_tiers_once()
    {
        var beside = Preview("""
            {"prices":{"input":"1","output":"2","tiers":[{"aboveInput":4,"prices":{"input":"2","output":"2"}},
                {"aboveInput":5,"prices":{"input":"3","output":"2"}}]},"outputTokens":0}
            """);
        Assert.Equal([4L, 5, 6], beside.Boundaries.Select(one => one.InputTokens));
        Assert.Equal([4_000L, 10_000, 18_000], beside.Boundaries.Select(one => one.Cost.Nanos));

        var plain = Preview("""{"prices":{"input":"1","output":"2","batch":{"input":"0.5","output":"1"}}}""");
        Assert.Equal((1L, 2_001_000L), (plain.Boundaries.Single().InputTokens, plain.Boundaries.Single().Cost.Nanos));
        Assert.Equal(1_000_500L, plain.Batch!.Single().Cost.Nanos);
    }

    [Theory]
    [InlineData("""{"prices":{"input":"-1","output":"1"}}""", "prices.input")]
    [InlineData("""{"prices":{"input":"0.00000015","output":"1"}}""", "prices.input")]
    [InlineData("""{"prices":{"output":"1"}}""", "prices.input")]
    [InlineData("""{"prices":{"input":"1"}}""", "prices.output")]
    [InlineData("""{"prices":{"input":"1","output":"1","tiers":[{"aboveInput":0,"prices":{"input":"1","output":"1"}}]}}""",
        "prices.tiers[0].aboveInput")]
    [InlineData("""{"prices":{"input":"1","output":"1","tiers":[{"aboveInput":9,"prices":{"output":"1"}}]}}""",
        "prices.tiers[0].prices.input")]
    [InlineData("""{"prices":{"input":"1","output":"1","tiers":[{"aboveInput":1000000000,"prices":{"input":"1","output":"1"}}]}}""",
        "prices.tiers[0].aboveInput")]
    [InlineData("""{"prices":{"input":"1","output":"1"},"outputTokens":-1}""", "outputTokens")]
    public void What_a_model_may_not_have_is_refused_by_its_name(string json, string field)
    {
        var problem = Assert.Throws<ProblemException>(() => Preview(json)).Problem;

        Assert.Equal((400, field), (problem.Status, problem.Param));
    }

    static PreviewPrices.Answer Preview(string json) =>
        PreviewPrices.Preview(Body.Parse<PreviewPrices.Request>(Encoding.UTF8.GetBytes(json)));
}
