namespace LlmGateway.Proxy;

/// <summary>
/// Asks the owner of values for many keys at once. A key that comes alone is asked for at once. The next question goes out
/// <see cref="Interval"/> later, with all keys that have come meanwhile. So the owner's load has a bound that does not grow with the number
/// of users: 50 questions a second from each proxy. Questions do not wait for each other's answers; each has the client's time limit.
/// </summary>
/// <param name="ask">The values of those keys that the owner knows. Throws when it does not answer.</param>
/// <param name="most">Most keys in a question.</param>
public sealed class BatchedLookups<TKey, TValue>(
    Func<IReadOnlyList<TKey>, Task<IReadOnlyDictionary<TKey, TValue>>> ask, int most, TimeProvider time)
    where TKey : notnull
    where TValue : class
{
    public static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(20);

    readonly Lock _lock = new();
    readonly Queue<Lookup> _waiting = [];
    long? _asked;
    bool _asking;

    /// <summary>The value, or null when the owner knows none.</summary>
    public Task<TValue?> FindAsync(TKey key)
    {
        // Callers go on elsewhere: the loop must not wait until a whole request has been handled.
        var lookup = new Lookup(key, new(TaskCreationOptions.RunContinuationsAsynchronously));
        lock (_lock)
        {
            _waiting.Enqueue(lookup);
            if (_asking)
                return lookup.Answer.Task;
            _asking = true;
        }
        _ = AskAllAsync();
        return lookup.Answer.Task;
    }

    async Task AskAllAsync()
    {
        while (true)
        {
            if (_asked is { } asked && Interval - time.GetElapsedTime(asked) is var pause && pause > TimeSpan.Zero)
                await Task.Delay(pause, time);
            List<Lookup> batch;
            lock (_lock)
            {
                if (_waiting.Count == 0)
                {
                    _asking = false;
                    return;
                }
                batch = new(Math.Min(most, _waiting.Count));
                while (batch.Count < most && _waiting.TryDequeue(out var next))
                    batch.Add(next);
                _asked = time.GetTimestamp();
            }
            _ = AnswerAsync(batch);
        }
    }

    async Task AnswerAsync(List<Lookup> batch)
    {
        try
        {
            var values = await ask([.. batch.Select(lookup => lookup.Key).Distinct()]);
            foreach (var lookup in batch)
                lookup.Answer.SetResult(values.GetValueOrDefault(lookup.Key));
        }
        catch (Exception e)
        {
            foreach (var lookup in batch)
                lookup.Answer.TrySetException(e);
        }
    }

    readonly record struct Lookup(TKey Key, TaskCompletionSource<TValue?> Answer);
}
