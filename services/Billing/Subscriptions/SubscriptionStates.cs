namespace LlmGateway.Billing;

/// <summary>Where a subscription goes from what Stripe says of it. Pure.</summary>
public static class SubscriptionStates
{
    static readonly string[] Over = [Subscription.Expired, Subscription.IncompleteExpired, Subscription.Canceled];

    /// <summary>It is over, and stays so.</summary>
    public static bool IsOver(string status) => Over.Contains(status);

    /// <param name="plan">That is sold at what Stripe says. Null: nobody knows, and the plan stays as it is.</param>
    /// <param name="graceDays">
    /// Of the plan in force: how long it is served after a payment has failed. Null: as long as Stripe tries.
    /// </param>
    public static Subscription Next(Subscription row, SaidSubscription said, string? plan, int? graceDays, DateTimeOffset now)
    {
        if (row.Stripe is not null && (IsOver(row.Status) || (row.Stripe != said.Id && row.Status != Subscription.Incomplete)))
            return row;
        var paidTo = Latest(row.PaidTo, said.Status == Subscription.Trialing ? said.TrialEnd : said.PaidTo);
        var (inForce, cents, next) = PlanOf(row, said, plan ?? row.NextPlan ?? row.Plan, isNewPeriod: paidTo > row.PaidTo);
        var endedAt = IsOver(said.Status) ? said.EndedAt ?? now : (DateTimeOffset?)null;
        return row with
        {
            Stripe = said.Id, Status = said.Status, Plan = inForce, Cents = cents, NextPlan = next, StartedAt = said.StartedAt,
            Anchor = said.Anchor, TrialEnd = said.TrialEnd ?? row.TrialEnd, PaidTo = paidTo, CancelAt = said.CancelAt,
            EndedAt = endedAt, Url = null, Metered = said.MeteredItem is not null, EndsAt = EndsAt(said, paidTo, endedAt, graceDays),
        };
    }

    /// <summary>
    /// A dearer plan is in force when it is paid, a cheaper one with the next period: nothing goes back for what may be used.
    /// </summary>
    static (string Plan, long Cents, string? Next) PlanOf(Subscription row, SaidSubscription said, string plan, bool isNewPeriod) =>
        plan == row.Plan ? (plan, said.Cents, null)
        : isNewPeriod || row.PaidTo is null || (said.Cents > row.Cents && (said.IsPaid || said.Status == Subscription.Trialing))
            ? (plan, said.Cents, null)
        : (row.Plan, row.Cents, plan);

    static DateTimeOffset? EndsAt(SaidSubscription said, DateTimeOffset? paidTo, DateTimeOffset? endedAt, int? graceDays) =>
        said.Status switch
        {
            Subscription.Canceled => endedAt,
            Subscription.Unpaid or Subscription.Paused => paidTo,
            Subscription.PastDue when graceDays is { } days => paidTo?.AddDays(days),
            _ => said.CancelAt,
        };

    /// <summary>
    /// Until then no plan is changed, for a cheaper one neither: the period's invoice is made, at the price of before, and what is paid by
    /// it would be another plan's period.
    /// </summary>
    public static bool IsPeriodPaid(Subscription row, SaidSubscription said) => row.PaidTo > said.PeriodStart;

    /// <summary>Whether Sessions is to know: it gives its customer something, or did.</summary>
    public static bool IsNews(Subscription before, Subscription now) => now.PaidTo is not null && (before.Version == 0
        || (before.Plan, before.Anchor, before.PaidTo, before.EndsAt) != (now.Plan, now.Anchor, now.PaidTo, now.EndsAt));

    static DateTimeOffset? Latest(DateTimeOffset? one, DateTimeOffset? other) => one is null || other > one ? other : one;
}
