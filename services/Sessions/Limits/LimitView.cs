using System.Globalization;
using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Sessions;

/// <summary>A limit as its owner sees it.</summary>
/// <param name="Amount">A decimal string in every unit: no program may lose a digit of it.</param>
/// <param name="Anchor">Null when none was given.</param>
/// <param name="Raises">Those that count now or later.</param>
/// <param name="Since">When the running cycle began. <paramref name="Resets"/> is when it ends.</param>
public sealed record LimitView(
    string Id,
    string Unit,
    string Amount,
    CycleLength Cycle,
    string? Anchor,
    string TimeZone,
    LimitSelector? Selector,
    IReadOnlyList<LimitView.Raise> Raises,
    DateTimeOffset Since,
    DateTimeOffset Resets)
{
    public sealed record Raise(string Amount, DateTimeOffset From, DateTimeOffset Until);

    public static LimitView Of(CustomerLimit limit, DateTimeOffset now)
    {
        var cycle = Cycles.Of(LimitRules.CycleOf(limit), now);
        return new(
            limit.Id, limit.Unit, LimitRules.AmountText(limit.Unit, limit.Amount), CycleLength.Parse(limit.Cycle), AnchorText(limit.Anchor),
            limit.TimeZone,
            limit.Models is null && limit.Keys is null
                ? null
                : new(limit.Models, limit.Keys?.Select(key => Ids.Show(Ids.Key, key)).ToList()),
            [
                .. limit.Raises.Where(raise => raise.EndsAt > now).OrderBy(raise => raise.EndsAt).ThenBy(raise => raise.Id)
                    .Select(raise => new Raise(LimitRules.AmountText(limit.Unit, raise.Amount), raise.StartsAt, raise.EndsAt)),
            ],
            cycle.From, cycle.To);
    }

    public static IEnumerable<LimitView> Of(IEnumerable<CustomerLimit> limits, DateTimeOffset now) =>
        limits.OrderBy(limit => limit.Position).Select(limit => Of(limit, now));

    static string? AnchorText(DateTime? anchor) => anchor is { } time
        ? time.ToString(time.TimeOfDay == TimeSpan.Zero ? "yyyy-MM-dd" : "yyyy-MM-dd'T'HH:mm:ss", CultureInfo.InvariantCulture)
        : null;
}
