using LlmGateway.Contracts;

namespace LlmGateway.Sessions;

/// <summary>What a subscription makes of the plan that a customer has. Pure.</summary>
public static class Subscribed
{
    /// <summary>The subscription is in force: who else gives plans leaves it.</summary>
    public static bool Is(CustomerPlan had, DateTimeOffset now) => had.Subscription is not null && !(had.EndsAt <= now);

    /// <summary>
    /// Takes over what Billing says. Within one subscription the month that runs goes on with what was used in it, and another plan changes
    /// its ceiling by the part of the month that is left, as the money for it was.
    /// </summary>
    /// <param name="before">The plan that the customer had. Null: none.</param>
    public static void Take(CustomerPlan had, Plan? before, Plan plan, SubscribedPlan said, DateTimeOffset now)
    {
        var isSame = before is not null && had.Subscription == said.Subscription && had.Anchor == said.Anchor;
        (had.ChangedMonth, had.ChangedTokens) = isSame && had.PaidTo == said.PaidTo ? Changed(had, before!, plan, now) : default;
        if (!isSame)
            had.StartsAt = said.StartsAt < now ? said.StartsAt : now;
        (had.PlanId, had.Subscription, had.Version) = (plan.Id, said.Subscription, said.Version);
        (had.Anchor, had.PaidTo) = (said.Anchor, said.PaidTo);
        // Stripe's moments are whole seconds, and a row that ends has lasted.
        had.EndsAt = said.EndsAt <= had.StartsAt ? had.StartsAt.AddMilliseconds(1) : said.EndsAt;
    }

    /// <summary>Of the month that runs. A month that is paid anew has the tokens of its plan, and so has one without a bound.</summary>
    static (DateTimeOffset?, long?) Changed(CustomerPlan had, Plan before, Plan plan, DateTimeOffset now)
    {
        (DateTimeOffset?, long?) none = default;
        var month = Terms.MonthOf(had, now);
        var changed = had.ChangedMonth == month.From ? had.ChangedTokens : null;
        if (before.Id == plan.Id)
            return changed is null ? none : (month.From, changed);
        if (before.Tokens is not { } old || plan.Tokens is not { } next)
            return none;
        var tokens = (changed ?? old) + Part(next - old, (month.To - now).Ticks, (month.To - month.From).Ticks);
        return (month.From, Math.Max(0, tokens));
    }

    /// <summary>Rounded down, also below zero: to and fro brings nothing.</summary>
    static long Part(long difference, Int128 left, Int128 whole) =>
        (long)((difference * left - (difference < 0 ? whole - 1 : 0)) / whole);
}
