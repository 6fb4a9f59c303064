using System.Collections.Concurrent;
using LlmGateway.Contracts;

namespace LlmGateway.Proxy;

/// <summary>A value as it was found.</summary>
/// <param name="Value">Null when the thing does not exist.</param>
/// <param name="Age">Upper bound of the time since its owner read it, for a copy of Redis. Null when the owner read it just now.</param>
public readonly record struct Found<TValue>(TValue? Value, TimeSpan? Age);

/// <summary>
/// Values that the edge keeps for a while: first in memory, then in Redis, then at the service that owns them. A value is used for at most
/// <see cref="Credential.MaxAge"/> after its owner read it from the database, or for <see cref="Credential.MaxAgeWhenWatched"/> while every
/// change since then has been heard of. Ages are measured here, from before the question was sent: no clock is compared with that of
/// another machine. A value in use is read again in the background before it is too old, so that callers do not wait. That read goes to the
/// owner, because the copy in Redis is as old as the one in memory. Only one fetch per key runs at a time.
/// </summary>
/// <param name="fetch">Asks Redis and the owner, or only the owner when told to skip Redis. Throws when nobody answers.</param>
/// <param name="feed">Knows whether changes are heard of.</param>
/// <param name="most">Most keys in memory, unknown ones included, so that guessed credentials cannot fill it.</param>
public sealed class HotCache<TKey, TValue>(
    Func<TKey, bool, Task<Found<TValue>>> fetch, ChangeFeed feed, TimeProvider time, int most = 100_000)
    where TKey : notnull
    where TValue : class
{
    static readonly TimeSpan
        RefreshAfter = TimeSpan.FromSeconds(3), RefreshAfterWhenWatched = TimeSpan.FromSeconds(50), UnknownFor = TimeSpan.FromSeconds(1);

    /// <summary>
    /// Changes that are remembered. A value that was read before the oldest of them is not kept. A copy of Redis was read
    /// <see cref="Credential.MaxAge"/> ago at most, so 800 changes a second are no loss.
    /// </summary>
    const int MaxChanges = 4_096;

    readonly ConcurrentDictionary<TKey, Entry> _entries = new();

    /// <summary>Guards <see cref="_changes"/>, and that a value read before a change is not kept after it.</summary>
    readonly Lock _lock = new();
    /// <summary>The change with number n, counted from 0, is at n modulo <see cref="MaxChanges"/>.</summary>
    readonly Change[] _changes = new Change[MaxChanges];
    long _changesHeard;

    /// <summary>
    /// The value, or null when it does not exist. Throws what <c>fetch</c> throws when no value in memory is young enough.
    /// </summary>
    public ValueTask<TValue?> GetAsync(TKey key) => TryGet(key, out var value) ? new(value) : new(WaitAsync(key));

    /// <summary>What is known without asking. It may be known that the thing does not exist.</summary>
    public bool TryGet(TKey key, out TValue? value)
    {
        value = null;
        if (!_entries.TryGetValue(key, out var entry) || !entry.Fetched)
            return false;
        var isWatched = IsWatched(entry);
        var age = time.GetElapsedTime(entry.ReadAt);
        if (age >= MaxAge(entry, isWatched))
            return false;
        if (entry.Value is not null && age > (isWatched ? RefreshAfterWhenWatched : RefreshAfter) && !entry.IsFetching)
            _ = RefreshAsync(key, entry);
        value = entry.Value;
        return true;
    }

    /// <summary>Whether there was a value at some time, be it too old now. No guess makes that true.</summary>
    public bool HasKnown(TKey key) =>
        _entries.TryGetValue(key, out var entry) && (entry.Value is not null || entry.ForgottenAt is not null);

    /// <summary>
    /// Forgets a value that its owner has changed. Redis is skipped for as long as copies live there, because its copy may be older than
    /// the change.
    /// </summary>
    public void Invalidate(TKey key) => _entries[key] = new Entry { ForgottenAt = time.GetTimestamp() };

    /// <summary>The same for all values that match, also those that are being read.</summary>
    public void InvalidateWhere(Func<TValue, bool> matches)
    {
        lock (_lock)
            _changes[_changesHeard++ % MaxChanges] = new(time.GetTimestamp(), matches);
        foreach (var (key, entry) in _entries)
            if (entry.Value is { } value && matches(value))
                Invalidate(key);
    }

    static TimeSpan MaxAge(Entry entry, bool isWatched) =>
        entry.Value is null ? UnknownFor : isWatched ? Credential.MaxAgeWhenWatched : Credential.MaxAge;

    /// <summary>A copy of Redis is never watched: a change that it predates may have been told before this proxy had the key.</summary>
    bool IsWatched(Entry entry) => entry.ByOwner && feed.HasHeardAllSince(entry.ReadAt);

    /// <summary>Nobody gets a value that was read before a change that was heard before they came.</summary>
    async Task<TValue?> WaitAsync(TKey key)
    {
        var came = time.GetTimestamp();
        var fetched = await FetchOnceAsync(key);
        return HasChanged(fetched, until: came) ? (await FetchOnceAsync(key)).Value : fetched.Value;
    }

    Task<Fetched> FetchOnceAsync(TKey key)
    {
        if (_entries.Count >= most)
            Evict();
        var entry = _entries.GetOrAdd(key, static _ => new Entry());
        return entry.FetchOnceAsync(() => FetchAsync(key, entry, skipRedis: MustSkipRedis(entry)));
    }

    bool MustSkipRedis(Entry entry) => entry.ForgottenAt is { } at && time.GetElapsedTime(at) < Credential.MaxAge;

    async Task RefreshAsync(TKey key, Entry entry)
    {
        try
        {
            await entry.FetchOnceAsync(() => FetchAsync(key, entry, skipRedis: true));
        }
        catch (Exception)
        {
            // The value in memory is still young enough. The next caller that needs a new one learns of the outage.
        }
    }

    async Task<Fetched> FetchAsync(TKey key, Entry old, bool skipRedis)
    {
        var asked = time.GetTimestamp();
        var found = await fetch(key, skipRedis);
        var fetched = new Fetched(found.Value, asked - (long)((found.Age ?? TimeSpan.Zero).TotalSeconds * time.TimestampFrequency));
        // If the entry was invalidated meanwhile, the value read here may predate the change. Then the newer entry stays.
        lock (_lock)
            _entries.TryUpdate(key, HasChanged(fetched, until: long.MaxValue)
                ? new Entry { ForgottenAt = time.GetTimestamp() }
                : new Entry
                {
                    Fetched = true,
                    Value = fetched.Value,
                    ByOwner = found.Age is null,
                    ReadAt = fetched.ReadAt,
                    ForgottenAt = old.ForgottenAt,
                }, old);
        return fetched;
    }

    /// <summary>True when a change of the value was heard after it was read, or may have been.</summary>
    bool HasChanged(Fetched fetched, long until)
    {
        if (fetched.Value is not { } value)
            return false;
        lock (_lock)
        {
            for (var number = _changesHeard - 1; number >= Math.Max(0, _changesHeard - MaxChanges); number--)
            {
                var change = _changes[number % MaxChanges];
                if (change.HeardAt < fetched.ReadAt)
                    return false;
                if (change.HeardAt <= until && change.Matches(value))
                    return true;
            }
            return _changesHeard > MaxChanges;
        }
    }

    void Evict()
    {
        foreach (var (key, entry) in _entries)
            if (time.GetElapsedTime(entry.ReadAt) > MaxAge(entry, IsWatched(entry)) && !MustSkipRedis(entry))
                _entries.TryRemove(key, out _);
        if (_entries.Count >= most)
            _entries.Clear();
    }

    /// <param name="HeardAt">A timestamp.</param>
    readonly record struct Change(long HeardAt, Func<TValue, bool> Matches);

    /// <param name="ReadAt">A timestamp from before the owner read the value.</param>
    readonly record struct Fetched(TValue? Value, long ReadAt);

    sealed class Entry
    {
        readonly Lock _lock = new();
        Task<Fetched>? _running;

        public bool Fetched { get; init; }
        public TValue? Value { get; init; }
        public bool ByOwner { get; init; }

        /// <summary>A timestamp from before the owner read the value.</summary>
        public long ReadAt { get; init; }

        /// <summary>When a change was told last; null when none was.</summary>
        public long? ForgottenAt { get; init; }

        public bool IsFetching => _running is { IsCompleted: false };

        public Task<Fetched> FetchOnceAsync(Func<Task<Fetched>> run)
        {
            lock (_lock)
            {
                if (_running is null or { IsCompleted: true })
                    _running = run();
                return _running;
            }
        }
    }
}
