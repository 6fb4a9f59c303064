using System.Collections.Concurrent;
using System.Text;
using LlmGateway.Contracts;

namespace LlmGateway.Proxy;

/// <summary>One secret of a provider: its place in a request, and until when it rests.</summary>
public sealed class UpstreamKey
{
    /// <summary>Most addresses kept per key. A provider has few paths, and invented ones must not fill the memory.</summary>
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

    /// <summary>Distinguishes the key from the provider's other keys, reveals nothing of the secret, and never changes.</summary>
    public string Name => _name.Value;

    public (string Name, string Value)? Header { get; }

    /// <summary>A timestamp of <see cref="TimeProvider"/>; in the past when the key is free.</summary>
    public long FreeAt => _rest.Until;

    public void RestUntil(long timestamp) => _rest.Until = Math.Max(_rest.Until, timestamp);

    /// <summary>
    /// Null when <see cref="UpstreamPath"/> refuses the path. Addresses are kept, because parsing one is a large part of making a request.
    /// </summary>
    /// <param name="isOfApi">See <see cref="UpstreamPath.TryJoin"/>. Such addresses are a caller's, and as many as it likes.</param>
    public Uri? Address(string path, bool isOfApi = false)
    {
        if (!isOfApi && _addresses.TryGetValue(path, out var known))
            return known;
        var rest = _cut.Length > 0 && path.StartsWith($"{_cut}/", StringComparison.Ordinal) ? path[_cut.Length..] : path;
        if (!UpstreamPath.TryJoin(_root, rest, out var address, isOfApi))
            return null;
        if (_query is not null)
            address = new($"{address.AbsoluteUri}{(address.Query.Length > 0 ? '&' : '?')}{_query}");
        if (!isOfApi && _addresses.Count < MaxAddresses)
            _addresses.TryAdd(path, address);
        return address;
    }
}
