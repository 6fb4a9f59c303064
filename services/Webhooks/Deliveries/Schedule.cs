namespace LlmGateway.Webhooks;

/// <summary>When a delivery that has failed is tried again: ten tries in a little more than three days. Pure.</summary>
public static class Schedule
{
    /// <summary>A receiver may ask for this much at most. Also how long one may hold back all that is for it.</summary>
    public static readonly TimeSpan LongestRetryAfter = TimeSpan.FromHours(24), LongestPause = TimeSpan.FromHours(1);

    /// <summary>What is added or taken off at most, so that what failed together does not come back together.</summary>
    const double Jitter = 0.2;

    /// <summary>Between one try and the next.</summary>
    public static readonly IReadOnlyList<TimeSpan> Waits =
    [
        TimeSpan.FromSeconds(5), TimeSpan.FromMinutes(5), TimeSpan.FromMinutes(30), TimeSpan.FromHours(2), TimeSpan.FromHours(5),
        TimeSpan.FromHours(10), TimeSpan.FromHours(14), TimeSpan.FromHours(20), TimeSpan.FromHours(24),
    ];

    public static int MaxTries => Waits.Count + 1;

    /// <summary>How long to wait after so many tries have failed; null when that was the last.</summary>
    /// <param name="retryAfter">What the receiver asked for; it makes a wait longer and never shorter.</param>
    /// <param name="random">From 0 to 1.</param>
    public static TimeSpan? After(int tries, TimeSpan? retryAfter, double random)
    {
        if (tries >= MaxTries)
            return null;
        var wait = Waits[tries - 1] * (1 - Jitter + 2 * Jitter * random);
        var asked = Min(retryAfter ?? TimeSpan.Zero, LongestRetryAfter);
        return asked > wait ? asked : wait;
    }

    public static TimeSpan Min(TimeSpan one, TimeSpan other) => one < other ? one : other;
}
