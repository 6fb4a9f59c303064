using LlmGateway.Proxy;
using Microsoft.Extensions.Time.Testing;
using Xunit;

namespace LlmGateway.UnitTests.Proxy;

public sealed class LocalRateTests
{
    readonly FakeTimeProvider _clock = new();

    [Fact]
    public void A_key_has_its_limit_in_a_minute_and_is_told_when_it_may_go_on()
    {
        var rate = new LocalRate<string>(60, _clock);
        for (var i = 0; i < 60; i++)
            Assert.Null(rate.Take("a"));

        Assert.Equal(TimeSpan.FromSeconds(1), rate.Take("a"));
        Assert.True(rate.IsUsedUp("a"));
        Assert.False(rate.IsUsedUp("b"));
        Assert.Null(rate.Take("b"));

        _clock.Advance(TimeSpan.FromSeconds(1));
        Assert.False(rate.IsUsedUp("a"));
        Assert.Null(rate.Take("a"));
        Assert.NotNull(rate.Take("a"));
    }

    [Fact]
    public void A_limit_of_nothing_is_a_mistake() =>
        Assert.Throws<ArgumentOutOfRangeException>(() => new LocalRate<int>(0, _clock));

    [Fact]
    public void However_many_keys_come_the_memory_is_bounded_and_nobody_goes_uncounted()
    {
        var rate = new LocalRate<int>(2, _clock);
        for (var key = 0; key < LocalRate<int>.MaxKeys; key++)
            Assert.Null(rate.Take(key));

        // Those that come now share one minute.
        Assert.Null(rate.Take(-1));
        Assert.Null(rate.Take(-2));
        Assert.NotNull(rate.Take(-3));
        Assert.True(rate.IsUsedUp(-4));
        Assert.Null(rate.Take(0));

        _clock.Advance(TimeSpan.FromMinutes(1));
        Assert.Null(rate.Take(-3));
        Assert.Null(rate.Take(-3));
        Assert.NotNull(rate.Take(-3));
        Assert.Null(rate.Take(-4));
    }
}
