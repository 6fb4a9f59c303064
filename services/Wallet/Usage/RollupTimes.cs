namespace LlmGateway.Wallet;

/// <summary>
/// The roll-ups that have a time: whole days of UTC, and quarters of an hour where it begins or ends within one. Without a whole day,
/// <paramref name="FirstDay"/> and <paramref name="EndOfDays"/> are its end.
/// </summary>
/// <param name="Begin">No roll-up has what lies before it: the quarter is cut.</param>
public readonly record struct RollupTimes(DateTimeOffset Begin, DateTimeOffset FirstDay, DateTimeOffset EndOfDays, DateTimeOffset End)
{
    public static readonly TimeSpan Quarter = TimeSpan.FromMinutes(15), Day = TimeSpan.FromDays(1);

    /// <param name="to">Nothing of its quarter comes after it: it is the end of a quarter, or of a cycle that is not over.</param>
    public static RollupTimes Of(DateTimeOffset from, DateTimeOffset to)
    {
        var (begin, end) = (Ceiling(from, Quarter), Ceiling(to, Quarter));
        var (firstDay, endOfDays) = (Ceiling(begin, Day), Floor(end, Day));
        return firstDay < endOfDays ? new(begin, firstDay, endOfDays, end) : new(begin, end, end, end);
    }

    public DateTime[] Days => Each(FirstDay, EndOfDays, Day);

    public DateTime[] Quarters => [.. Each(Begin, FirstDay, Quarter), .. Each(EndOfDays, End, Quarter)];

    /// <summary>From the year 1 on, whose first moment is a day's beginning, too.</summary>
    public static DateTimeOffset Floor(DateTimeOffset moment, TimeSpan grain) =>
        new(moment.UtcTicks - (moment.UtcTicks % grain.Ticks), TimeSpan.Zero);

    public static DateTimeOffset Ceiling(DateTimeOffset moment, TimeSpan grain) => Floor(moment + grain - TimeSpan.FromTicks(1), grain);

    static DateTime[] Each(DateTimeOffset from, DateTimeOffset to, TimeSpan grain)
    {
        var times = new DateTime[Math.Max(0, (to - from).Ticks / grain.Ticks)];
        for (var i = 0; i < times.Length; i++)
            times[i] = (from + (i * grain)).UtcDateTime;
        return times;
    }
}
