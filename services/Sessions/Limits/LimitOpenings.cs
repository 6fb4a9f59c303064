using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Sessions;

/// <summary>
/// The counters of limits that were written just now, for Wallet to look whether something was used of them while no limit was there. Also
/// of those that are as they were: the call that wrote them may have ended before it could ask.
/// </summary>
public static class LimitOpenings
{
    public static OpenCounters Of(Principal caller, Guid customer, IEnumerable<CustomerLimit> limits, DateTimeOffset now) => new(
        new(caller.Organization, caller.Project, customer, caller.Test),
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
