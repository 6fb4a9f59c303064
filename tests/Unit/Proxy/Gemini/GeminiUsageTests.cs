using System.Text;
using LlmGateway.Contracts;
using LlmGateway.Proxy;
using LlmGateway.Proxy.Gemini;
using Xunit;

namespace LlmGateway.UnitTests.Proxy;

public sealed class GeminiUsageTests
{
    [Theory]
    [InlineData("""{"promptTokenCount":10,"candidatesTokenCount":4,"totalTokenCount":14}""", 10, 0, 4, 0, null)]
    [InlineData("""{"promptTokenCount":10,"cachedContentTokenCount":6,"candidatesTokenCount":4,"totalTokenCount":14}""", 4, 6, 4, 0, null)]
    [InlineData("""{"promptTokenCount":10,"candidatesTokenCount":4,"thoughtsTokenCount":30,"totalTokenCount":44}""", 10, 0, 4, 30, null)]
    [InlineData("""{"promptTokenCount":10,"toolUsePromptTokenCount":5,"candidatesTokenCount":4,"totalTokenCount":19}""", 15, 0, 4, 0, null)]
    [InlineData("""{"promptTokenCount":10,"candidatesTokenCount":4}""", 10, 0, 4, 0, null)]
    [InlineData("""{"promptTokenCount":10,"totalTokenCount":10}""", 10, 0, 0, 0, null)]
    [InlineData("""{"promptTokenCount":10,"candidatesTokenCount":4,"totalTokenCount":20}""", 10, 0, 4, 6, ProviderUsage.TotalExceedsParts)]
    [InlineData("""{"promptTokenCount":10,"candidatesTokenCount":4,"totalTokenCount":9}""", 10, 0, 4, 0, ProviderUsage.TotalBelowParts)]
    [InlineData("""{"promptTokenCount":10,"cachedContentTokenCount":11,"candidatesTokenCount":4,"totalTokenCount":14}""", 10, 0, 4, 0,
        ProviderUsage.DetailsExceedWhole)]
    public void Overlapping_counts_become_disjoint_meters(string json, long input, long cached, long output, long reasoning, string? reason)
    {
        var read = GeminiUsage.Read(Encoding.UTF8.GetBytes(json));
        var usage = read.Usage!;
        Assert.Equal(
            (input, cached, output, reasoning, reason),
            (usage[Meter.Input], usage[Meter.CachedInput], usage[Meter.Output], usage[Meter.Reasoning], read.Reason));
        Assert.Equal((json, 1L), (read.Raw, usage[Meter.Request]));
    }

    [Fact]
    public void Media_have_meters_of_their_own_and_texts_have_the_rest()
    {
        var usage = GeminiUsage.Read(Encoding.UTF8.GetBytes("""
            {"promptTokensDetails":[{"modality":"TEXT","tokenCount":10},{"tokenCount":258,"modality":"IMAGE"},
                {"modality":"AUDIO","tokenCount":32},{"modality":"VIDEO","tokenCount":5}, 7],
             "promptTokenCount":305,"candidatesTokenCount":9,
                "candidatesTokensDetails":[{"modality":"AUDIO","tokenCount":4},{"modality":"IMAGE","tokenCount":99}],
                "totalTokenCount":314}
            """.Unwrapped())).Usage!;

        Assert.Equal((15L, 258L, 32L), (usage[Meter.Input], usage[Meter.ImageInput], usage[Meter.AudioInput]));
        Assert.Equal((5L, 4L, 0L), (usage[Meter.Output], usage[Meter.AudioOutput], usage[Meter.ImageOutput]));
    }

    [Theory]
    [InlineData("""{"promptTokenCount":-1,"candidatesTokenCount":4}""", ProviderUsage.Negative)]
    [InlineData("""{"promptTokenCount":1.5}""", ProviderUsage.Malformed)]
    [InlineData("""{"promptTokenCount":9000000000}""", ProviderUsage.Absurd)]
    [InlineData("""{"candidatesTokenCount":4}""", ProviderUsage.Zero)]
    [InlineData("""[]""", ProviderUsage.Malformed)]
    [InlineData("""{"promptTokenCount":""", ProviderUsage.Malformed)]
    public void Impossible_counts_are_not_believed(string json, string reason)
    {
        var read = GeminiUsage.Read(Encoding.UTF8.GetBytes(json));
        Assert.Equal((null, reason), (read.Usage, read.Reason));
    }
}
