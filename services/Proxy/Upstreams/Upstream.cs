using System.Net.Http.Headers;
using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Proxy;

/// <summary>
/// A provider that is ready to be called, with addresses joined and credentials in place. It never receives callers' headers, and callers
/// cannot choose where a call goes.
/// </summary>
public sealed class Upstream
{
    /// <summary>Shared by all copies of the catalogs, and outlives them.</summary>
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
        Secrets = new(provider, secrets);
        // What is stored may be older than the rule for types.
        QueryType = provider.QueryType is { } stored && CallCredits.IsType(stored) ? stored : null;
    }

    public ProviderConnection Provider { get; }

    /// <inheritdoc cref="ProviderConnection.QueryType"/>
    public string? QueryType { get; }

    /// <summary>The header of our credential; null where it is in none.</summary>
    public string? AuthenticationHeader => Provider.AuthType switch
    {
        "bearer" or "basic" => "Authorization",
        "header" => Provider.AuthName,
        _ => null,
    };

    /// <summary>The parameter of our credential in the query; null where it is in none.</summary>
    public string? AuthenticationParameter => Provider.AuthType == "query" ? Provider.AuthName : null;

    /// <summary>What must be hidden wherever the provider's words are passed on.</summary>
    public UpstreamSecrets Secrets { get; }

    /// <summary>Longest wait for the head of an answer, and longest silence within the answer.</summary>
    public TimeSpan Timeout => TimeSpan.FromSeconds(Provider.TimeoutSeconds);

    /// <summary>False when the provider has several keys and all of them rest. A single key is always tried.</summary>
    public bool HasFreeKey => _keys.HasFree;

    /// <param name="path">The path from the root, with the version: <c>/v1/chat/completions</c>.</param>
    public HttpRequestMessage Post(string path, ReadOnlyMemory<byte> json, bool stream)
    {
        var request = Request(HttpMethod.Post, path);
        request.Content = new ReadOnlyMemoryContent(json);
        request.Content.Headers.ContentType = Json;
        request.Headers.TryAddWithoutValidation("Accept", stream ? "text/event-stream" : "application/json");
        return request;
    }

    /// <summary>The name of the key that the next call would use.</summary>
    public string NextKey() => _keys.Next().Name;

    /// <summary>
    /// A request with only our credential. Throws <see cref="ProblemException"/> (400) for a path that <see cref="UpstreamPath"/> refuses.
    /// </summary>
    /// <param name="path">The path from the root, with the version, escaped. A query may follow.</param>
    /// <param name="keyName">The key to use; null for the next one in turn.</param>
    /// <param name="isOfApi">See <see cref="UpstreamPath.TryJoin"/>.</param>
    public HttpRequestMessage Request(HttpMethod method, string path, string? keyName = null, bool isOfApi = false)
    {
        var key = keyName is null ? _keys.Next() : _keys.Named(keyName);
        var address = key.Address(path, isOfApi)
            ?? throw new ProblemException(Problems.Invalid(null, "The path of the request is not one that can be sent to a provider."));
        var request = new UpstreamRequest(method, address) { Key = _keys.IsSingle ? null : (_keys, key), Trusted = !Provider.Tenant };
        if (key.Header is { } header)
            request.Headers.TryAddWithoutValidation(header.Name, header.Value);
        return request;
    }

    /// <summary>The path can be sent to the provider, and leads nowhere else.</summary>
    public bool Reaches(string path) => _keys.Next().Address(path, isOfApi: true) is not null;

    static readonly MediaTypeHeaderValue Json = new("application/json");

    public static HttpMessageInvoker NewClient(PrivateHosts? allowed = null) => UpstreamClient.New(allowed ?? PrivateHosts.None);
}
