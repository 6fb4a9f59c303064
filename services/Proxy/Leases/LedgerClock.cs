namespace LlmGateway.Proxy;

/// <summary>
/// The ledger's clock as this proxy knows it. It decides which cycle it is, so that all proxies count a request in the same one, whatever
/// their own clocks say. The answer with the shortest round trip of the last minute is trusted: it is wrong by no more than half of that.
/// One that cannot be true beside it is newer, and says that the clock was set.
/// Until the first answer the proxy's own clock has to do.
/// </summary>
public sealed class LedgerClock(TimeProvider time)
{
    static readonly TimeSpan TrustedFor = TimeSpan.FromMinutes(1);

    readonly Lock _lock = new();
    Reading? _best;

    /// <summary>Never waits, and costs the request no more than its own clock would.</summary>
    public DateTimeOffset Now => Volatile.Read(ref _best) is { } best ? best.Now + time.GetElapsedTime(best.At) : time.GetUtcNow();

    /// <param name="asked">When the question was sent, and when the answer had come, on the monotonic clock.</param>
    /// <param name="now">What the ledger's clock said in between.</param>
    public void Heard(long asked, long answered, DateTimeOffset now)
    {
        if (now == default)
            return; // a ledger of before does not say it
        var roundTrip = time.GetElapsedTime(asked, answered);
        lock (_lock)
            if (_best is not { } best || roundTrip <= best.RoundTrip || time.GetElapsedTime(best.At) > TrustedFor
                || (now + (roundTrip / 2) - Now).Duration() > roundTrip + best.RoundTrip)
                Volatile.Write(ref _best, new(now + (roundTrip / 2), answered, roundTrip));
    }

    /// <summary>The ledger calls a cycle over that this clock is in, or the other way round: what was heard is wrong.</summary>
    public void Distrust()
    {
        lock (_lock)
            if (_best is { } best)
                Volatile.Write(ref _best, best with { RoundTrip = TimeSpan.MaxValue });
    }

    /// <param name="Now">The ledger's time at <paramref name="At"/>.</param>
    sealed record Reading(DateTimeOffset Now, long At, TimeSpan RoundTrip);
}
