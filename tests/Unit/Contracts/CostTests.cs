using System.Numerics;
using System.Text.Json;
using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using Xunit;

namespace LlmGateway.UnitTests.Contracts;

public sealed class CostTests
{
    [Fact]
    public void The_contracts_example_is_exact()
    {
        var prices = JsonSerializer.Deserialize<Prices>("""{"input":"0.15","cachedInput":"0.075","output":"0.60"}""", Defaults.Json)!;
        var usage = new Usage { [Meter.Input] = 1000, [Meter.CachedInput] = 200, [Meter.Output] = 50, [Meter.Request] = 1 };
        Assert.Equal(150_000 + 15_000 + 30_000, Cost.Of(usage, prices));
    }

    [Fact]
    public void A_part_of_a_nano_dollar_is_rounded_up_once_per_request()
    {
        var prices = new Prices { Input = new Rate(1), Output = new Rate(1) };
        Assert.Equal(0, Cost.Of(new Usage(), prices));
        Assert.Equal(1, Cost.Of(new Usage { [Meter.Input] = 1, [Meter.Output] = 1 }, prices));
        Assert.Equal(1, Cost.Of(new Usage { [Meter.Input] = 999_999_999, [Meter.Output] = 1 }, prices));
        Assert.Equal(2, Cost.Of(new Usage { [Meter.Input] = 1_000_000_000, [Meter.Output] = 1 }, prices));
    }

    [Fact]
    public void Every_cost_is_the_exact_one_rounded_up() => Seeds.ForEach(1_000_000, random =>
    {
        var usage = new Usage();
        for (var meter = 0; meter < Usage.Meters; meter++)
            if (random.Next(2) == 0)
                usage[(Meter)meter] = random.NextInt64(1L << random.Next(31));
        var prices = RandomPrices(random, random.Next(3));

        var input = ((Meter[])[Meter.Input, Meter.CachedInput, Meter.CacheWrite5m, Meter.CacheWrite1h, Meter.AudioInput, Meter.ImageInput])
            .Sum(meter => usage[meter]);
        var tier = prices.Tiers!.Where(tier => tier.AboveInput < input).OrderByDescending(tier => tier.AboveInput).FirstOrDefault()?.Prices
            ?? prices;
        var attos =
            Enum.GetValues<Meter>().Aggregate(BigInteger.Zero, (sum, meter) => sum + ((BigInteger)usage[meter] * RateOf(tier, meter)));
        var exact = BigInteger.DivRem(attos, 1_000_000_000, out var rest) + (rest.IsZero ? 0 : 1);

        Assert.Equal(exact, Cost.Of(usage, prices));
    });

    [Fact]
    public void A_used_meter_without_a_price_is_a_bug_and_not_free() =>
        Assert.Throws<InvalidOperationException>(() => Cost.Of(new Usage { [Meter.AudioInput] = 1 }, new Prices { Input = new Rate(1) }));

    [Fact]
    public void A_cost_beyond_any_balance_throws_and_never_wraps() =>
        Assert.Throws<OverflowException>(() =>
            Cost.Of(new Usage { [Meter.Input] = long.MaxValue }, new Prices { Input = new Rate(long.MaxValue) }));

    [Fact]
    public void A_meter_never_runs_backwards() => Assert.Throws<ArgumentOutOfRangeException>(() => new Usage { [Meter.Input] = -1 });

    [Fact]
    public void Twelve_decimals_of_a_price_survive_json()
    {
        const string Json =
            """{"input":"5.46875","cachedInput":"0.000000000001","perRequest":"0.000000000001","tiers":"""
                + """[{"aboveInput":200000,"prices":{"input":"9223372"}}]}""";
        var prices = JsonSerializer.Deserialize<Prices>(Json, Defaults.Json)!;
        Assert.Equal(
            (5_468_750_000_000, 1, 1_000_000),
            (prices.Input!.Value.Picos, prices.CachedInput!.Value.Picos, prices.PerRequest!.Value.Picos));
        Assert.Equal(9_223_372_000_000_000_000, prices.ForInput(200_001).Input!.Value.Picos);
        var copy = JsonSerializer.Deserialize<Prices>(JsonSerializer.Serialize(prices, Defaults.Json), Defaults.Json)!;
        Assert.Equal(
            (prices.Input, prices.CachedInput, prices.PerRequest, prices.Tiers![0].Prices.Input),
            (copy.Input, copy.CachedInput, copy.PerRequest, copy.Tiers![0].Prices.Input));
    }

    [Theory]
    [InlineData("\"-1\"")]
    [InlineData("\"0.0000000000001\"")]
    [InlineData("\"9223373\"")]
    [InlineData("\"x\"")]
    [InlineData("[]")]
    public void A_price_below_zero_or_finer_than_we_can_charge_is_refused(string price)
    {
        Assert.Throws<JsonValueException>(() => JsonSerializer.Deserialize<Prices>($$"""{"input":{{price}}}""", Defaults.Json));
        Assert.Throws<JsonValueException>(() => JsonSerializer.Deserialize<Prices>($$"""{"perRequest":{{price}}}""", Defaults.Json));
    }

    /// <summary>The fall-backs as the docstring of <see cref="Prices"/> tells them.</summary>
    static long RateOf(Prices prices, Meter meter) => (meter switch
    {
        Meter.CachedInput => prices.CachedInput ?? prices.Input,
        Meter.CacheWrite5m => prices.CacheWrite5m ?? prices.Input,
        Meter.CacheWrite1h => prices.CacheWrite1h ?? prices.CacheWrite5m ?? prices.Input,
        Meter.Reasoning => prices.Reasoning ?? prices.Output,
        Meter.ImageInput => prices.ImageInput ?? prices.Input,
        Meter.Request => prices.PerRequest ?? new Rate(0),
        Meter.Input => prices.Input,
        Meter.Output => prices.Output,
        Meter.AudioInput => prices.AudioInput,
        Meter.AudioOutput => prices.AudioOutput,
        Meter.ImageOutput => prices.ImageOutput,
        Meter.Characters => prices.Characters,
        Meter.Image => prices.PerImage,
        Meter.Second => new Rate((prices.PerMinute!.Value.Picos + 59) / 60),
        _ => prices.PerWebSearch,
    })!.Value.Picos;

    static Prices RandomPrices(Random random, int tiers)
    {
        return new()
        {
            Input = Some(),
            Output = Some(),
            AudioInput = Some(),
            AudioOutput = Some(),
            ImageOutput = Some(),
            Characters = Some(),
            PerImage = Some(),
            PerMinute = Some(),
            PerWebSearch = Some(),
            CachedInput = Maybe(),
            CacheWrite5m = Maybe(),
            CacheWrite1h = Maybe(),
            Reasoning = Maybe(),
            ImageInput = Maybe(),
            PerRequest = Maybe(),
            Tiers = [.. Enumerable.Range(0, tiers)
                .Select(_ => new PriceTier(random.NextInt64(1L << random.Next(34)), RandomPrices(random, 0)))],
        };

        Rate Some() => new(random.NextInt64(1L << random.Next(48)));
        Rate? Maybe() => random.Next(2) == 0 ? Some() : null;
    }
}
