using System.Net.Http.Headers;
using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Proxy;

/// <summary>A provider ready to be called: addresses joined, credentials in place. Callers' headers never reach it, nor can they steer where a call goes.</summary>
public sealed class Upstream
{
    /// <summary>Outlives every copy of a catalog.</summary>
    static readonly KeyRests Rests = new();

    readonly KeyRing _keys;

    /// <param name="secrets">In the order of the provider's keys.</param>
    public Upstream(ProviderConnection provider, IReadOnlyList<string> secrets)
    {
        Provider = provider;
        UpstreamKey[] keys = secrets.Count switch
        {
            0 => [new(provider, "", weight: 1)],
            1 => [new(provider, secrets[0], weight: 1)],
            _ => [.. secrets.Index().Select(secret => new UpstreamKey(provider, secret.Item, provider.Keys[secret.Index].Weight, Rests))],
        };
        _keys = new(keys, TimeProvider.System, Random.Shared);
    }

    public ProviderConnection Provider { get; }

    /// <summary>Time until the headers of an answer, and longest silence within it.</summary>
    public TimeSpan Timeout => TimeSpan.FromSeconds(Provider.TimeoutSeconds);

    /// <summary>False when the provider has several keys and has just held back or refused all of them. One key alone is always worth a try.</summary>
    public bool HasFreeKey => _keys.HasFree;

    /// <param name="path">From the root, with the version: <c>/v1/chat/completions</c>.</param>
    public HttpRequestMessage Post(string path, ReadOnlyMemory<byte> json, bool stream)
    {
        var request = Request(HttpMethod.Post, path);
        request.Content = new ReadOnlyMemoryContent(json);
        request.Content.Headers.ContentType = Json;
        request.Headers.TryAddWithoutValidation("Accept", stream ? "text/event-stream" : "application/json");
        return request;
    }

    /// <summary>The name of the key that a call now would go out with.</summary>
    public string NextKey() => _keys.Next().Name;

    /// <summary>A request with nothing but our credential. Throws <see cref="ProblemException"/> (400) for a path that <see cref="UpstreamPath"/> refuses.</summary>
    /// <param name="path">From the root, with the version, escaped; a query may follow.</param>
    /// <param name="keyName">The key that must be used; null for the one whose turn it is.</param>
    public HttpRequestMessage Request(HttpMethod method, string path, string? keyName = null)
    {
        var key = keyName is null ? _keys.Next() : _keys.Named(keyName);
        var address = key.Address(path) ?? throw new ProblemException(Problems.Invalid(null, "The path of the request is not one that can be sent to a provider."));
        var request = new UpstreamRequest(method, address) { Key = _keys.IsSingle ? null : (_keys, key), Trusted = !Provider.Tenant };
        if (key.Header is { } header)
            request.Headers.TryAddWithoutValidation(header.Name, header.Value);
        return request;
    }

    static readonly MediaTypeHeaderValue Json = new("application/json");

    public static HttpMessageInvoker NewClient(PrivateHosts? allowed = null) => UpstreamClient.New(allowed ?? PrivateHosts.None);
}
