using System.Collections.Concurrent;
using System.Text;
using LlmGateway.Contracts;

namespace LlmGateway.Proxy;

/// <summary>One secret of a provider, in its place in a request, and until when it rests.</summary>
public sealed class UpstreamKey
{
    /// <summary>Addresses kept ready per key: a provider has few paths, and those that callers make up must not fill the memory.</summary>
    const int MaxAddresses = 64;

    readonly string _root;
    readonly string _cut;
    readonly string? _query;
    readonly KeyRest _rest;
    readonly Lazy<string> _name;
    readonly ConcurrentDictionary<string, Uri> _addresses = new();

    public UpstreamKey(ProviderConnection provider, string secret, int weight, KeyRests? rests = null)
    {
        (_root, _cut) = UpstreamPath.RootOf(provider.Wire, provider.BaseUrl);
        _rest = rests?.Of(provider.BaseUrl, secret) ?? new KeyRest();
        _name = new(() => KeyRests.Name(provider.BaseUrl, secret)[..16]);
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
