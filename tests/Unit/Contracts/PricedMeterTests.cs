using LlmGateway.Contracts;
using Xunit;

namespace LlmGateway.UnitTests.Contracts;

/// <summary>The lines of a request's bill.</summary>
public sealed class PricedMeterTests
{
    static readonly Prices Prices = new()
    {
        Input = new(1_000_000_000_000), Output = new(333_333_333_333), PerImage = new(40_000_000_000_000_000),
        Tiers = [new(1_000, new() { Input = new(2_000_000_000_000), Output = new(4_000_000_000_000) })],
    };

    [Theory]
    [InlineData(3, 20, 0, "input 3 1 0.000003", "output 20 0.333333333333 0.00000666666666666")]
    [InlineData(3, 0, 2, "input 3 1 0.000003", "image 2 40000 0.08")]
    [InlineData(1_001, 1, 0, "input 1001 2 0.002002", "output 1 4 0.000004")]
    [InlineData(0, 0, 0)]
    public void The_lines_come_to_the_cost_or_there_are_none(long input, long output, long images, params string[] expected)
    {
        var usage = new Usage { [Meter.Input] = input, [Meter.Output] = output, [Meter.Image] = images };
        var cost = Cost.Of(usage, Prices);
        var meters = new Dictionary<string, long>();
        foreach (var (name, units) in ((string, long)[])[("input", input), ("output", output), ("image", images)])
            if (units > 0)
                meters.Add(name, units);

        var lines = PricedMeter.Of(meters, Prices, new(cost))!;

        Assert.Equal(expected, lines.Select(line => $"{line.Meter} {line.Units} {line.Rate} {line.Amount}"));
        Assert.Null(PricedMeter.Of(meters, Prices, new(cost + 1)));
    }

    [Fact]
    public void A_meter_without_a_price_has_no_bill() =>
        Assert.Null(PricedMeter.Of(new Dictionary<string, long> { ["audioInput"] = 1 }, Prices, new(1)));
}
