using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Sessions;

/// <summary>
/// A limit as proxies know it: pieces of time with a register and a ceiling, ready to be compared. Pure: what holds at an instant follows
/// from rows and the instant, so nothing has to happen when a cycle turns or a raise ends.
/// </summary>
public static class Terms
{
    /// <summary>
    /// Copies in proxies live at most a minute, and the ledger's clock, which decides, may differ from ours in both directions. Terms must
    /// suffice all the same.
    /// </summary>
    public static readonly TimeSpan Around = TimeSpan.FromMinutes(5);

    /// <summary>The terms of the time that is less than <see cref="Around"/> away. Near an edge there are two.</summary>
    public static LimitLine LineOf(CustomerLimit limit, DateTimeOffset now)
    {
        var identity = LimitRules.IdentityOf(limit);
        var terms = Cover(
            LimitRules.CycleOf(limit),
            now,
            cycle => Of(cycle, Counters.Register(identity, cycle.Name), limit.Amount, limit.Raises));
        return new(
            Ids.Derive(limit.CustomerId, $"limit:{limit.Id}"), LimitLine.Customer, LimitRules.UnitOf(limit),
            LimitRules.UnitOf(limit) == Unit.Windows ? Counters.Windows(limit.CustomerId, LimitRules.SelectorOf(limit)) : null,
            LimitRules.SelectorOf(limit), terms)
        {
            Name = limit.Id,
        };
    }

    static readonly TimeSpan LongestMonth = TimeSpan.FromDays(31);

    /// <summary>
    /// The quota of a customer's plan, by the month from the instant on at which the plan began. None when the plan has ended. A plan that
    /// ends no later than the longest month has one quota: who buys 30 days in February buys no second one for the last two of them.
    /// </summary>
    public static IReadOnlyList<Term> QuotaOf(CustomerPlan customer, Plan plan, DateTimeOffset now)
    {
        if (customer.PaidTo is { } paid)
            return OfSubscription(customer, plan, paid, now);
        var (start, end) = (customer.StartsAt, customer.EndsAt ?? DateTimeOffset.MaxValue);
        var months = MonthsOf(customer);
        var first = Cycles.Of(months, start);
        Term Of(Cycle cycle) =>
            new(Counters.Quota(customer.Id, cycle.Name), cycle.From, cycle.To, plan.Tokens ?? LimitRules.MaxAmount);
        if (end > first.To && end - start <= LongestMonth)
            return Of(first with { To = end }) is var only && IsNear(only, now) ? [only] : [];
        return Cover(months, now, cycle => cycle.To > start && Cut(Of(cycle), end, plan.LastTermFull) is { } term ? [term] : []);
    }

    /// <summary>
    /// What counts the tokens beyond the quota that a subscription puts on its next invoice: in each month that is paid and no trial's.
    /// None while a month is not paid.
    /// </summary>
    public static IReadOnlyList<Term> OverageOf(CustomerPlan customer, Plan plan, DateTimeOffset now)
    {
        if (customer is not { Subscription: { } subscription, Anchor: { } anchor, PaidTo: { } paid }
            || plan is not { OverageInvoiced: true, OveragePicos: not null, Tokens: not null })
            return [];
        var end = customer.EndsAt ?? DateTimeOffset.MaxValue;
        return Cover(MonthsOf(customer), now, cycle => cycle.From >= anchor && cycle.From < paid && cycle.From < end
            ? [new(
                Counters.Overage(subscription, cycle.Name), cycle.From, cycle.To < end ? cycle.To : end, LimitRules.MaxAmount)]
            : []);
    }

    /// <summary>The month of a plan that an instant is in.</summary>
    public static Cycle MonthOf(CustomerPlan customer, DateTimeOffset at) => Cycles.Of(MonthsOf(customer), at);

    static CycleRule MonthsOf(CustomerPlan customer) =>
        new(CycleUnit.Month, 1, (customer.Anchor ?? customer.StartsAt).UtcDateTime, "UTC");

    /// <summary>
    /// How long the last month that was paid for waits for the next payment, which comes an hour after the month's end when all is well.
    /// </summary>
    public static readonly TimeSpan LongestWait = TimeSpan.FromDays(31);

    /// <summary>
    /// The quotas of a subscription, by the month from its anchor. A month that nobody has paid for has none: until then the rest of the
    /// last one that was paid for goes on.
    /// </summary>
    static List<Term> OfSubscription(CustomerPlan customer, Plan plan, DateTimeOffset paid, DateTimeOffset now)
    {
        var (months, end) = (MonthsOf(customer), customer.EndsAt ?? DateTimeOffset.MaxValue);
        var last = Cycles.Of(months, paid.AddTicks(-1));
        var terms = Cover(months, now, cycle =>
            cycle.To > customer.StartsAt && cycle.From < last.From && Cut(Of(cycle), end, plan.LastTermFull) is { } term ? [term] : []);
        if (Cut(Of(last), end, plan.LastTermFull) is { } final)
        {
            if (final.To == last.To)
                final = final with { To = end < last.To + LongestWait ? end : last.To + LongestWait };
            if (IsNear(final, now))
                terms.Add(final);
        }
        return terms;

        Term Of(Cycle cycle) => new(
            Counters.Quota(customer.Subscription ?? customer.Id, cycle.Name), cycle.From, cycle.To,
            plan.Tokens is not { } tokens ? LimitRules.MaxAmount
            : customer.ChangedMonth == cycle.From && customer.ChangedTokens is { } changed ? changed
            : tokens);
    }

    /// <summary>
    /// What a session and all that it is refreshed into may spend. Its counter has an end, so that it is deleted some time after the last
    /// token that could use it.
    /// </summary>
    public static LimitLine CapOf(Guid family, long nanos, DateTimeOffset? expiresAt)
    {
        var always = Term.Always(Counters.Cap(family), nanos);
        return new(
            family, LimitLine.Session, Unit.UsdLimit, null, null,
            [expiresAt is { } end ? always with { To = end + ClocksDiffer } : always]);
    }

    /// <summary>No clock is that far from another.</summary>
    static readonly TimeSpan ClocksDiffer = TimeSpan.FromDays(1);

    /// <summary>How many requests of a customer or key may run at the same time.</summary>
    public static LimitLine SlotsOf(Guid owner, string level, int concurrent) => new(
        owner, level, Unit.Slots, null, null, [Term.Always(Counters.Slots(owner), concurrent)]);

    /// <summary>The term of this instant.</summary>
    public static Term TermOf(CustomerLimit limit, DateTimeOffset now) =>
        LineOf(limit, now).Terms.Single(term => term.From <= now && now < term.To);

    /// <summary>The terms of the time that is less than <see cref="Around"/> away.</summary>
    static List<Term> Cover(CycleRule rule, DateTimeOffset now, Func<Cycle, IEnumerable<Term>> termsOf)
    {
        var terms = new List<Term>();
        for (var at = now - Around; at < now + Around;)
        {
            var cycle = Cycles.Of(rule, at);
            terms.AddRange(termsOf(cycle).Where(term => IsNear(term, now)));
            at = cycle.To;
        }
        return terms;
    }

    static bool IsNear(Term term, DateTimeOffset now) => term.To > now - Around && term.From < now + Around;

    /// <summary>The cycle, cut where the highest amount that counts changes.</summary>
    static List<Term> Of(Cycle cycle, Guid register, long amount, IReadOnlyCollection<LimitRaise> raises)
    {
        var edges = raises.SelectMany(raise => (DateTimeOffset[])[raise.StartsAt, raise.EndsAt])
            .Where(edge => edge > cycle.From && edge < cycle.To).Append(cycle.To).Distinct().Order();
        var terms = new List<Term>();
        var from = cycle.From;
        foreach (var to in edges)
        {
            var ceiling = raises.Where(raise => raise.StartsAt <= from && raise.EndsAt > from)
                .Select(raise => raise.Amount).Append(amount).Max();
            if (terms is [.., var last] && last.Ceiling == ceiling)
                terms[^1] = last with { To = to };
            else
                terms.Add(new(register, from, to, ceiling) { CycleTo = cycle.To });
            from = to;
        }
        return terms;
    }

    /// <summary>
    /// The part of a term before its plan ends; null when there is none. A term that is cut has its ceiling in proportion to the time that
    /// is left of it, rounded up, or <paramref name="full"/>.
    /// </summary>
    public static Term? Cut(Term term, DateTimeOffset end, bool full)
    {
        if (end <= term.From || end >= term.To)
            return end >= term.To ? term : null;
        Int128 length = (term.To - term.From).Ticks, left = (end - term.From).Ticks;
        return term with { To = end, Ceiling = full ? term.Ceiling : (long)((term.Ceiling * left + length - 1) / length) };
    }
}
