using System.Globalization;
using LlmGateway.Billing;
using LlmGateway.Contracts;
using Xunit;

namespace LlmGateway.UnitTests.Billing;

/// <summary>What a wallet that tops itself up is charged, when, and what becomes of it: pure functions of what is stored.</summary>
public sealed class AutoTopUpTests
{
    static readonly DateTimeOffset Noon = new(2026, 11, 21, 12, 0, 0, TimeSpan.Zero);

    static readonly long Five = Money.Usd(5).Nanos, Ten = Money.Usd(10).Nanos;

    /// <summary>Of ten dollars, at a markup of 20 %.</summary>
    const long Net = 8_333_333_333;

    static readonly Payment Begun = new(
        Ids.New(), Ids.New(), Ids.New(), Ids.New(), Ids.New(), false, false, Ten, 1050, new(Net, Ten - Net, Ten / 20), Payment.New, null,
        Noon)
    {
        OffSession = new(3, 1, "cus_1", "pm_1"),
    };

    static readonly AutoTopUp Waiting = new(
        Begun.Wallet, Begun.Organization, Begun.Project, Begun.Customer, false, Five, Ten, 5 * Ten, AutoTopUp.Active, null, 0, null, 3, 0,
        null);

    static readonly AutoTopUp Charging = Waiting with { Tries = 1, Payment = Begun.Id };

    static AutoTopUp After(AutoTopUp row, string status, string? code = null) =>
        row.After(Begun with { Status = status, FailureCode = code }, Noon);

    [Theory]
    [InlineData(5, 0, 0, 0, 0)] // not below
    [InlineData(4.99, 0, 0, 0, 1)]
    [InlineData(0, 0, 0, 0, 1)]
    [InlineData(0, 3, 0, 0, 1)] // 8.33 pays 3 and leaves 5.33
    [InlineData(0, 3.5, 0, 0, 2)] // 8.33 pays 3.50 and leaves 4.83
    [InlineData(0, 0, 5, 0, 0)] // under way is enough
    [InlineData(0, 0, 4.99, 0, 1)]
    [InlineData(4, 20, 0, 0, 3)] // 25 leaves 9
    [InlineData(0, 100, 0, 0, 5)] // the ceiling
    [InlineData(0, 100, 0, 30, 2)]
    [InlineData(0, 0, 0, 40, 1)]
    [InlineData(0, 0, 0, 40.01, 0)]
    [InlineData(0, 0, 0, 60, 0)]
    public void One_charge_closes_the_gap_and_stays_within_the_ceiling(
        double balance, double owed, double underWay, double charged, long increments)
    {
        Assert.Equal(increments, Waiting.Increments(Nanos(balance), Nanos(owed), Nanos(underWay), Net, Nanos(charged)));

        static long Nanos(double usd) => (long)Math.Round(usd * 100) * Quote.NanosPerCent;
    }

    [Fact]
    public void A_fall_by_three_and_four_tenths_of_what_the_amount_brings_is_answered_by_four()
    {
        var row = Waiting with { Below = 5 * Ten };

        Assert.Equal(4, row.Increments(row.Below - Net * 34 / 10, 0, 0, Net, 0));
    }

    [Theory]
    [InlineData(100, 5)]
    [InlineData(29.99, 2)] // as many as fit, and not nothing
    [InlineData(9.99, 0)]
    public void One_charge_is_no_more_than_its_customer_is_trusted_with(double trusted, long increments) => Assert.Equal(
        increments, Waiting.Increments(0, 10 * Ten, 0, Net, 0, (long)Math.Round(trusted * 100) * Quote.NanosPerCent));

    [Fact]
    public void No_charge_is_above_what_one_purchase_may_be() =>
        Assert.Equal(
            500, (Waiting with { Below = Money.Usd(5000).Nanos, Ceiling = Money.Usd(100_000).Nanos }).Increments(
                0, Money.Usd(50_000).Nanos, 0, Net, 0));

    [Fact]
    public void What_is_paid_answers_the_fall_and_the_next_one_has_a_number_of_its_own()
    {
        var paused = Charging with { Status = AutoTopUp.Paused, Reason = AutoTopUp.Authentication, Failures = 2 };

        Assert.Equal(Waiting with { Crossing = 4 }, After(Charging, Payment.Succeeded));
        Assert.Equal(Waiting with { Crossing = 4 }, After(paused, Payment.Succeeded));
        Assert.Equal(AutoTopUp.Off, After(Charging with { Status = AutoTopUp.Off }, Payment.Succeeded).Status);
    }

    [Theory]
    [InlineData(Payment.New)]
    [InlineData(Payment.Processing)]
    public void Nothing_follows_while_nobody_knows(string status) => Assert.Equal(Charging, After(Charging, status));

    [Fact]
    public void A_payment_that_is_not_under_way_changes_nothing()
    {
        foreach (var status in (string[])[Payment.Open, Payment.Canceled, Payment.Succeeded])
            Assert.Equal(Waiting, After(Waiting, status, "generic_decline"));
    }

    [Fact]
    public void Declines_keep_their_fall_and_pauses_grow_until_a_person_is_needed()
    {
        var (row, pauses) = (Charging, new List<double>());
        while (row.Status == AutoTopUp.Active)
        {
            row = After(row with { Payment = Begun.Id, Tries = row.Tries + 1 }, Payment.Open, "insufficient_funds");
            pauses.Add((row.NotBefore!.Value - Noon).TotalHours);
            Assert.Equal((3, null), (row.Crossing, row.Payment));
        }

        Assert.Equal([1, 4, 16, 24], pauses);
        Assert.Equal((AutoTopUp.Paused, AutoTopUp.TooManyDeclines), (row.Status, row.Reason));
    }

    [Theory]
    [InlineData("stolen_card")]
    [InlineData("lost_card")]
    [InlineData("expired_card")]
    [InlineData("resource_missing")]
    public void A_card_that_will_never_pay_is_not_tried_again(string code)
    {
        var row = After(Charging, Payment.Open, code);

        Assert.Equal((AutoTopUp.Paused, AutoTopUp.CardDeclined, 1), (row.Status, row.Reason, row.Failures));
    }

    [Fact]
    public void A_payment_that_wants_its_owner_stays_under_way_whatever_the_owner_tries()
    {
        var row = After(Charging, Payment.Open, "authentication_required");

        Assert.True(row.AwaitsOwner);
        Assert.Equal((Begun.Id, 0), (row.Payment, row.Failures));
        foreach (var (status, code) in ((string, string?)[])
            [
                (Payment.Open, "authentication_required"), (Payment.Open, null), (Payment.Open, "payment_intent_authentication_failure"),
                (Payment.Open, "generic_decline"), (Payment.Processing, null),
            ])
            Assert.Equal(row, After(row, status, code));
        Assert.Equal(row with { Payment = null }, After(row, Payment.Canceled));
    }

    [Fact]
    public void A_payment_of_who_does_not_want_it_any_more_is_not_under_way()
    {
        var off = Charging with { Status = AutoTopUp.Off };

        Assert.Equal(off with { Payment = null }, After(off, Payment.Open, "authentication_required"));
        Assert.Equal(off with { Payment = null }, After(off, Payment.Canceled));
    }

    [Theory]
    [InlineData(0, false)]
    [InlineData(40, false)]
    [InlineData(40.01, true)]
    [InlineData(60, true)] // it was lowered
    public void The_ceiling_is_reached_when_the_amount_once_would_be_above_it(double charged, bool isReached) =>
        Assert.Equal(isReached, Waiting.IsAtCeiling((long)Math.Round(charged * 100) * Quote.NanosPerCent));

    [Theory]
    [InlineData("2026-11-21T12:00:00Z", "2026-12-01T00:00:00Z")]
    [InlineData("2026-12-31T23:59:59Z", "2027-01-01T00:00:00Z")]
    [InlineData("2027-01-01T00:00:00Z", "2027-02-01T00:00:00Z")]
    [InlineData("2027-03-01T01:00:00+02:00", "2027-03-01T00:00:00Z")] // it is February yet, by UTC
    public void The_ceiling_counts_anew_with_the_calendar_month_of_UTC(string now, string next) => Assert.Equal(
        DateTimeOffset.Parse(next, CultureInfo.InvariantCulture),
        AutoTopUp.NextMonth(DateTimeOffset.Parse(now, CultureInfo.InvariantCulture)));

    [Fact]
    public void Why_the_next_attempt_waits_is_what_the_one_before_has_met()
    {
        var declined = Begun with { Status = Payment.Canceled, Intent = "pi_1", FailureCode = "insufficient_funds" };

        Assert.Equal("card_declined", AutoTopUp.ReasonAfter(declined));
        Assert.Equal("card_declined", AutoTopUp.ReasonAfter(declined with { FailureCode = null, FailedCharges = ["ch_1"] }));
        Assert.Equal("charge_refused", AutoTopUp.ReasonAfter(declined with { Intent = null }));
        Assert.Equal("canceled", AutoTopUp.ReasonAfter(declined with { FailureCode = null }));
    }

    [Fact]
    public void An_attempt_that_somebody_has_cancelled_counts_as_one_that_was_declined() =>
        Assert.Equal((1, Noon.AddHours(1)), (After(Charging, Payment.Canceled).Failures, After(Charging, Payment.Canceled).NotBefore));
}
