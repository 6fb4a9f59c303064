using System.Collections.Concurrent;
using LlmGateway.Contracts;

namespace LlmGateway.Proxy;

/// <summary>
/// Values that the edge keeps for a few seconds: first in memory, then in Redis, then at the service that owns them. A value is never used
/// longer than <see cref="Credential.MaxAge"/> after its owner read it from the database. A value in use is read again in the background
/// before that age, so that callers do not wait. That read goes to the owner, because the copy in Redis is as old as the one in memory.
/// Only one fetch per key runs at a time.
/// </summary>
/// <param name="fetch">Asks Redis and the owner, or only the owner when told to skip Redis. Returns null when the thing does not exist;
/// throws when nobody answers.</param>
/// <param name="readAt">When the owner read the value from the database.</param>
public sealed class HotCache<TKey, TValue>(Func<TKey, bool, Task<TValue?>> fetch, Func<TValue, DateTimeOffset> readAt, TimeProvider time)
    where TKey : notnull
    where TValue : class
{
    /// <summary>Most keys in memory, unknown ones included, so that guessed credentials cannot fill it.</summary>
    const int MaxEntries = 100_000;

    static readonly TimeSpan RefreshAfter = TimeSpan.FromSeconds(3), UnknownFor = TimeSpan.FromSeconds(1);

    readonly ConcurrentDictionary<TKey, Entry> _entries = new();

    /// <summary>
    /// The value, or null when it does not exist. Throws what <c>fetch</c> throws when no value in memory is young enough.
    /// </summary>
    public ValueTask<TValue?> GetAsync(TKey key) => TryGet(key, out var value) ? new(value) : new(WaitAsync(key));

    /// <summary>What is known without asking. It may be known that the thing does not exist.</summary>
    public bool TryGet(TKey key, out TValue? value)
    {
        value = null;
        if (_entries.TryGetValue(key, out var entry) && entry.Fetched)
        {
            var age = time.GetUtcNow() - entry.ReadAt;
            if (age < (entry.Value is null ? UnknownFor : Credential.MaxAge) && age > -Credential.MaxAge)
            {
                if (entry.Value is not null && age > RefreshAfter && !entry.IsFetching)
                    _ = RefreshAsync(key, entry);
                value = entry.Value;
                return true;
            }
        }
        return false;
    }

    /// <summary>
    /// Forgets a value that its owner has changed. Redis is skipped for as long as copies live there, because its copy may be older than
    /// the change.
    /// </summary>
    public void Invalidate(TKey key) => _entries[key] = new Entry { SkipRedisUntil = time.GetUtcNow() + Credential.MaxAge };

    public void InvalidateWhere(Func<TValue, bool> matches)
    {
        foreach (var (key, entry) in _entries)
            if (entry.Value is { } value && matches(value))
                Invalidate(key);
    }

    async Task<TValue?> WaitAsync(TKey key)
    {
        if (_entries.Count >= MaxEntries)
            Evict();
        var entry = _entries.GetOrAdd(key, static _ => new Entry());
        return await entry.FetchOnceAsync(() => FetchAsync(key, entry, time.GetUtcNow() < entry.SkipRedisUntil));
    }

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

    async Task<TValue?> FetchAsync(TKey key, Entry old, bool skipRedis)
    {
        var now = time.GetUtcNow();
        var value = await fetch(key, skipRedis);
        var fresh = new Entry
        {
            Fetched = true, Value = value, ReadAt = value is null ? now : readAt(value), SkipRedisUntil = old.SkipRedisUntil,
        };
        // If the entry was invalidated meanwhile, the value read here may predate the change. Then the newer entry stays.
        _entries.TryUpdate(key, fresh, old);
        return value;
    }

    void Evict()
    {
        var now = time.GetUtcNow();
        foreach (var (key, entry) in _entries)
            if (now - entry.ReadAt > Credential.MaxAge && now > entry.SkipRedisUntil)
                _entries.TryRemove(key, out _);
        if (_entries.Count >= MaxEntries)
            _entries.Clear();
    }

    sealed class Entry
    {
        readonly Lock _lock = new();
        Task<TValue?>? _running;

        public bool Fetched { get; init; }
        public TValue? Value { get; init; }
        public DateTimeOffset ReadAt { get; init; }
        public DateTimeOffset SkipRedisUntil { get; init; }
        public bool IsFetching => _running is { IsCompleted: false };

        public Task<TValue?> FetchOnceAsync(Func<Task<TValue?>> run)
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
