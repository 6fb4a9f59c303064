using System.Globalization;
using LlmGateway.Contracts;
using LlmGateway.Sessions;
using Xunit;

namespace LlmGateway.UnitTests.Sessions;

/// <summary>
/// What a subscription gives: the months from its anchor that somebody has paid for, and what changes within one by the part of it.
/// </summary>
public sealed class SubscribedTests
{
    static readonly Guid Subscription = Ids.New();

    static readonly Plan Small = PlanOf("small", 1_000), Large = PlanOf("large", 5_000), Endless = PlanOf("endless", null);

    [Fact]
    public void A_month_that_nobody_has_paid_for_has_no_quota_and_the_rest_of_the_last_one_goes_on()
    {
        var had = Given(Said(paidTo: "2026-11-10T09:00"), at: "2026-10-10T09:00");

        var paid = TermAt(had, Small, "2026-11-10T08:59");
        var unpaid = TermAt(had, Small, "2026-11-10T09:01");
        Subscribed.Take(had, Small, Small, Said(version: 2, paidTo: "2026-12-10T09:00"), Utc("2026-11-10T10:05"));
        var renewed = TermAt(had, Small, "2026-11-10T10:06");

        Assert.Equal((Utc("2026-10-10T09:00"), 1_000), (paid!.From, paid.Ceiling));
        Assert.Equal((paid.Register, paid.From, 1_000), (unpaid!.Register, unpaid.From, unpaid.Ceiling));
        Assert.Equal(
            (Utc("2026-11-10T09:00"), Utc("2026-12-10T09:00") + Terms.LongestWait, 1_000), (renewed!.From, renewed.To, renewed.Ceiling));
        Assert.NotEqual(paid.Register, renewed.Register);
    }

    [Fact]
    public void What_is_never_paid_ends_with_the_longest_wait_and_where_the_grace_does()
    {
        var had = Given(Said(paidTo: "2026-11-10T09:00"), at: "2026-10-10T09:00");
        Assert.NotNull(TermAt(had, Small, "2026-12-11T08:59"));
        Assert.Null(TermAt(had, Small, "2026-12-11T09:01"));

        var said = Said(version: 2, paidTo: "2026-11-10T09:00", endsAt: "2026-11-13T09:00");
        Subscribed.Take(had, Small, Small, said, Utc("2026-11-10T11:00"));
        Assert.Equal(1_000, TermAt(had, Small, "2026-11-13T08:59")!.Ceiling);
        Assert.Null(TermAt(had, Small, "2026-11-13T09:00"));

        // A grace that is zero is none.
        Subscribed.Take(had, Small, Small, said with { Version = 3, EndsAt = Utc("2026-11-10T09:00") }, Utc("2026-11-10T11:00"));
        Assert.Null(TermAt(had, Small, "2026-11-10T11:00"));
    }

    [Fact]
    public void A_trial_is_in_the_month_before_the_anchor_and_what_is_paid_has_a_quota_of_its_own()
    {
        var had = Given(Said(startsAt: "2026-10-10T09:00", anchor: "2026-10-24T09:00", paidTo: "2026-10-24T09:00"), at: "2026-10-10T09:00");
        var trial = TermAt(had, Small, "2026-10-10T09:00");
        Subscribed.Take(
            had, Small, Small, Said(2, "2026-10-10T09:00", "2026-10-24T09:00", "2026-11-24T09:00"), Utc("2026-10-24T10:05"));
        var paid = TermAt(had, Small, "2026-10-24T10:05");

        Assert.Equal((Utc("2026-09-24T09:00"), 1_000), (trial!.From, trial.Ceiling));
        Assert.Equal((Utc("2026-10-24T09:00"), 1_000), (paid!.From, paid.Ceiling));
        Assert.NotEqual(trial.Register, paid.Register);
    }

    [Theory]
    [InlineData("2026-10-10T09:00", 5_000)]
    [InlineData("2026-10-25T21:00", 3_000)] // the middle of a month of 31 days
    [InlineData("2026-11-10T08:59", 1_000)] // for a few cents, a few tokens
    public void An_upgrade_brings_the_difference_for_the_part_of_the_month_that_was_paid(string at, long tokens)
    {
        var had = Given(Said(paidTo: "2026-11-10T09:00"), at: "2026-10-10T09:00");
        var before = TermAt(had, Small, at)!;

        Subscribed.Take(had, Small, Large, Said(version: 2, plan: "large", paidTo: "2026-11-10T09:00"), Utc(at));

        var after = TermAt(had, Large, at)!;
        Assert.Equal(before.Register, after.Register); // what was used stays used
        Assert.InRange(after.Ceiling, tokens, tokens + 1);
        Subscribed.Take(had, Large, Large, Said(version: 3, plan: "large", paidTo: "2026-12-10T09:00"), Utc("2026-11-10T10:05"));
        Assert.Equal(5_000, TermAt(had, Large, "2026-11-10T10:06")!.Ceiling);
    }

    [Fact]
    public void To_and_fro_within_a_month_brings_no_more_than_time_in_the_larger_plan()
    {
        var had = Given(Said(paidTo: "2026-11-10T09:00"), at: "2026-10-10T09:00");
        var (version, larger) = (2L, false);
        for (var at = Utc("2026-10-11T09:00"); at < Utc("2026-11-10T09:00"); at = at.AddDays(1), larger = !larger)
        {
            var (from, to) = larger ? (Large, Small) : (Small, Large);
            Subscribed.Take(had, from, to, Said(version++, plan: to.Id, paidTo: "2026-11-10T09:00"), at);
        }

        Assert.InRange(TermAt(had, Small, "2026-11-10T08:59")!.Ceiling, 2_900, 3_000); // 15 of 31 days, rounded down each time
    }

    /// <summary>Whoever goes to dearer plans however often, and uses all of each at once. A token costs the same in all of them.</summary>
    [Fact]
    public void No_more_can_be_used_than_was_paid_for_whatever_is_bought_in_whatever_order() => Seeds.ForEach(2_000, random =>
    {
        var plans = new[] { PlanOf("a", 1_000), PlanOf("b", 2_500), PlanOf("c", 10_000), PlanOf("d", 70_000) };
        var (from, to) = (Utc("2026-10-10T09:00"), Utc("2026-11-10T09:00"));
        var had = Given(Said(paidTo: "2026-11-10T09:00"), at: "2026-10-10T09:00");
        var (at, plan, paid) = (from, 0, 1_000m);
        for (var version = 2; plan < plans.Length - 1; version++)
        {
            at = at.AddMinutes(random.Next((int)(to - at).TotalMinutes));
            var next = random.Next(plan + 1, plans.Length);
            paid += (plans[next].Tokens!.Value - plans[plan].Tokens!.Value) * (decimal)(to - at).Ticks / (to - from).Ticks;
            Subscribed.Take(had, plans[plan], plans[next], Said(version, plan: plans[next].Id, paidTo: "2026-11-10T09:00"), at);
            plan = next;

            var ceiling = Terms.QuotaOf(had, plans[plan], at).Single(term => term.From <= at && at < term.To).Ceiling;
            Assert.InRange(ceiling, paid - plans.Length, paid);
        }
    });

    [Fact]
    public void A_plan_without_a_bound_has_none_at_once()
    {
        var had = Given(Said(paidTo: "2026-11-10T09:00"), at: "2026-10-10T09:00");

        Subscribed.Take(had, Small, Endless, Said(version: 2, plan: "endless", paidTo: "2026-11-10T09:00"), Utc("2026-11-09"));

        Assert.Equal(LimitRules.MaxAmount, TermAt(had, Endless, "2026-11-09")!.Ceiling);
    }

    [Fact]
    public void Another_subscription_begins_anew_on_the_same_day_too()
    {
        var had = Given(Said(paidTo: "2026-11-10T09:00"), at: "2026-10-10T09:00");
        var before = TermAt(had, Small, "2026-10-10T12:00")!;

        Subscribed.Take(
            had, Small, Small,
            Said(2, "2026-10-10T12:00", "2026-10-10T12:00", "2026-11-10T12:00") with { Subscription = Ids.New() }, Utc("2026-10-10T12:00"));

        var after = TermAt(had, Small, "2026-10-10T12:00")!;
        Assert.Equal((Utc("2026-10-10T12:00"), 1_000), (after.From, after.Ceiling));
        Assert.NotEqual(before.Register, after.Register);
    }

    [Fact]
    public void What_ends_when_it_begins_has_a_row_that_the_table_takes()
    {
        var had = Given(Said(paidTo: "2026-11-10T09:00", endsAt: "2026-10-10T09:00"), at: "2026-10-10T09:00");

        Assert.True(had.EndsAt > had.StartsAt);
        Assert.False(Subscribed.Is(had, Utc("2026-10-10T09:01")));
    }

    [Fact]
    public void What_is_beyond_the_quota_is_counted_in_months_that_are_paid_and_in_no_trial()
    {
        var plan = PlanOf("soft", 1_000);
        (plan.OverageInvoiced, plan.OveragePicos) = (true, 1);
        var had = Given(Said(anchor: "2026-10-24T09:00", paidTo: "2026-10-24T09:00"), at: "2026-10-10T09:00");
        Assert.Empty(Terms.OverageOf(had, plan, Utc("2026-10-20"))); // the trial

        Subscribed.Take(had, plan, plan, Said(2, "2026-10-10T09:00", "2026-10-24T09:00", "2026-11-24T09:00"), Utc("2026-10-24T10:05"));

        var counted = Assert.Single(Terms.OverageOf(had, plan, Utc("2026-11-01")));
        Assert.Equal((Utc("2026-10-24T09:00"), Utc("2026-11-24T09:00")), (counted.From, counted.To));
        Assert.NotEqual(TermAt(had, plan, "2026-11-01")!.Register, counted.Register);
        Assert.Empty(Terms.OverageOf(had, plan, Utc("2026-11-25"))); // not paid yet
        plan.OverageInvoiced = false;
        Assert.Empty(Terms.OverageOf(had, plan, Utc("2026-11-01")));
    }

    static Term? TermAt(CustomerPlan had, Plan plan, string at) =>
        Terms.QuotaOf(had, plan, Utc(at)).SingleOrDefault(term => term.From <= Utc(at) && Utc(at) < term.To);

    static CustomerPlan Given(SubscribedPlan said, string at)
    {
        var had = new CustomerPlan
        {
            CustomerId = Ids.New(), Id = Ids.New(), ProjectId = Ids.New(), PlanId = said.Plan, StartsAt = Utc(at),
        };
        Subscribed.Take(had, null, Small, said, Utc(at));
        return had;
    }

    static SubscribedPlan Said(
        long version = 1, string startsAt = "2026-10-10T09:00", string anchor = "2026-10-10T09:00", string paidTo = "2026-11-10T09:00",
        string? endsAt = null, string plan = "small") =>
        new(Subscription, version, plan, Utc(startsAt), Utc(anchor), Utc(paidTo), endsAt is null ? null : Utc(endsAt));

    static Plan PlanOf(string id, long? tokens) => new()
    {
        ProjectId = Subscription, Id = id, Name = id, PriceNanos = 0, Tokens = tokens, TrialDays = 0, LastTermFull = false,
    };

    static DateTimeOffset Utc(string text) => DateTimeOffset.Parse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal);
}
