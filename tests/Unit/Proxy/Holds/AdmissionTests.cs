using LlmGateway.Proxy;
using Xunit;

namespace LlmGateway.UnitTests.Proxy;

public sealed class AdmissionTests
{
    [Theory]
    [InlineData(new long[] { 100 }, 40, 40)]
    [InlineData(new long[] { 100 }, 140, 100)]
    // A wallet and a session's cap, which had less left: the provider went beyond both.
    [InlineData(new long[] { 100, 30 }, 50, 30)]
    [InlineData(new long[] { 30, 100 }, 200, 30)]
    // Metered, not charged.
    [InlineData(new long[] { }, 40, 40)]
    public void No_register_pays_more_than_the_one_that_holds_least(long[] held, long cost, long payable) =>
        Assert.Equal(payable, Admission.Payable(held, cost));
}
