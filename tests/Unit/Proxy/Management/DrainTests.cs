using LlmGateway.Proxy;
using Xunit;

namespace LlmGateway.UnitTests.Proxy;

/// <summary>How long the drain of a proxy may be waited for.</summary>
public sealed class DrainTests
{
    [Theory]
    [InlineData("", 60)]
    [InlineData("0", 0)]
    [InlineData("7", 7)]
    [InlineData("600", 600)]
    [InlineData("601", null)]
    [InlineData("-1", null)]
    [InlineData("1.5", null)]
    [InlineData("10s", null)]
    [InlineData("99999999999", null)]
    public void Seconds_are_whole_and_bounded(string text, int? seconds) => Assert.Equal(seconds, Drain.ReadSeconds(text));
}
