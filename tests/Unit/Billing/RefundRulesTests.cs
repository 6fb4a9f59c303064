using LlmGateway.Billing;
using LlmGateway.Contracts;
using Xunit;

namespace LlmGateway.UnitTests.Billing;

/// <summary>Payments of which nothing can be refunded, whatever their wallets have.</summary>
public sealed class RefundRulesTests
{
    static readonly Payment Paid = new(
        Ids.New(), Ids.New(), Ids.New(), Ids.New(), Ids.New(), false, false, Money.Usd(10).Nanos, 1050,
        new(8_333_333_333, 1_666_666_667, 500_000_000), Payment.Succeeded, "pi_1", default);

    static string? CodeOf(long cents, params Dispute[] disputes) => RefundPayment.RefuseAll(Paid, cents, disputes)?.Code;

    [Theory]
    [InlineData("needs_response", 1050, "payment_disputed")]
    [InlineData("under_review", 1050, "payment_disputed")]
    [InlineData("under_review", 500, "payment_disputed")] // Stripe refunds nothing of it meanwhile
    [InlineData("appeal_under_review", 1050, "payment_disputed")]
    [InlineData("lost", 1050, "payment_disputed")]
    [InlineData("lost", 500, null)]
    [InlineData("won", 0, null)]
    [InlineData("won", 1050, "payment_refunded")]
    [InlineData("warning_needs_response", 0, null)] // an inquiry is answered by a refund
    [InlineData("warning_closed", 0, null)]
    public void A_payment_is_refused_by_its_dispute_while_that_is_open_and_when_nothing_is_left_of_it(
        string status, long cents, string? code) => Assert.Equal(code, CodeOf(cents, new Dispute("dp_1", 1050, status)));

    [Fact]
    public void A_payment_that_is_back_says_so_and_one_of_which_a_part_is_left_is_not_refused()
    {
        Assert.Null(CodeOf(0));
        Assert.Null(CodeOf(1049));
        Assert.Equal("payment_refunded", CodeOf(1050));
    }

    [Fact]
    public void Its_message_has_the_dispute_s_name_and_offers_no_force()
    {
        var refused = RefundPayment.RefuseAll(Paid, 1050, [new("won_1", 1050, "won"), new("dp_2", 1050, "lost")])!;

        Assert.Contains("dp_2", refused.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("force", refused.Message, StringComparison.Ordinal);
    }
}
