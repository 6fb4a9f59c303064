using System.Text;
using LlmGateway.Contracts;
using LlmGateway.Proxy;
using Xunit;

namespace LlmGateway.UnitTests.Proxy;

public sealed class UpperBoundTests
{
    [Fact]
    public void Input_is_bounded_by_bytes_frames_tools_and_images_and_by_the_models_context()
    {
        const string Plain = """{"model":"m","messages":[{"content":"é"},{"content":"b"}]}""";
        Assert.Equal(Encoding.UTF8.GetByteCount(Plain) + (2 * 16) + 64, Bound(Plain));
        const string Tools = """{"model":"m","messages":[{"content":"a"}],"tools":[]}""";
        Assert.Equal(Tools.Length + 16 + 64 + 1024, Bound(Tools));
        const string Image = """{"model":"m","messages":[{"content":[{"type":"image_url","image_url":{"url":"https://x"}}]}]}""";
        Assert.Equal(Image.Length + 16 + 64 + 50_000, Bound(Image));
        Assert.Equal(1000, ChatRequestTests.Accepted(Image).InputBound(1000));

        static long Bound(string body) => ChatRequestTests.Accepted(body).InputBound(0);
    }

    [Theory]
    [InlineData(null, 100, 100)]
    [InlineData(30, 100, 30)]
    [InlineData(300, 100, 100)]
    [InlineData(null, 0, int.MaxValue)]
    public void Output_is_limited_by_the_caller_and_by_the_model(int? asked, long model, long expected) =>
        Assert.Equal(expected, UpperBound.OutputLimit(asked, model));

    [Fact]
    public void The_worked_example_is_exact()
    {
        var prices = new Prices
        {
            Input = Usd("0.15"),
            CachedInput = Usd("0.075"),
            Output = Usd("0.60"),
            PerRequest = new Rate(1_000_000_000_000_000),
        };
        Assert.True(UpperBound.TryOf(prices, 1000, 2, false, out var bound));
        // 1000 × 150 + 2 × 500 × 600 nano-dollars, and a tenth of a cent for the request.
        Assert.Equal(150_000 + 600_000 + 1_000_000, bound.Cost(500));
        Assert.Equal(500, bound.AffordableOutput(1_750_000));
        Assert.Equal(499, bound.AffordableOutput(1_749_999));
        Assert.Equal(0, bound.AffordableOutput(1_150_000));
        Assert.Equal(0, bound.AffordableOutput(0));
    }

    [Fact]
    public void What_a_call_is_known_to_use_has_a_bound_in_tokens_unless_it_uses_something_else()
    {
        var prices = new Prices { Input = Usd("0.02"), PerRequest = new Rate(1), PerImage = Usd("1") };
        Assert.True(UpperBound.TryOf(prices, new Usage { [Meter.Input] = 700, [Meter.Request] = 1 }, out var embeddings));
        Assert.Equal(700, embeddings.Tokens(0));
        Assert.Equal((0, int.MaxValue), (embeddings.AffordableTokens(699), embeddings.AffordableTokens(700)));
        Assert.True(UpperBound.TryOf(prices, new Usage { [Meter.Input] = 700, [Meter.Image] = 1 }, out var images));
        Assert.Null(images.Tokens(0));
    }

    [Fact]
    public void A_model_without_the_prices_that_a_request_needs_is_refused()
    {
        Assert.False(UpperBound.TryOf(null, 1, 1, false, out _));
        Assert.False(UpperBound.TryOf(new Prices { Input = Usd("1") }, 1, 1, false, out _));
        Assert.False(UpperBound.TryOf(new Prices { Output = Usd("1") }, 1, 1, false, out _));
        var tiered = new Prices { Input = Usd("1"), Output = Usd("1"), Tiers = [new PriceTier(100, new Prices { Input = Usd("2") })] };
        Assert.True(UpperBound.TryOf(tiered, 100, 1, false, out _));
        Assert.False(UpperBound.TryOf(tiered, 101, 1, false, out _));
    }

    [Fact]
    public void A_free_model_costs_nothing_and_has_no_limit()
    {
        Assert.True(UpperBound.TryOf(new Prices { Input = new Rate(0), Output = new Rate(0) }, 1_000_000, 128, true, out var bound));
        Assert.Equal((0, int.MaxValue), (bound.Cost(int.MaxValue), bound.AffordableOutput(0)));
    }

    [Fact]
    public void Nothing_that_fits_the_bound_costs_more_than_the_bound() => Seeds.ForEach(200_000, random =>
    {
        var prices = RandomPrices(random, tiers: random.Next(3));
        var (inputBound, choices, limit, hasImages, mayBeSound) =
            (random.NextInt64(1, 300_000), random.Next(1, 5), random.NextInt64(1, 100_000), random.Next(2) == 0, random.Next(2) == 0);
        Assert.True(UpperBound.TryOf(prices, inputBound, choices, hasImages, out var bound, mayBeSound));

        var usage = new Usage { [Meter.Request] = 1 };
        List<Meter> input = [Meter.Input, Meter.CachedInput, Meter.CacheWrite5m, Meter.CacheWrite1h];
        if (hasImages)
            input.Add(Meter.ImageInput);
        // A meter without a price counts as text.
        if (mayBeSound && HasPrice(Meter.AudioInput))
            input.Add(Meter.AudioInput);
        Spread(random, usage, random.Next(2) == 0 ? inputBound : random.NextInt64(inputBound + 1), [.. input]);
        Spread(
            random,
            usage,
            random.Next(2) == 0 ? choices * limit : random.NextInt64((choices * limit) + 1),
            HasPrice(Meter.ImageOutput) ? [Meter.Output, Meter.Reasoning, Meter.ImageOutput] : [Meter.Output, Meter.Reasoning]);

        Assert.InRange(Cost.Of(usage, prices), 0, bound.Cost(limit));

        bool HasPrice(Meter meter) =>
            prices.RateOf(meter) is not null && prices.Tiers!.All(tier => tier.Prices.RateOf(meter) is not null);
    });

    [Fact]
    public void The_affordable_output_is_the_largest_that_the_grant_covers() => Seeds.ForEach(20_000, random =>
    {
        var prices = RandomPrices(random, tiers: random.Next(2));
        Assert.True(UpperBound.TryOf(prices, random.NextInt64(1, 200_000), random.Next(1, 129), random.Next(2) == 0, out var bound));
        var granted = random.NextInt64(1L << random.Next(1, 50));

        var output = bound.AffordableOutput(granted);

        if (output > 0)
            Assert.True(bound.Cost(output) <= granted);
        if (output < int.MaxValue)
            Assert.True(bound.Cost(output + 1) > granted);
    });

    [Fact]
    public void A_cost_beyond_every_wallet_does_not_wrap()
    {
        Assert.True(UpperBound.TryOf(
            new Prices { Input = new Rate(long.MaxValue), Output = new Rate(long.MaxValue) },
            1_000_000_000,
            128,
            false,
            out var bound));
        Assert.Equal(long.MaxValue, bound.Cost(int.MaxValue));
        Assert.Equal(0, bound.AffordableOutput(long.MaxValue));
    }

    internal static Rate Usd(string perMillion) =>
        new(DecimalText.TryParse(perMillion, Rate.Decimals, out var picos, out var reason) ? picos : throw new FormatException(reason));

    internal static Prices RandomPrices(Random random, int tiers)
    {
        return new()
        {
            Input = Some(),
            Output = Some(),
            CachedInput = Maybe(),
            CacheWrite5m = Maybe(),
            CacheWrite1h = Maybe(),
            ImageInput = Maybe(),
            AudioInput = Maybe(),
            ImageOutput = Maybe(),
            Reasoning = Maybe(),
            PerRequest = Maybe(),
            Tiers = [.. Enumerable.Range(0, tiers).Select(_ => new PriceTier(random.NextInt64(300_000), RandomPrices(random, 0)))],
        };

        // From nothing to a thousand dollars per million, mostly with all twelve decimals.
        Rate Some() => new(random.NextInt64(1L << random.Next(50)));
        Rate? Maybe() => random.Next(2) == 0 ? Some() : null;
    }

    static void Spread(Random random, Usage usage, long units, Meter[] meters)
    {
        random.Shuffle(meters);
        foreach (var meter in meters)
        {
            // The dearest meter often takes everything, so that a bound that forgets it fails.
            var part = meter == meters[^1] || random.Next(3) == 0 ? units : random.NextInt64(units + 1);
            usage[meter] += part;
            units -= part;
        }
    }
}
