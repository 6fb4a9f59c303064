using System.Net;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Proxy;

/// <summary>A request to a provider, with what its answer may concern.</summary>
public sealed class UpstreamRequest(HttpMethod method, Uri address) : HttpRequestMessage(method, address)
{
    /// <summary>The provider's keys and the key of this request; null when the provider has only one key, which never rests.</summary>
    public (KeyRing Ring, UpstreamKey Key)? Key { get; init; }

    /// <summary>The operator set the address, so it may be private.</summary>
    public bool Trusted { get; init; }
}

/// <summary>
/// Sends requests to all providers. It sees every answer, so no caller can forget to let a refused key rest. Addresses that tenants set
/// have a connection pool of their own, which reaches only public addresses: tenants must not use connections that an operator's provider
/// opened. A request of unknown origin is treated as a tenant's.
/// </summary>
public sealed class UpstreamClient(HttpMessageHandler trusted, HttpMessageHandler guarded) : HttpMessageHandler
{
    readonly HttpMessageInvoker _trusted = new(trusted), _guarded = new(guarded);

    public static HttpMessageInvoker New(PrivateHosts allowed)
    {
        var guarded = NewSockets();
        guarded.ConnectCallback = new GuardedConnections(allowed).ConnectAsync;
        return new(new UpstreamClient(NewSockets(), guarded));
    }

    protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        var upstream = request as UpstreamRequest;
        var answer = (upstream is { Trusted: true } ? _trusted : _guarded).SendAsync(request, cancellationToken);
        return upstream is { Key: { } used } ? ListenAsync(used.Ring, used.Key, answer) : answer;
    }

    protected override void Dispose(bool disposing)
    {
        _trusted.Dispose();
        _guarded.Dispose();
        base.Dispose(disposing);
    }

    static async Task<HttpResponseMessage> ListenAsync(KeyRing ring, UpstreamKey key, Task<HttpResponseMessage> answer)
    {
        var response = await answer;
        ring.Answered(key, response);
        return response;
    }

    /// <summary>No redirects, no cookies, no proxy of the environment: a call goes to the configured address or fails.</summary>
    static SocketsHttpHandler NewSockets() => new()
    {
        // Providers get no trace headers of ours, and requests no activity: Forwarding makes the span that says something.
        ActivityHeadersPropagator = null,
        AllowAutoRedirect = false,
        AutomaticDecompression = DecompressionMethods.None,
        ConnectTimeout = TimeSpan.FromSeconds(5),
        EnableMultipleHttp2Connections = true,
        PooledConnectionIdleTimeout = TimeSpan.FromSeconds(60),
        PooledConnectionLifetime = TimeSpan.FromMinutes(10),
        MaxResponseHeadersLength = 64,
        UseCookies = false,
        UseProxy = false,
    };
}
