using System.Collections.Concurrent;

namespace LlmGateway.Wallet;

/// <summary>
/// Holders that have missed a recall. For a while nobody waits for them, because a dead one stays a holder for a minute, and each shortage
/// would wait for it in vain. They are still asked, and their first answer ends that.
/// </summary>
public sealed class SilentHolders(TimeProvider time)
{
    static readonly TimeSpan Remembered = TimeSpan.FromSeconds(5);

    readonly ConcurrentDictionary<string, long> _missedAt = new(StringComparer.Ordinal);

    public void Missed(IEnumerable<string> holders)
    {
        foreach (var holder in holders)
            _missedAt[holder] = time.GetTimestamp();
    }

    public void Answered(string holder) => _missedAt.TryRemove(holder, out _);

    /// <summary>The holders that are worth waiting for.</summary>
    public HashSet<string> Without(IEnumerable<string> holders)
    {
        foreach (var missed in _missedAt)
            if (time.GetElapsedTime(missed.Value) >= Remembered)
                _missedAt.TryRemove(missed);
        return holders.Where(holder => !_missedAt.ContainsKey(holder)).ToHashSet(StringComparer.Ordinal);
    }
}
