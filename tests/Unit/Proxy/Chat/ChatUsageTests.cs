using System.Text;
using LlmGateway.Contracts;
using LlmGateway.Proxy;
using LlmGateway.Proxy.Chat;
using LlmGateway.Proxy.OneShots;
using Xunit;

namespace LlmGateway.UnitTests.Proxy;

public sealed class ChatUsageTests
{
    [Fact]
    public void Overlapping_counts_become_disjoint_meters()
    {
        var read = Read("""
            {"prompt_tokens":100,"completion_tokens":50,"total_tokens":150,"prompt_tokens_details":{"cached_tokens":30,"audio_tokens":10},
             "completion_tokens_details":{"reasoning_tokens":20,"audio_tokens":5,"accepted_prediction_tokens":1}}
            """);

        Assert.Null(read.Reason);
        AssertMeters(
            read,
            (Meter.Input, 60),
            (Meter.CachedInput, 30),
            (Meter.AudioInput, 10),
            (Meter.Output, 25),
            (Meter.Reasoning, 20),
            (Meter.AudioOutput, 5));
    }

    [Fact]
    public void Null_details_and_unknown_members_are_no_news()
    {
        var read = Read(
            """
            {"prompt_tokens":7,"completion_tokens":0,"total_tokens":7,"prompt_tokens_details":null,"queue_time":0.12,
            "x":[{"prompt_tokens":9}]}
            """.ReplaceLineEndings(""));
        Assert.Null(read.Reason);
        AssertMeters(read, (Meter.Input, 7));
    }

    [Theory]
    [InlineData("""{"prompt_tokens":9,"completion_tokens":1,"prompt_cache_hit_tokens":4,"prompt_cache_miss_tokens":5}""")]
    [InlineData("""{"prompt_tokens":9,"completion_tokens":1,"cached_tokens":4}""")]
    public void Cached_input_is_found_where_other_providers_put_it(string json) =>
        AssertMeters(Read(json), (Meter.Input, 5), (Meter.CachedInput, 4), (Meter.Output, 1));

    [Fact]
    public void A_total_beyond_its_parts_is_reasoning_output()
    {
        var read = Read("""{"prompt_tokens":10,"completion_tokens":5,"total_tokens":40}""");
        Assert.Equal(ProviderUsage.TotalExceedsParts, read.Reason);
        AssertMeters(read, (Meter.Input, 10), (Meter.Output, 5), (Meter.Reasoning, 25));
    }

    [Fact]
    public void Reasoning_beside_completion_is_no_contradiction()
    {
        var read = Read(
            """{"prompt_tokens":10,"completion_tokens":5,"total_tokens":315,"completion_tokens_details":{"reasoning_tokens":300}}""");
        Assert.Null(read.Reason);
        AssertMeters(read, (Meter.Input, 10), (Meter.Output, 5), (Meter.Reasoning, 300));
    }

    [Fact]
    public void A_total_below_its_parts_is_not_used()
    {
        var read = Read("""{"prompt_tokens":10,"completion_tokens":5,"total_tokens":3}""");
        Assert.Equal(ProviderUsage.TotalBelowParts, read.Reason);
        AssertMeters(read, (Meter.Input, 10), (Meter.Output, 5));
    }

    [Fact]
    public void A_detail_larger_than_the_whole_costs_the_plain_rate()
    {
        var read = Read(
            """
            {"prompt_tokens":10,"completion_tokens":5,"prompt_tokens_details":{"cached_tokens":11},
            "completion_tokens_details":{"reasoning_tokens":6}}
            """.ReplaceLineEndings(""));
        Assert.Equal(ProviderUsage.DetailsExceedWhole, read.Reason);
        AssertMeters(read, (Meter.Input, 10), (Meter.Output, 5));
    }

    [Theory]
    [InlineData("""{"prompt_tokens":-1,"completion_tokens":5}""", ProviderUsage.Negative)]
    [InlineData("""{"prompt_tokens":1,"completion_tokens":5,"prompt_tokens_details":{"cached_tokens":-5}}""", ProviderUsage.Negative)]
    [InlineData("""{"prompt_tokens":1000000000000000000,"completion_tokens":1000000000000000000,"total_tokens":2000000000000000000}""",
        ProviderUsage.Absurd)]
    [InlineData("""{"prompt_tokens":99999999999999999999,"completion_tokens":5}""", ProviderUsage.Malformed)]
    [InlineData("""{"prompt_tokens":1.5,"completion_tokens":5}""", ProviderUsage.Malformed)]
    [InlineData("""{"prompt_tokens":"1","completion_tokens":5}""", ProviderUsage.Malformed)]
    [InlineData("""{"prompt_tokens":1,"completion_tokens":5,"prompt_tokens_details":[]}""", ProviderUsage.Malformed)]
    [InlineData("""{"prompt_tokens":0,"completion_tokens":0,"total_tokens":0}""", ProviderUsage.Zero)]
    [InlineData("""{"completion_tokens":5}""", ProviderUsage.Zero)]
    [InlineData("{}", ProviderUsage.Zero)]
    [InlineData("[]", ProviderUsage.Malformed)]
    [InlineData("12", ProviderUsage.Malformed)]
    [InlineData("{", ProviderUsage.Malformed)]
    [InlineData("", ProviderUsage.Malformed)]
    public void Impossible_counts_are_not_believed(string json, string reason)
    {
        var read = Read(json);
        Assert.Equal((null, reason, json), (read.Usage, read.Reason, read.Raw));
    }

    [Fact]
    public void The_raw_object_is_kept_up_to_a_bound()
    {
        Assert.Null(Read($$"""{"prompt_tokens":1,"x":"{{new string('x', ProviderUsage.MaxRawBytes)}}"}""").Raw);
        Assert.NotNull(Read($$"""{"prompt_tokens":1,"x":"{{new string('x', ProviderUsage.MaxRawBytes - 100)}}"}""").Raw);
    }

    [Fact]
    public void Meters_are_disjoint_and_their_sum_is_what_was_reported() => Seeds.ForEach(10_000, random =>
    {
        long Some() => random.NextInt64(random.Next(3) == 0 ? 5 : 2000);
        var (prompt, completion, beyond) = (Some() + 1, Some(), random.Next(2) * Some());
        var read = Read($$$"""
            {"prompt_tokens":{{{prompt}}},"completion_tokens":{{{completion}}},"total_tokens":{{{prompt + completion + beyond}}},
             "prompt_tokens_details":{"cached_tokens":{{{Some()}}},
                "audio_tokens":{{{Some()}}},"image_tokens":{{{Some()}}},"cache_write_tokens":{{{Some()}}}},
             "completion_tokens_details":{"reasoning_tokens":{{{Some()}}},"audio_tokens":{{{Some()}}},"image_tokens":{{{Some()}}}}}
            """.Unwrapped());
        // What the total has beyond its parts may be explained by a detail of either side.
        Assert.InRange(Input(read.Usage!), prompt, prompt + beyond);
        Assert.Equal(prompt + completion + beyond, Input(read.Usage!) + Output(read.Usage!));
    });

    [Fact]
    public void No_bytes_make_the_reader_throw() => Seeds.ForEach(20_000, random =>
    {
        var json = Encoding.UTF8.GetBytes(
            """
            {"prompt_tokens":100,"completion_tokens":50,"total_tokens":150,"prompt_tokens_details":{"cached_tokens":30},"x":"\ud83d\u00e9"}
            """.ReplaceLineEndings(""));
        for (var i = random.Next(1, 4); i > 0; i--)
            json[random.Next(json.Length)] = random.Next(2) == 0 ? (byte)random.Next(256) : json[random.Next(json.Length)];
        var read = ChatUsage.Read(json.AsSpan(0, random.Next(3) == 0 ? random.Next(json.Length) : json.Length));
        Assert.True(read.Usage is not null || read.Reason is not null);
    });

    [Fact]
    public void Meters_without_a_price_are_charged_as_plain_input_and_output()
    {
        var usage = new Usage
        {
            [Meter.Input] = 1,
            [Meter.AudioInput] = 2,
            [Meter.ImageInput] = 4,
            [Meter.Output] = 8,
            [Meter.AudioOutput] = 16,
            [Meter.ImageOutput] = 32,
        };
        var reading = new MeterReading(usage, false, null, null);
        var text = new Prices { Input = UpperBoundTests.Usd("1"), Output = UpperBoundTests.Usd("2") };
        var speaking = text with { AudioInput = UpperBoundTests.Usd("10"), AudioOutput = UpperBoundTests.Usd("20") };

        Assert.Equal(1000 * ((1 + 2 + 4) + (2 * (8 + 16 + 32))), Cost.Of(reading.OnPricedMeters(text).Usage, text));
        Assert.Equal(1000 * (1 + 20 + 4 + (2 * (8 + 32)) + (20 * 16)), Cost.Of(reading.OnPricedMeters(speaking).Usage, speaking));
        Assert.Equal(2, usage[Meter.AudioInput]);
    }

    internal static long Input(Usage usage) =>
        usage[Meter.Input]
            + usage[Meter.CachedInput]
            + usage[Meter.CacheWrite5m]
            + usage[Meter.CacheWrite1h]
            + usage[Meter.AudioInput]
            + usage[Meter.ImageInput];

    internal static long Output(Usage usage) =>
        usage[Meter.Output] + usage[Meter.Reasoning] + usage[Meter.AudioOutput] + usage[Meter.ImageOutput];

    static ProviderUsage Read(string json) => ChatUsage.Read(Encoding.UTF8.GetBytes(json));

    static void AssertMeters(ProviderUsage read, params (Meter Meter, long Units)[] expected)
    {
        var usage = new Usage { [Meter.Request] = 1 };
        foreach (var (meter, units) in expected)
            usage[meter] = units;
        Assert.Equal(usage.ToArray(), read.Usage?.ToArray());
    }
}
