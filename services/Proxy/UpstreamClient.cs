using System.Net;

namespace LlmGateway.Proxy;

/// <summary>A request to a provider, with what its answer may say something about.</summary>
public sealed class UpstreamRequest(HttpMethod method, Uri address) : HttpRequestMessage(method, address)
{
    /// <summary>The provider and the key that the request goes out with; null when the provider has only one, which never rests.</summary>
    public (KeyRing Ring, UpstreamKey Key)? Key { get; init; }
}

/// <summary>The way out to all providers. It sees every answer, so that no caller can forget to let a refused key rest.</summary>
public sealed class UpstreamClient() : DelegatingHandler(NewSockets())
{
    /// <summary>One pool of connections for all providers.</summary>
    public static HttpMessageInvoker New() => new(new UpstreamClient());

    protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        var answer = base.SendAsync(request, cancellationToken);
        return request is UpstreamRequest { Key: { } used } ? ListenAsync(used.Ring, used.Key, answer) : answer;
    }

    static async Task<HttpResponseMessage> ListenAsync(KeyRing ring, UpstreamKey key, Task<HttpResponseMessage> answer)
    {
        var response = await answer;
        ring.Answered(key, response);
        return response;
    }

    /// <summary>No redirects, no cookies, no proxy of the environment: a call goes where the configuration says, or fails.</summary>
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
