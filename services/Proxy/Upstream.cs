using System.Collections.Concurrent;
using System.Net;
using System.Net.Http.Headers;
using System.Text;
using LlmGateway.Contracts;

namespace LlmGateway.Proxy;

/// <summary>A provider ready to be called: addresses joined, credentials in place. Callers' headers never reach it, nor can they steer where a call goes.</summary>
public sealed class Upstream
{
    readonly string _base;
    readonly string? _query;
    readonly (string Name, string Value)? _header;
    readonly ConcurrentDictionary<string, Uri> _addresses = new();

    public Upstream(ProviderConnection provider, string? secret)
    {
        Provider = provider;
        var address = provider.BaseUrl.TrimEnd('/');
        // People paste the address with and without the version; the wire's paths below carry it.
        _base = address.EndsWith("/v1", StringComparison.Ordinal) ? address[..^3] : address;
        secret ??= "";
        switch (provider.AuthType)
        {
            case "bearer": _header = ("Authorization", $"Bearer {secret}"); break;
            case "header": _header = (provider.AuthName!, secret); break;
            case "query": _query = $"{Uri.EscapeDataString(provider.AuthName!)}={Uri.EscapeDataString(secret)}"; break;
            case "basic": _header = ("Authorization", $"Basic {Convert.ToBase64String(Encoding.UTF8.GetBytes(secret))}"); break;
        }
    }

    public ProviderConnection Provider { get; }

    /// <summary>Time until the headers of an answer, and longest silence within it.</summary>
    public TimeSpan Timeout => TimeSpan.FromSeconds(Provider.TimeoutSeconds);

    /// <param name="path">From the root, with the version: <c>/v1/chat/completions</c>.</param>
    public HttpRequestMessage Post(string path, ReadOnlyMemory<byte> json, bool stream)
    {
        var request = new HttpRequestMessage(HttpMethod.Post, Address(path)) { Content = new ReadOnlyMemoryContent(json) };
        request.Content.Headers.ContentType = Json;
        request.Headers.TryAddWithoutValidation("Accept", stream ? "text/event-stream" : "application/json");
        if (_header is { } header)
            request.Headers.TryAddWithoutValidation(header.Name, header.Value);
        return request;
    }

    /// <summary>A provider has few paths, and making an address of a text is a good part of making a request.</summary>
    Uri Address(string path) => _addresses.GetOrAdd(path, static (path, self) => new(self._query is null ? self._base + path : $"{self._base}{path}?{self._query}"), this);

    static readonly MediaTypeHeaderValue Json = new("application/json");

    /// <summary>One pool of connections for all providers. No redirects, no cookies, no proxy of the environment: a call goes where the configuration says, or fails.</summary>
    public static HttpMessageInvoker NewClient() => new(new SocketsHttpHandler
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
    });
}
