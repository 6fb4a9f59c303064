using System.Globalization;
using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Sessions;

/// <summary>A limit as its owner sees it.</summary>
/// <param name="Amount">A decimal string in every unit: no program may lose a digit of it.</param>
/// <param name="Anchor">Null when none was given.</param>
/// <param name="Raises">Those that count now or later.</param>
/// <param name="Used">
/// In the running cycle; null when it is not known. <paramref name="Held"/> is what requests that run may use besides.
/// </param>
/// <param name="Left">What further requests may use, raises included. Never below 0, however far the limit was lowered.</param>
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
    string? Used,
    string? Held,
    string? Left,
    DateTimeOffset Since,
    DateTimeOffset Resets)
{
    public sealed record Raise(string Amount, DateTimeOffset From, DateTimeOffset Until);

    /// <summary>In their owner's order. Throws when Wallet, which counts, does not answer.</summary>
    public static async Task<List<LimitView>> OfAsync(
        IEnumerable<CustomerLimit> limits, WalletClient wallet, DateTimeOffset now, CancellationToken token)
    {
        var ordered = limits.OrderBy(limit => limit.Position).ToList();
        var counters = await wallet.CountersAsync([.. ordered.Select(limit => Terms.TermOf(limit, now).Register)], token);
        return ordered.ConvertAll(limit => Of(limit, counters, now));
    }

    /// <summary>As what was committed just now is shown. Where Wallet does not answer, nobody knows yet what is used.</summary>
    public static async Task<List<LimitView>> OfNewAsync(
        IEnumerable<CustomerLimit> limits, WalletClient wallet, DateTimeOffset now, CancellationToken token)
    {
        var committed = limits.ToList();
        try
        {
            return await OfAsync(committed, wallet, now, token);
        }
        catch (Exception e) when (Problems.IsOutage(e))
        {
            return [.. committed.OrderBy(limit => limit.Position).Select(limit => Of(limit, new Dictionary<Guid, CounterState>(), now) with
            {
                Used = null, Held = null, Left = null,
            })];
        }
    }

    /// <param name="counters">A counter that no request has used yet is absent.</param>
    public static LimitView Of(CustomerLimit limit, IReadOnlyDictionary<Guid, CounterState> counters, DateTimeOffset now)
    {
        var (cycle, term) = (Cycles.Of(LimitRules.CycleOf(limit), now), Terms.TermOf(limit, now));
        var counter = counters.GetValueOrDefault(term.Register);
        var (used, held) = (counter?.Used ?? 0, counter?.Held ?? 0);
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
            LimitRules.AmountText(limit.Unit, used), LimitRules.AmountText(limit.Unit, held),
            LimitRules.AmountText(limit.Unit, Math.Max(0, term.Ceiling - used - held)),
            cycle.From, cycle.To);
    }

    public static string? AnchorText(DateTime? anchor) => anchor is { } time
        ? time.ToString(time.TimeOfDay == TimeSpan.Zero ? "yyyy-MM-dd" : "yyyy-MM-dd'T'HH:mm:ss", CultureInfo.InvariantCulture)
        : null;
}
