using LlmGateway.ServiceDefaults;

namespace LlmGateway.Proxy;

/// <summary>
/// Asks the owner of values for many keys at once. A key that comes alone is asked for at once. The next question goes out
/// <see cref="Interval"/> later, with all keys that have come meanwhile. So the owner's load has a bound that does not grow with the number
/// of users: 50 questions a second from each proxy. Questions do not wait for each other's answers; each has the client's time limit. A
/// key that the owner fails at must not fail others: a failed batch is halved until the key stands alone, and then it is not asked for
/// again for <see cref="FailedFor"/>.
/// </summary>
/// <param name="ask">The values of those keys that the owner knows. Throws when it does not answer.</param>
/// <param name="most">Most keys in a question.</param>
public sealed class BatchedLookups<TKey, TValue>(
    Func<IReadOnlyList<TKey>, Task<IReadOnlyDictionary<TKey, TValue>>> ask, int most, TimeProvider time)
    where TKey : notnull
    where TValue : class
{
    public static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(20);

    public static readonly TimeSpan FailedFor = TimeSpan.FromSeconds(1);

    /// <summary>
    /// After so many questions for one batch no part of it is halved any more; of 500 keys at most nine parts are left, and each is asked
    /// for once. So one bad key is found among 500, and an owner that fails at everything is not asked for each key.
    /// </summary>
    const int MaxQuestions = 20;

    /// <summary>Most keys whose failure is remembered.</summary>
    const int MaxFailed = 1_000;

    readonly Lock _lock = new();
    readonly Queue<Lookup> _waiting = [];
    readonly Dictionary<TKey, (Exception Reason, long At)> _failed = [];
    long? _asked;
    bool _asking;

    /// <summary>The value, or null when the owner knows none.</summary>
    public Task<TValue?> FindAsync(TKey key)
    {
        // Callers go on elsewhere: the loop must not wait until a whole request has been handled.
        var lookup = new Lookup(key, new(TaskCreationOptions.RunContinuationsAsynchronously));
        lock (_lock)
        {
            if (_failed.TryGetValue(key, out var failed) && time.GetElapsedTime(failed.At) < FailedFor)
                return Task.FromException<TValue?>(failed.Reason);
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
            _ = AnswerAsync([.. batch.GroupBy(lookup => lookup.Key)], MaxQuestions);
        }
    }

    /// <summary>Returns how many questions are left.</summary>
    async Task<int> AnswerAsync(IGrouping<TKey, Lookup>[] batch, int questions)
    {
        try
        {
            var values = await ask([.. batch.Select(lookups => lookups.Key)]);
            foreach (var lookup in batch.SelectMany(lookups => lookups))
                lookup.Answer.SetResult(values.GetValueOrDefault(lookup.Key));
            return questions - 1;
        }
        catch (Exception e) when (batch.Length > 1 && questions > 1 && !Problems.IsOutage(e))
        {
            questions = await AnswerAsync(batch[..(batch.Length / 2)], questions - 1);
            return await AnswerAsync(batch[(batch.Length / 2)..], questions);
        }
        catch (Exception e)
        {
            if (batch.Length == 1 && !Problems.IsOutage(e))
                Remember(batch[0].Key, e);
            foreach (var lookup in batch.SelectMany(lookups => lookups))
                lookup.Answer.TrySetException(e);
            return questions - 1;
        }
    }

    void Remember(TKey key, Exception reason)
    {
        lock (_lock)
        {
            if (_failed.Count >= MaxFailed)
                _failed.Clear();
            _failed[key] = (reason, time.GetTimestamp());
        }
    }

    readonly record struct Lookup(TKey Key, TaskCompletionSource<TValue?> Answer);
}
