using System.Globalization;
using LlmGateway.Billing;
using LlmGateway.Contracts;
using Xunit;

namespace LlmGateway.UnitTests.Billing;

/// <summary>What follows from what Stripe says of a subscription, whenever it says so.</summary>
public sealed class SubscriptionStatesTests
{
    static readonly DateTimeOffset Now = Utc("2026-10-10T09:00");

    [Fact]
    public void Before_its_first_payment_it_gives_nothing()
    {
        var row = Next(Begun, Said(Subscription.Incomplete, isPaid: false));

        Assert.Equal(
            (Subscription.Incomplete, (DateTimeOffset?)null, (DateTimeOffset?)null), (row.Status, row.PaidTo, row.EndedAt));
        Assert.False(SubscriptionStates.IsNews(Begun, row));
        Assert.False(SubscriptionStates.IsNews(row, Next(row, Said(Subscription.IncompleteExpired, isPaid: false))));
    }

    [Fact]
    public void What_is_paid_is_paid_to_the_end_of_its_period_and_news_once()
    {
        var row = Next(Begun, Said(paidTo: "2026-11-10T09:00"));

        Assert.Equal((Subscription.Active, Utc("2026-11-10T09:00"), (DateTimeOffset?)null), (row.Status, row.PaidTo, row.EndsAt));
        Assert.True(SubscriptionStates.IsNews(Begun, row));
        var told = row with { Version = 1 };
        Assert.False(SubscriptionStates.IsNews(told, Next(told, Said(paidTo: "2026-11-10T09:00"))));
    }

    [Fact]
    public void A_renewal_that_is_not_paid_brings_no_quota_and_cuts_nothing_off()
    {
        var paid = Next(Begun, Said(paidTo: "2026-11-10T09:00"));
        var draft = Next(paid, Said(isPaid: false, period: "2026-11-10T09:00"));
        var failed = Next(draft, Said(Subscription.PastDue, isPaid: false, period: "2026-11-10T09:00"));
        var healed = Next(failed, Said(paidTo: "2026-12-10T09:00", period: "2026-11-10T09:00"));

        Assert.All(
            new[] { draft, failed },
            row => Assert.Equal((Utc("2026-11-10T09:00"), (DateTimeOffset?)null), (row.PaidTo, row.EndsAt)));
        Assert.Equal("invoice.failed", SubscriptionEvents.FailureOf(draft, failed));
        Assert.Null(SubscriptionEvents.FailureOf(failed, failed));
        Assert.Equal((Utc("2026-12-10T09:00"), (DateTimeOffset?)null), (healed.PaidTo, healed.EndsAt));
    }

    [Theory]
    [InlineData(0, "2026-11-10T09:00"), InlineData(3, "2026-11-13T09:00")]
    public void A_failed_payment_ends_the_plan_when_its_grace_does_and_not_before(int days, string endsAt)
    {
        var paid = Next(Begun, Said(paidTo: "2026-11-10T09:00"), graceDays: days);
        Assert.Null(paid.EndsAt);

        var failed = Next(paid, Said(Subscription.PastDue, isPaid: false, period: "2026-11-10T09:00"), graceDays: days);

        Assert.Equal(Utc(endsAt), failed.EndsAt);
        Assert.Null(Next(failed, Said(paidTo: "2026-12-10T09:00", period: "2026-11-10T09:00"), graceDays: days).EndsAt);
    }

    [Theory]
    [InlineData(Subscription.Unpaid), InlineData(Subscription.Paused)]
    public void What_nobody_tries_to_collect_any_more_lasts_as_long_as_it_is_paid(string status)
    {
        var paid = Next(Begun, Said(paidTo: "2026-11-10T09:00"));

        Assert.Equal(Utc("2026-11-10T09:00"), Next(paid, Said(status, isPaid: false, period: "2026-11-10T09:00")).EndsAt);
    }

    [Fact]
    public void A_trial_is_paid_to_its_end()
    {
        var trial = Next(Begun, Said(Subscription.Trialing, trialEnd: "2026-10-24T09:00"));
        var ended = Next(trial, Said(isPaid: false, trialEnd: "2026-10-24T09:00", period: "2026-10-24T09:00"));

        Assert.Equal((Utc("2026-10-24T09:00"), Utc("2026-10-24T09:00")), (trial.PaidTo, trial.TrialEnd));
        Assert.Equal(Utc("2026-10-24T09:00"), ended.PaidTo);
    }

    [Fact]
    public void A_dearer_plan_is_in_force_when_it_is_paid()
    {
        var paid = Next(Begun, Said(paidTo: "2026-11-10T09:00"));

        var asked = Next(paid, Said(isPaid: false, cents: 9_900), plan: "pro");
        Assert.Equal(("starter", 2_900, "pro"), (asked.Plan, asked.Cents, asked.NextPlan));
        var upgraded = Next(asked, Said(cents: 9_900), plan: "pro");
        Assert.Equal(("pro", 9_900, (string?)null), (upgraded.Plan, upgraded.Cents, upgraded.NextPlan));
        Assert.Equal(paid.PaidTo, upgraded.PaidTo);
    }

    [Fact]
    public void A_cheaper_plan_is_in_force_with_the_next_period_that_is_paid()
    {
        var paid = Next(Begun, Said(paidTo: "2026-11-10T09:00"));
        var asked = Next(paid, Said(cents: 900), plan: "tiny");
        var unpaid = Next(asked, Said(isPaid: false, cents: 900, period: "2026-11-10T09:00"), plan: "tiny");
        var renewed = Next(unpaid, Said(cents: 900, paidTo: "2026-12-10T09:00", period: "2026-11-10T09:00"), plan: "tiny");

        Assert.All(new[] { asked, unpaid }, row => Assert.Equal(("starter", 2_900, "tiny"), (row.Plan, row.Cents, row.NextPlan)));
        Assert.Equal(("tiny", 900, (string?)null), (renewed.Plan, renewed.Cents, renewed.NextPlan));
        Assert.Null(Next(asked, Said()).NextPlan); // taken back
    }

    /// <summary>In the hour between a period's invoice and its payment.</summary>
    [Fact]
    public void A_period_whose_invoice_is_made_and_not_paid_is_no_time_for_another_plan()
    {
        var trial = Next(Begun, Said(Subscription.Trialing, trialEnd: "2026-10-24T09:00"));
        var paid = Next(Begun, Said(paidTo: "2026-11-10T09:00"));
        var draft = Said(isPaid: false, period: "2026-11-10T09:00");
        var renewed = Next(paid, Said(paidTo: "2026-12-10T09:00", period: "2026-11-10T09:00"));

        Assert.True(SubscriptionStates.IsPeriodPaid(trial, Said(Subscription.Trialing, trialEnd: "2026-10-24T09:00")));
        Assert.True(SubscriptionStates.IsPeriodPaid(paid, Said()));
        Assert.False(SubscriptionStates.IsPeriodPaid(Next(paid, draft), draft));
        Assert.True(SubscriptionStates.IsPeriodPaid(renewed, draft));
    }

    [Fact]
    public void A_price_that_nobody_knows_leaves_the_plan_as_it_is()
    {
        var paid = Next(Begun, Said(paidTo: "2026-11-10T09:00"));

        Assert.Equal("starter", Next(paid, Said(cents: 77), plan: null).Plan);
    }

    [Fact]
    public void What_has_ended_stays_ended_and_another_subscription_of_Stripe_s_changes_nothing()
    {
        var paid = Next(Begun, Said(paidTo: "2026-11-10T09:00"));
        var ended = Next(paid, Said(Subscription.Canceled, endedAt: "2026-10-20T09:00"));

        Assert.Equal((Utc("2026-10-20T09:00"), Utc("2026-10-20T09:00")), (ended.EndsAt, ended.EndedAt));
        Assert.Equal(ended, Next(ended, Said(paidTo: "2026-12-10T09:00")));
        Assert.Equal(paid, Next(paid, Said(paidTo: "2026-12-10T09:00") with { Id = "sub_2" }));
    }

    [Fact]
    public void A_cancellation_says_when_and_may_be_taken_back()
    {
        var paid = Next(Begun, Said(paidTo: "2026-11-10T09:00"));
        var canceled = Next(paid, Said(cancelAt: "2026-11-10T09:00"));

        Assert.Equal((Utc("2026-11-10T09:00"), (DateTimeOffset?)null), (canceled.EndsAt, canceled.EndedAt));
        Assert.Null(Next(canceled, Said()).EndsAt);
    }

    [Theory]
    [InlineData(2_900, 50_000, 27_619_047_619, 1_380_952_381)]
    [InlineData(1, 0, 10_000_000, 0)]
    [InlineData(49_900, 10_000_000, 45_363_636_363, 453_636_363_637)]
    public void What_is_paid_is_the_developers_without_the_platforms_fee_to_the_nano(long cents, long feePpm, long margin, long fee)
    {
        Assert.Equal((margin, fee), PlanPayments.PartsOf(cents, feePpm));
        Assert.Equal(cents * Quote.NanosPerCent, margin + fee);
    }

    /// <summary>Stripe makes a period's invoice an hour after it.</summary>
    [Theory]
    [InlineData("2026-11-10T08:59", "2026-11-10T08:59"), InlineData("2026-11-10T09:00", "2026-11-10T08:59:59")]
    [InlineData("2026-11-10T09:45", "2026-11-10T08:59:59"), InlineData("2026-11-10T09:46", "2026-11-10T09:46")]
    public void What_was_used_is_on_the_invoice_of_its_month_or_on_the_next_one_when_that_may_be_made(string now, string at) =>
        Assert.Equal(Utc(at), PlanUsage.MomentOf(new("2026-10-10", Utc("2026-10-10T09:00"), Utc("2026-11-10T09:00")), Utc(now)));

    static readonly Subscription Begun = new(
        Ids.New(), Ids.New(), Ids.New(), Ids.New(), false, false, "starter", 2_900, 0, Subscription.Open, Now);

    static Subscription Next(Subscription row, SaidSubscription said, string? plan = "starter", int? graceDays = null) =>
        SubscriptionStates.Next(row, said, plan, graceDays, Now);

    static SaidSubscription Said(
        string status = Subscription.Active, bool isPaid = true, string? paidTo = null, string period = "2026-10-10T09:00",
        long cents = 2_900, string? trialEnd = null, string? cancelAt = null, string? endedAt = null) =>
        new(
            "sub_1", status, "si_1", "price_1", cents, Now, Now, Utc(period), Maybe(trialEnd), Maybe(cancelAt), Maybe(endedAt), isPaid,
            Maybe(paidTo));

    static DateTimeOffset? Maybe(string? text) => text is null ? null : Utc(text);

    static DateTimeOffset Utc(string text) => DateTimeOffset.Parse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal);
}
