using System.Net;

namespace LlmGateway.Proxy;

/// <summary>
/// The keys of one provider connection. Each is used in proportion to its weight. A key that the provider just refused or limited rests for
/// a while. When all keys rest, the one that is free first is used, because one more refusal is better than none asked.
/// </summary>
public sealed class KeyRing(UpstreamKey[] keys, TimeProvider time, Random random)
{
    public static readonly TimeSpan LongestRest = TimeSpan.FromSeconds(60), UnstatedRest = TimeSpan.FromSeconds(5);

    /// <summary>A single key leaves no choice and never rests.</summary>
    public bool IsSingle => keys.Length == 1;

    /// <summary>True when a call now would go out with a key that does not rest.</summary>
    public bool HasFree => IsSingle || FreeWeight(time.GetTimestamp()) > 0;

    /// <summary>
    /// The key of this name. When it is no longer configured, another key: a key of the same account finds the same objects.
    /// </summary>
    public UpstreamKey Named(string name) => Array.Find(keys, key => key.Name == name) ?? Next();

    public UpstreamKey Next() => IsSingle ? keys[0] : Choose(time.GetTimestamp());

    /// <summary>Takes notice of an answer. <paramref name="key"/> is the key that the request went out with.</summary>
    public void Answered(UpstreamKey key, HttpResponseMessage response)
    {
        var retryAfter = response.Headers.RetryAfter;
        if (RestAfter(response.StatusCode, retryAfter?.Delta ?? retryAfter?.Date - time.GetUtcNow()) is { } rest)
            key.RestUntil(time.GetTimestamp() + (long)(rest.TotalSeconds * time.TimestampFrequency));
    }

    /// <summary>How long a key rests after an answer; null when the answer says nothing about the key.</summary>
    public static TimeSpan? RestAfter(HttpStatusCode status, TimeSpan? retryAfter) => status switch
    {
        HttpStatusCode.TooManyRequests =>
            retryAfter is not { } asked ? UnstatedRest : asked > LongestRest ? LongestRest : asked > TimeSpan.Zero ? asked : null,
        HttpStatusCode.Unauthorized or HttpStatusCode.Forbidden => LongestRest,
        _ => null,
    };

    UpstreamKey Choose(long now)
    {
        var free = FreeWeight(now);
        var ticket = free > 0 ? random.Next(free) : 0;
        var earliest = keys[0];
        foreach (var key in keys)
        {
            if (key.FreeAt < earliest.FreeAt)
                earliest = key;
            if (free == 0 || key.FreeAt > now)
                continue;
            ticket -= key.Weight;
            if (ticket < 0)
                return key;
        }
        return earliest; // all keys rest, or one began to rest during the count
    }

    int FreeWeight(long now)
    {
        var free = 0;
        foreach (var key in keys)
            free += key.FreeAt <= now ? key.Weight : 0;
        return free;
    }
}
