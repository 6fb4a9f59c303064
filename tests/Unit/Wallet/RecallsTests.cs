using LlmGateway.Wallet;
using Xunit;

namespace LlmGateway.UnitTests.Wallet;

/// <summary>For whom a shortage waits: leases live for 60 seconds after each renewal, and their holders renew them every 15.</summary>
public sealed class RecallsTests
{
    [Theory]
    [InlineData(60, true)] // renewed just now
    [InlineData(41, true)]
    [InlineData(40, false)] // not for 20 seconds
    [InlineData(10, false)] // its holder was called dead
    [InlineData(-1, false)]
    [InlineData(86_400, false)] // handed over
    public void A_holder_is_waited_for_while_it_renews_its_leases(int secondsLeft, bool expected) =>
        Assert.Equal(expected, Recalls.HolderLives(TimeSpan.FromSeconds(secondsLeft)));
}
