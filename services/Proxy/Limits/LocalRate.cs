namespace LlmGateway.Proxy;

/// <summary>
/// A limit per minute for each key, counted by this proxy alone. It protects the gateway from a caller; what customers have bought is
/// counted by <see cref="RateLimits"/>. The algorithm is the same: each use moves the time at which the key's minute is whole again ahead
/// by its share, and is refused when that is more than a minute ahead.
/// </summary>
public sealed class LocalRate<TKey>(int perMinute, TimeProvider time)
    where TKey : notnull
{
    /// <summary>Bounds the memory. While so many keys are counted, further ones share one minute.</summary>
    public const int MaxKeys = 65_536;

    static readonly TimeSpan Minute = TimeSpan.FromMinutes(1), SweepEvery = TimeSpan.FromSeconds(1);

    readonly Lock _lock = new();
    readonly Dictionary<TKey, TimeSpan> _wholeAt = [];
    readonly TimeSpan _share = Minute
        / (perMinute > 0 ? perMinute : throw new ArgumentOutOfRangeException(nameof(perMinute), perMinute, "a limit must be above 0"));
    readonly long _started = time.GetTimestamp();
    TimeSpan _othersWholeAt, _sweptAt;

    /// <summary>Takes one use of the key's minute. Null when there was one, else the time until there is.</summary>
    public TimeSpan? Take(TKey key)
    {
        lock (_lock)
        {
            var now = time.GetElapsedTime(_started);
            var known = _wholeAt.TryGetValue(key, out var wholeAt);
            var isOther = !known && _wholeAt.Count >= MaxKeys && !TrySweep(now);
            var next = After(isOther ? _othersWholeAt : wholeAt, now);
            if (next - now > Minute)
                return next - now - Minute;
            if (isOther)
                _othersWholeAt = next;
            else
                _wholeAt[key] = next;
            return null;
        }
    }

    /// <summary>Whether <see cref="Take"/> would refuse the key now.</summary>
    public bool IsUsedUp(TKey key)
    {
        lock (_lock)
        {
            var now = time.GetElapsedTime(_started);
            return After(_wholeAt.TryGetValue(key, out var wholeAt) || _wholeAt.Count < MaxKeys ? wholeAt : _othersWholeAt, now) - now
                > Minute;
        }
    }

    TimeSpan After(TimeSpan wholeAt, TimeSpan now) => (wholeAt > now ? wholeAt : now) + _share;

    /// <summary>Forgets the keys whose minute is whole, and says whether there is room now.</summary>
    bool TrySweep(TimeSpan now)
    {
        if (now - _sweptAt < SweepEvery)
            return false;
        _sweptAt = now;
        foreach (var (key, wholeAt) in _wholeAt)
            if (wholeAt <= now)
                _wholeAt.Remove(key);
        return _wholeAt.Count < MaxKeys;
    }
}
