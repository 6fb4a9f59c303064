using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Sessions;

/// <summary>
/// The counters of limits that count something new, for Wallet to look whether it was used while no limit was there. It is told before the
/// limits are there, so that it owes the look whatever becomes of the call, and asked when proxies know them.
/// </summary>
public static class LimitOpenings
{
    public static OpenCounters Of(CounterScope scope, IEnumerable<CustomerLimit> limits, DateTimeOffset now) => new(
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
