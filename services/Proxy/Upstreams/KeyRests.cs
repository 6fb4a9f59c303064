using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text;

namespace LlmGateway.Proxy;

/// <summary>Until when a key rests. Shared by all copies of the key.</summary>
public sealed class KeyRest
{
    long _until;

    public long Until
    {
        get => Volatile.Read(ref _until);
        set => Volatile.Write(ref _until, value);
    }
}

/// <summary>The rests of this process's keys: catalogs are read again every few seconds, and what a key has been told must outlive its copies.</summary>
public sealed class KeyRests
{
    /// <summary>Beyond that all are forgotten; what is lost is a few refused calls.</summary>
    const int MaxKeys = 10_000;

    readonly ConcurrentDictionary<string, KeyRest> _known = new();

    /// <summary>The same for the same secret at the same address, in whatever project: it is the provider's account that is held back.</summary>
    public KeyRest Of(string baseUrl, string secret)
    {
        if (_known.Count >= MaxKeys)
            _known.Clear();
        return _known.GetOrAdd(Name(baseUrl, secret), static _ => new KeyRest());
    }

    internal static string Name(string baseUrl, string secret) => Convert.ToHexString(SHA256.HashData(Encoding.UTF8.GetBytes($"{baseUrl}\n{secret}")));
}
