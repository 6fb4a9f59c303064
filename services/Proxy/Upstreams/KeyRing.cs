using System.Net;

namespace LlmGateway.Proxy;

/// <summary>
/// The keys of one provider connection. Each is used in proportion to its weight; one that the provider has just refused or held back rests for a while.
/// When all rest, the one that is free first is used: to be told "no" once more is better than to fail without asking.
/// </summary>
public sealed class KeyRing(UpstreamKey[] keys, TimeProvider time, Random random)
{
    public static readonly TimeSpan LongestRest = TimeSpan.FromSeconds(60), UnstatedRest = TimeSpan.FromSeconds(5);

    /// <summary>With one key there is nothing to choose, and nothing rests.</summary>
    public bool IsSingle => keys.Length == 1;

    /// <summary>True when a call now would not go out with a resting key.</summary>
    public bool HasFree => IsSingle || FreeWeight(time.GetTimestamp()) > 0;

    /// <summary>The key of this name. When it is not configured any more, another one: of the same account it finds the same objects.</summary>
    public UpstreamKey Named(string name) => Array.Find(keys, key => key.Name == name) ?? Next();

    public UpstreamKey Next() => IsSingle ? keys[0] : Choose(time.GetTimestamp());

    /// <summary>To be called with every answer; <paramref name="key"/> is the one that the request went out with.</summary>
    public void Answered(UpstreamKey key, HttpResponseMessage response)
    {
        var retryAfter = response.Headers.RetryAfter;
        if (RestAfter(response.StatusCode, retryAfter?.Delta ?? retryAfter?.Date - time.GetUtcNow()) is { } rest)
            key.RestUntil(time.GetTimestamp() + (long)(rest.TotalSeconds * time.TimestampFrequency));
    }

    /// <summary>How long a key rests after an answer; null when the answer says nothing about the key.</summary>
    public static TimeSpan? RestAfter(HttpStatusCode status, TimeSpan? retryAfter) => status switch
    {
        HttpStatusCode.TooManyRequests => retryAfter is not { } asked ? UnstatedRest : asked > LongestRest ? LongestRest : asked > TimeSpan.Zero ? asked : null,
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
        return earliest; // all rest, or one began to while we were counting
    }

    int FreeWeight(long now)
    {
        var free = 0;
        foreach (var key in keys)
            free += key.FreeAt <= now ? key.Weight : 0;
        return free;
    }
}
