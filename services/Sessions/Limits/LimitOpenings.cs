using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Sessions;

/// <summary>
/// The counters of limits that are written, for Wallet to look whether something was used of them while no limit was there.
/// </summary>
public static class LimitOpenings
{
    public static OpenCounters Of(LeaseScope scope, IEnumerable<CustomerLimit> limits, DateTimeOffset now) => new(
        scope,
        [
            .. from limit in limits
               let unit = LimitRules.UnitOf(limit)
               where unit != Unit.Windows
               let cycle = Cycles.Of(LimitRules.CycleOf(limit), now)
               select new CounterOpening(
                   Counters.Register(LimitRules.IdentityOf(limit), cycle.Name),
                   new(AccountKind.Limit, unit, null, limit.Amount, cycle.From, cycle.To),
                   LimitRules.SelectorOf(limit)),
        ]);
}
