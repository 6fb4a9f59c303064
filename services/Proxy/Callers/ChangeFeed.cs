using LlmGateway.Contracts;

namespace LlmGateway.Proxy;

/// <summary>
/// Knows since when every change of credentials and projects has been heard of. Copies that were read since then are known to be right, so
/// they may be used for longer than <see cref="Credential.MaxAge"/>. A beat that is missed, a message that is missing by the next beat but
/// one, and a process of Sessions that nobody knew end that: what was said meanwhile is unknown, and only copies that are read from now on
/// count. Without Redis nothing is heard, and every copy is short-lived.
/// </summary>
public sealed class ChangeFeed(TimeProvider time)
{
    readonly Lock _lock = new();
    readonly Dictionary<Guid, Sender> _senders = [];
    long _heardSince = long.MaxValue, _silentAt = long.MinValue;

    /// <summary>Every change after this timestamp has been heard of.</summary>
    public bool HasHeardAllSince(long timestamp)
    {
        // The order matters: a message that comes after a silence changes the other one first.
        var silentAt = Volatile.Read(ref _silentAt);
        return time.GetTimestamp() < silentAt && timestamp >= Volatile.Read(ref _heardSince);
    }

    /// <param name="isUnderstood">False when it is unknown what has changed. Then all may have.</param>
    public void Hear(Invalidation message, bool isUnderstood = true)
    {
        lock (_lock)
        {
            var now = time.GetTimestamp();
            if (!isUnderstood)
                Volatile.Write(ref _heardSince, now);
            if (message.Sender is not { } id)
                return;
            var isWhole = now < _silentAt;
            foreach (var (known, last) in _senders)
                if (time.GetElapsedTime(last.HeardAt, now) >= Invalidation.BeatMissedAfter)
                    _senders.Remove(known);
            if (!_senders.TryGetValue(id, out var sender))
            {
                // Its first beat says where the numbers begin. A message of its own before that has been handled already.
                if (message.Kind != Invalidation.Beat)
                    return;
                isWhole = false;
                _senders[id] = sender = new(message.Number);
            }
            else if (message.Kind != Invalidation.Beat)
                sender.Take(message.Number);
            else
                isWhole &= sender.Beat(message.Number);
            sender.HeardAt = now;
            if (!isWhole)
                Volatile.Write(ref _heardSince, now);
            Volatile.Write(
                ref _silentAt,
                _senders.Values.Min(known => known.HeardAt)
                    + (long)(Invalidation.BeatMissedAfter.TotalSeconds * time.TimestampFrequency));
        }
    }

    /// <summary>The messages of one process. They may overtake each other.</summary>
    sealed class Sender(long number)
    {
        readonly HashSet<long> _early = [];
        long _next = number + 1, _lastBeat = number;

        public long HeardAt { get; set; }

        public void Take(long number)
        {
            if (number >= _next)
                _early.Add(number);
            while (_early.Remove(_next))
                _next++;
        }

        /// <summary>False when a message is missing that was sent before the last beat.</summary>
        public bool Beat(long number)
        {
            var isWhole = _next > _lastBeat;
            if (!isWhole)
            {
                _early.Clear();
                _next = number + 1;
            }
            _lastBeat = number;
            return isWhole;
        }
    }
}
