using LlmGateway.Billing;
using LlmGateway.Contracts;
using Xunit;

namespace LlmGateway.UnitTests.Billing;

/// <summary>The list of all payments of a project.</summary>
public sealed class PaymentListTests
{
    static readonly DateTimeOffset Noon = new(2026, 11, 21, 12, 0, 0, TimeSpan.Zero);

    [Fact]
    public void What_is_of_another_time_is_left_out_by_its_id_and_nothing_of_the_time_that_is_asked_for_is()
    {
        var (from, to) = ListPayments.IdsOf(Noon, Noon.AddHours(1));

        Assert.True(Ids.New(Noon.AddDays(-2)) < from);
        Assert.True(Ids.New(Noon.AddHours(-1)) > from);
        Assert.True(Ids.New(Noon.AddHours(2)) < to);
        Assert.True(Ids.New(Noon.AddDays(2)) > to);
        Assert.Equal((Guid.Empty, Guid.AllBitsSet), ListPayments.IdsOf(DateTimeOffset.MinValue, DateTimeOffset.MaxValue));
        Assert.True(ListPayments.IdsOf(DateTimeOffset.MinValue, DateTimeOffset.MinValue).To < Ids.New(Noon));
    }

    /// <summary>Who adds the list up has what the ledger has.</summary>
    [Theory]
    [InlineData(Payment.New, 0), InlineData(Payment.Open, 0), InlineData(Payment.Processing, 0), InlineData(Payment.Canceled, 0)]
    [InlineData(Payment.Succeeded, 1)]
    public void Nothing_has_reached_anybody_of_what_is_not_paid(string status, int parts)
    {
        var payment = new Payment(
            Guid.NewGuid(), default, default, default, Guid.NewGuid(), Test: false, Livemode: true, 10_000_000_000, 1050,
            new(8_000_000_000, 2_000_000_000, 500_000_000), status, "pi_1", Noon);
        var nothing = Array.Empty<(Guid Payment, (long, string, bool) Back)>().ToLookup(one => one.Payment, one => one.Back);

        var view = ListPayments.Show(payment, nothing, owedPaid: parts * 1_000_000_000L);

        Assert.Equal(new Money(10_500_000_000), view.TotalAmount);
        Assert.Equal(
            (parts * 7_000_000_000L, parts * 1_000_000_000L, parts * 2_000_000_000L, parts * 500_000_000L),
            (view.NetCredited.Nanos, view.OwedPaid.Nanos, view.Margin.Nanos, view.Fee.Nanos));
    }
}
