using LlmGateway.Proxy;
using Xunit;

namespace LlmGateway.UnitTests;

/// <summary>How much a slice asks for ahead: a busy one soon enough for half a second, a quiet one nothing.</summary>
public sealed class SliceGrowthTests
{
    [Theory]
    [InlineData(64, 2_001, 0)] // quiet: it starts small again
    [InlineData(64, 501, 64)] // it lasts
    [InlineData(64, 500, 128)]
    [InlineData(64, 125, 256)] // a quarter of what it should last
    [InlineData(64, 1, 1_024)] // at most sixteenfold
    [InlineData(64, 0, 1_024)]
    [InlineData(0, 1, 4)]
    [InlineData(16_384, 1, 16_384)]
    public void A_slice_grows_by_what_it_lasted_too_short_within_bounds(int boost, int milliseconds, int next) =>
        Assert.Equal(next, SliceGrowth.NextBoost(boost, TimeSpan.FromMilliseconds(milliseconds), waiting: 0));

    [Fact]
    public void It_asks_at_least_for_as_many_as_had_to_wait() =>
        Assert.Equal(256, SliceGrowth.NextBoost(4, TimeSpan.FromMilliseconds(1), waiting: 256));

    [Fact]
    public void Under_constant_load_it_is_large_enough_after_four_calls()
    {
        var boost = 0;
        for (var call = 0; call < 4; call++)
            boost = SliceGrowth.NextBoost(boost, TimeSpan.FromMilliseconds(1), waiting: 0);

        Assert.Equal(16_384, boost);
    }
}
