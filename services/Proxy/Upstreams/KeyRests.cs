using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text;

namespace LlmGateway.Proxy;

/// <summary>Until when a key rests. All copies of the key share it.</summary>
public sealed class KeyRest
{
    long _until;

    public long Until
    {
        get => Volatile.Read(ref _until);
        set => Volatile.Write(ref _until, value);
    }
}

/// <summary>
/// The rests of this process's keys. Catalogs are read again every few seconds, and a rest must outlive their copies of the key.
/// </summary>
public sealed class KeyRests
{
    /// <summary>Beyond this number all rests are forgotten, which costs a few refused calls.</summary>
    const int MaxKeys = 10_000;

    readonly ConcurrentDictionary<string, KeyRest> _known = new();

    /// <summary>One rest for one secret at one address, across all projects: the provider limits its account.</summary>
    public KeyRest Of(string baseUrl, string secret)
    {
        if (_known.Count >= MaxKeys)
            _known.Clear();
        return _known.GetOrAdd(Name(baseUrl, secret), static _ => new KeyRest());
    }

    internal static string Name(string baseUrl, string secret) =>
        Convert.ToHexString(SHA256.HashData(Encoding.UTF8.GetBytes($"{baseUrl}\n{secret}")));
}
