using System.Text;
using LlmGateway.Contracts;
using LlmGateway.Proxy;
using LlmGateway.Proxy.Anthropic;
using Xunit;

namespace LlmGateway.UnitTests.Proxy;

public sealed class AnthropicUsageTests
{
    [Fact]
    public void Cached_input_stands_beside_plain_input_and_thoughts_in_the_output()
    {
        var read = Read("""
            {"input_tokens":25,"cache_creation_input_tokens":10,"cache_read_input_tokens":7,"cache_creation":{"ephemeral_5m_input_tokens":4,
                "ephemeral_1h_input_tokens":6},
             "output_tokens":50,"output_tokens_details":{"thinking_tokens":20},"service_tier":"standard","server_tool_use":null}
            """.Unwrapped());
        Assert.Null(read.Reason);
        AssertMeters(
            read,
            (Meter.Input, 25),
            (Meter.CachedInput, 7),
            (Meter.CacheWrite5m, 4),
            (Meter.CacheWrite1h, 6),
            (Meter.Output, 30),
            (Meter.Reasoning, 20));
    }

    [Fact]
    public void The_end_of_a_stream_completes_its_beginning_and_adds_nothing_twice()
    {
        AssertMeters(
            Read("""{"input_tokens":25,"cache_read_input_tokens":7,"output_tokens":1}""", """{"output_tokens":15}"""),
            (Meter.Input, 25), (Meter.CachedInput, 7), (Meter.Output, 15));
        AssertMeters(
            Read("""{"input_tokens":25,"output_tokens":1}""", """{"input_tokens":25,"cache_read_input_tokens":null,"output_tokens":15}"""),
            (Meter.Input, 25), (Meter.Output, 15));
        AssertMeters(
            Read("""{"input_tokens":0,"output_tokens":0}""", """{"input_tokens":25,"output_tokens":15}"""),
            (Meter.Input, 25),
            (Meter.Output, 15));
    }

    [Fact]
    public void Both_objects_of_a_stream_are_kept_as_received()
    {
        Assert.Equal("""[{"input_tokens":25},{"output_tokens":15}]""", Read("""{"input_tokens":25}""", """{"output_tokens":15}""").Raw);
        Assert.Equal("""{"input_tokens":25}""", Read("""{"input_tokens":25}""").Raw);
    }

    [Fact]
    public void Writes_to_the_cache_without_their_life_time_are_short_ones()
    {
        AssertMeters(
            Read("""{"input_tokens":1,"cache_creation_input_tokens":9,"output_tokens":1}"""),
            (Meter.Input, 1),
            (Meter.CacheWrite5m, 9),
            (Meter.Output, 1));
        AssertMeters(
            Read("""{"input_tokens":0,"cache_creation":{"ephemeral_1h_input_tokens":9},"output_tokens":1}"""),
            (Meter.CacheWrite1h, 9),
            (Meter.Output, 1));
    }

    [Fact]
    public void A_split_larger_than_the_whole_costs_the_plain_rate()
    {
        var read = Read(
            """{"input_tokens":1,"cache_creation_input_tokens":9,"cache_creation":{"ephemeral_1h_input_tokens":10},"output_tokens":1}""");
        Assert.Equal(ProviderUsage.DetailsExceedWhole, read.Reason);
        AssertMeters(read, (Meter.Input, 1), (Meter.CacheWrite5m, 9), (Meter.Output, 1));
    }

    [Theory]
    [InlineData("""{"input_tokens":-1,"output_tokens":5}""", ProviderUsage.Negative)]
    [InlineData("""{"input_tokens":10000000000,"output_tokens":5}""", ProviderUsage.Absurd)]
    [InlineData("""{"input_tokens":"1","output_tokens":5}""", ProviderUsage.Malformed)]
    [InlineData("""{"input_tokens":1,"cache_creation":7}""", ProviderUsage.Malformed)]
    [InlineData("""{"output_tokens":5}""", ProviderUsage.Zero)]
    [InlineData("[]", ProviderUsage.Malformed)]
    [InlineData("", ProviderUsage.Malformed)]
    public void Impossible_counts_are_not_believed(string json, string reason)
    {
        var read = Read(json);
        Assert.Equal((null, reason), (read.Usage, read.Reason));
    }

    static ProviderUsage Read(params string[] objects)
    {
        var usage = new AnthropicUsage();
        return Array.ConvertAll(objects, json => usage.Add(Encoding.UTF8.GetBytes(json)))[^1];
    }

    static void AssertMeters(ProviderUsage read, params (Meter Meter, long Units)[] expected)
    {
        var usage = new Usage { [Meter.Request] = 1 };
        foreach (var (meter, units) in expected)
            usage[meter] = units;
        Assert.Equal(usage.ToArray(), read.Usage?.ToArray());
    }
}
