using System.Collections.Concurrent;
using System.Net;
using System.Security.Cryptography;
using System.Text;
using LlmGateway.Contracts;

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

/// <summary>One secret of a provider, in its place in a request, and until when it rests.</summary>
public sealed class UpstreamKey
{
    /// <summary>Addresses kept ready per key: a provider has few paths, and those that callers make up must not fill the memory.</summary>
    const int MaxAddresses = 64;

    readonly string _root;
    readonly string _cut;
    readonly string? _query;
    readonly Rest _rest;
    readonly Lazy<string> _name;
    readonly ConcurrentDictionary<string, Uri> _addresses = new();

    public UpstreamKey(ProviderConnection provider, string secret, int weight, Rests? rests = null)
    {
        (_root, _cut) = UpstreamPath.RootOf(provider.Wire, provider.BaseUrl);
        _rest = rests?.Of(provider.BaseUrl, secret) ?? new Rest();
        _name = new(() => Rests.Name(provider.BaseUrl, secret)[..16]);
        Weight = weight;
        switch (provider.AuthType)
        {
            case "bearer": Header = ("Authorization", $"Bearer {secret}"); break;
            case "header": Header = (provider.AuthName!, secret); break;
            case "query": _query = $"{Uri.EscapeDataString(provider.AuthName!)}={Uri.EscapeDataString(secret)}"; break;
            case "basic": Header = ("Authorization", $"Basic {Convert.ToBase64String(Encoding.UTF8.GetBytes(secret))}"); break;
        }
    }

    public int Weight { get; }

    /// <summary>Tells it from the provider's other keys, and nothing about the secret; the same for ever.</summary>
    public string Name => _name.Value;

    public (string Name, string Value)? Header { get; }

    /// <summary>A time stamp of <see cref="TimeProvider"/>; in the past when the key is free.</summary>
    public long FreeAt => _rest.Until;

    public void RestUntil(long timestamp) => _rest.Until = Math.Max(_rest.Until, timestamp);

    /// <summary>Null when the path is one that <see cref="UpstreamPath"/> refuses. Making an address of a text is a good part of making a request.</summary>
    public Uri? Address(string path)
    {
        if (_addresses.TryGetValue(path, out var known))
            return known;
        if (!UpstreamPath.TryJoin(_root, _cut.Length > 0 && path.StartsWith($"{_cut}/", StringComparison.Ordinal) ? path[_cut.Length..] : path, out var address))
            return null;
        if (_query is not null)
            address = new($"{address.AbsoluteUri}{(address.Query.Length > 0 ? '&' : '?')}{_query}");
        if (_addresses.Count < MaxAddresses)
            _addresses.TryAdd(path, address);
        return address;
    }
}

/// <summary>Until when a key rests. Shared by all copies of the key.</summary>
public sealed class Rest
{
    long _until;

    public long Until
    {
        get => Volatile.Read(ref _until);
        set => Volatile.Write(ref _until, value);
    }
}

/// <summary>The rests of this process's keys: catalogs are read again every few seconds, and what a key has been told must outlive its copies.</summary>
public sealed class Rests
{
    /// <summary>Beyond that all are forgotten; what is lost is a few refused calls.</summary>
    const int MaxKeys = 10_000;

    readonly ConcurrentDictionary<string, Rest> _known = new();

    /// <summary>The same for the same secret at the same address, in whatever project: it is the provider's account that is held back.</summary>
    public Rest Of(string baseUrl, string secret)
    {
        if (_known.Count >= MaxKeys)
            _known.Clear();
        return _known.GetOrAdd(Name(baseUrl, secret), static _ => new Rest());
    }

    internal static string Name(string baseUrl, string secret) => Convert.ToHexString(SHA256.HashData(Encoding.UTF8.GetBytes($"{baseUrl}\n{secret}")));
}
