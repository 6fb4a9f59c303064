using LlmGateway.AppHost;
using Xunit;

namespace LlmGateway.UnitTests.AppHost;

/// <summary>What <c>./dev run</c> shows when everything runs.</summary>
public sealed class ScreenTests
{
    [Theory]
    [InlineData(null, null, "the sandbox's", false)]
    [InlineData(null, "sk_test_of_mine", "your test key", false)]
    [InlineData("sk_live_of_mine", null, "your live key", true)]
    [InlineData("sk_live_of_mine", "sk_test_of_mine", "your live and your test key", true)]
    public void It_says_whose_keys_of_Stripe_are_used_and_whether_cards_are_charged(string? live, string? test, string whose, bool charged)
    {
        var line = Screen.Payments(live, test, "http://127.0.0.1:4021");

        Assert.Contains(whose, line);
        Assert.Equal(charged, line.Contains("CARDS ARE CHARGED", StringComparison.Ordinal));
        Assert.Equal(live is null && test is null, line.Contains("http://127.0.0.1:4021", StringComparison.Ordinal));
        Assert.DoesNotContain("of_mine", line);
    }
}
