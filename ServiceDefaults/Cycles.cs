using System.Globalization;
using NodaTime;
using NodaTime.TimeZones;

namespace LlmGateway.ServiceDefaults;

/// <summary>What a cycle's length is counted in. The number is part of counters' ids, so it must never change.</summary>
public enum CycleUnit { Hour = 0, Day = 1, Month = 2 }

/// <summary>How time is cut into cycles.</summary>
/// <param name="Count">Units of one cycle: a week has 7 days, a quarter 3 months, a year 12.</param>
/// <param name="Anchor">A local time at which a cycle begins. All others are counted from it, before and after it.</param>
/// <param name="Zone">One of the names that <see cref="Cycles.IsZone"/> knows.</param>
public sealed record CycleRule(CycleUnit Unit, int Count, DateTime Anchor, string Zone);

/// <summary>One cycle: the instants from <paramref name="From"/> on that lie before <paramref name="To"/>.</summary>
/// <param name="Name">The local date of its start, of an hour the instant of its start. It stays the same when the zone's rules change
/// in mid-cycle.</param>
public readonly record struct Cycle(string Name, DateTimeOffset From, DateTimeOffset To);

/// <summary>
/// The calendar of limits. An edge is always counted from the anchor, in local time, and never from the edge before it: 31 January is
/// followed by 28 February and that by 31 March. Each instant is in exactly one cycle, whenever one asks. Zones come from NodaTime's data.
/// </summary>
public static class Cycles
{
    public const int MaxDays = 366;

    /// <summary>A midnight at which a week, a month, a quarter and a year begin.</summary>
    public static readonly DateTime DefaultAnchor = new(2024, 1, 1);

    static readonly LocalDate Origin = LocalDate.FromDateTime(DefaultAnchor);

    /// <summary>
    /// A local time that is skipped means the first instant after the gap, one that is there twice the earlier. So a later local time is
    /// never an earlier instant, and edges tile.
    /// </summary>
    static readonly ZoneLocalMappingResolver Resolver =
        Resolvers.CreateMappingResolver(Resolvers.ReturnEarlier, Resolvers.ReturnStartOfIntervalAfter);

    /// <summary>True for IANA names, aliases included, as they are written.</summary>
    public static bool IsZone(string name) => TzdbDateTimeZoneSource.Default.CanonicalIdMap.ContainsKey(name);

    /// <summary>When the date begins in the zone.</summary>
    public static DateTimeOffset StartOf(DateOnly date, string zone) => DateTimeZoneProviders.Tzdb[zone]
        .ResolveLocal(LocalDate.FromDateOnly(date).AtMidnight(), Resolver).ToDateTimeOffset().ToUniversalTime();

    /// <summary>The cycle that the instant is in. Throws when there is no such zone.</summary>
    public static Cycle Of(CycleRule rule, DateTimeOffset at)
    {
        var instant = Instant.FromDateTimeOffset(at);
        if (rule.Unit == CycleUnit.Hour)
            return HourOf(rule, instant);
        var zone = DateTimeZoneProviders.Tzdb[rule.Zone];
        var anchor = LocalDateTime.FromDateTime(rule.Anchor);
        var n = Passed(rule, anchor, instant.InZone(zone).LocalDateTime) / rule.Count;
        // The quotient is at most one or two off: it knows neither the time of day nor how short a month is.
        var from = At(n);
        while (from > instant)
            from = At(--n);
        var to = At(n + 1);
        while (to <= instant)
            (from, to) = (to, At(++n + 1));
        return new(NameOf(Edge(rule, anchor, n).Date), from.ToDateTimeOffset(), to.ToDateTimeOffset());

        Instant At(int edge) => zone.ResolveLocal(Edge(rule, anchor, edge), Resolver).ToInstant();
    }

    /// <summary>
    /// The rule as text, for counters' ids: the same for rules that have the same cycles in the same zone, such as two anchors on different
    /// firsts of a month.
    /// </summary>
    public static string TextOf(CycleRule rule)
    {
        if (rule.Unit == CycleUnit.Hour)
            return Text($"{(int)rule.Unit}:{Past(rule)}"); // hours are the same everywhere
        var anchor = LocalDateTime.FromDateTime(rule.Anchor);
        return Text($"{(int)rule.Unit}:{rule.Count}:{NameOf(EarliestOf(rule, anchor.Date))}T{anchor.TimeOfDay:HH:mm:ss}:{rule.Zone}");
    }

    static Cycle HourOf(CycleRule rule, Instant instant)
    {
        var past = Past(rule);
        var hour = (instant.ToUnixTimeSeconds() - past) / NodaConstants.SecondsPerHour; // of any time since 1970
        var from = DateTimeOffset.FromUnixTimeSeconds(hour * NodaConstants.SecondsPerHour + past);
        return new(from.UtcDateTime.ToString("yyyy-MM-ddTHH:mm:ssZ", CultureInfo.InvariantCulture), from, from.AddHours(1));
    }

    /// <summary>Seconds from a full hour of UTC to the anchor. An hour has 3600 seconds on both nights when clocks are changed.</summary>
    static long Past(CycleRule rule)
    {
        var anchor = DateTimeZoneProviders.Tzdb[rule.Zone].ResolveLocal(LocalDateTime.FromDateTime(rule.Anchor), Resolver).ToInstant();
        return Modulo(anchor.ToUnixTimeSeconds(), NodaConstants.SecondsPerHour);
    }

    static LocalDateTime Edge(CycleRule rule, LocalDateTime anchor, int n) =>
        rule.Unit == CycleUnit.Day ? anchor.PlusDays(n * rule.Count) : anchor.PlusMonths(n * rule.Count);

    static int Passed(CycleRule rule, LocalDateTime anchor, LocalDateTime local) => rule.Unit == CycleUnit.Day
        ? Period.DaysBetween(anchor.Date, local.Date)
        : (local.Year - anchor.Year) * 12 + local.Month - anchor.Month;

    /// <summary>The first date of 2024 that is an anchor of the same cycles. The months that count are those with such a day.</summary>
    static LocalDate EarliestOf(CycleRule rule, LocalDate anchor)
    {
        if (rule.Unit == CycleUnit.Day)
            return Origin.PlusDays((int)Modulo(Period.DaysBetween(Origin, anchor), rule.Count));
        var month = Enumerable.Range(1, 12).First(month =>
            Modulo(month - anchor.Month, rule.Count) == 0 && CalendarSystem.Iso.GetDaysInMonth(Origin.Year, month) >= anchor.Day);
        return new(Origin.Year, month, anchor.Day);
    }

    static long Modulo(long value, long of) => (value % of + of) % of;

    static string NameOf(LocalDate date) => date.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture);

    static string Text(FormattableString text) => FormattableString.Invariant(text);
}
