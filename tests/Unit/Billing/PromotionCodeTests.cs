using LlmGateway.Billing;
using Xunit;

namespace LlmGateway.UnitTests.Billing;

/// <summary>Codes as people type and copy them.</summary>
public sealed class PromotionCodeTests
{
    [Theory]
    [InlineData(" save-10\t", "SAVE-10")]
    [InlineData("save_10", "SAVE_10")]
    [InlineData("save 10", null)]
    [InlineData(" ab ", null)]
    public void A_promotion_s_code_is_the_same_with_space_around_it_and_in_small_letters(string text, string? code) =>
        Assert.Equal(code, Promotion.CodeOf(text));
}
