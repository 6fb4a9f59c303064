using System.Diagnostics;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;
using System.Text;
using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Webhooks;

/// <summary>What came of one request to a receiver.</summary>
/// <param name="Status">Of the answer; null where there was none, for the reason <paramref name="Error"/>.</param>
/// <param name="Address">That was connected to.</param>
/// <param name="Answer">Its first 4 KB.</param>
/// <param name="RetryAfter">What the receiver asked for.</param>
public sealed record Outcome(int? Status, string? Error, string? Address, string? Answer, TimeSpan? RetryAfter, TimeSpan Latency)
{
    public bool IsSuccess => Status is >= 200 and < 300;

    /// <summary>The receiver asks for fewer requests, and not only for a later one of this event.</summary>
    public bool IsThrottled => Status is 429 or 503;
}

/// <summary>
/// The way to one endpoint, while a worker holds it. Its connections are its own, go to public addresses alone, and end with it, so that
/// nothing that was checked for one endpoint serves another. No redirects, no cookies, no proxy of the environment, no decompression, no
/// trace of ours.
/// </summary>
public sealed class Receiver : IDisposable
{
    const string NotPublic = "address_not_public";

    const int MaxAnswer = 4096, MaxDrained = 64 * 1024, MaxHeadersKiB = 16;

    static readonly TimeSpan ConnectLimit = TimeSpan.FromSeconds(5), Limit = TimeSpan.FromSeconds(15);

    readonly GuardedConnections _connections;
    readonly Guid _owner;
    readonly HttpMessageInvoker _http;
    readonly TimeProvider _time;
    volatile string? _address;

    /// <param name="owner">The endpoint's organization, whose names are looked up a few at a time.</param>
    public Receiver(GuardedConnections connections, Guid owner, TimeProvider time)
    {
        (_connections, _owner, _time) = (connections, owner, time);
        _http = new(new SocketsHttpHandler
        {
            ActivityHeadersPropagator = null,
            AllowAutoRedirect = false,
            AutomaticDecompression = DecompressionMethods.None,
            ConnectCallback = ConnectAsync,
            ConnectTimeout = ConnectLimit,
            MaxConnectionsPerServer = Lane.MaxWidth,
            MaxResponseDrainSize = MaxDrained,
            MaxResponseHeadersLength = MaxHeadersKiB,
            PooledConnectionLifetime = TimeSpan.FromSeconds(30), // its address is checked so often
            UseCookies = false,
            UseProxy = false,
        });
    }

    /// <summary>
    /// One request. Throws what <paramref name="token"/> cancels, and <see cref="NoPlaceException"/> within, when nobody was asked.
    /// </summary>
    public async Task<Outcome> SendAsync(SignedEvent told, CancellationToken token)
    {
        var started = Stopwatch.GetTimestamp();
        using var limit = token.WithTimeout(Limit);
        try
        {
            using var request = Request(told);
            using var response = await _http.SendAsync(request, limit.Token);
            var answer = await ReadAsync(response, limit.Token);
            var retryAfter = RetryAfter(response.Headers.RetryAfter, _time.GetUtcNow());
            return new((int)response.StatusCode, null, _address, answer, retryAfter, Stopwatch.GetElapsedTime(started));
        }
        catch (Exception e) when (Reason(e) is { } reason && !token.IsCancellationRequested)
        {
            var address = reason == NotPublic ? null : _address;
            return new(null, reason, address, null, null, Stopwatch.GetElapsedTime(started));
        }
    }

    public void Dispose() => _http.Dispose();

    /// <summary>Why there is no answer, and no word more about an address; null is no failure of the receiver.</summary>
    static string? Reason(Exception e) => e switch
    {
        { InnerException: NoPlaceException } => null,
        OperationCanceledException => "timeout",
        NotPublicException or { InnerException: NotPublicException } => NotPublic,
        HttpRequestException { HttpRequestError: HttpRequestError.NameResolutionError } or { InnerException: SocketException
            { SocketErrorCode: SocketError.HostNotFound or SocketError.TryAgain or SocketError.NoData } } => "name_not_found",
        HttpRequestException { HttpRequestError: HttpRequestError.SecureConnectionError } => "tls_failed",
        HttpRequestException or IOException => "connection_failed",
        _ => null,
    };

    static HttpRequestMessage Request(SignedEvent told)
    {
        // The kept text as it is, in UTF-8: what is signed is what is sent.
        var content = new ByteArrayContent(Encoding.UTF8.GetBytes(told.Body));
        content.Headers.ContentType = new("application/json");
        var request = new HttpRequestMessage(HttpMethod.Post, told.Url) { Content = content };
        request.Headers.UserAgent.Add(new ProductInfoHeaderValue("LLMGateway-Webhooks", EventBody.ApiVersion));
        foreach (var (name, value) in told.Headers)
            request.Headers.TryAddWithoutValidation(name, value);
        return request;
    }

    async ValueTask<Stream> ConnectAsync(SocketsHttpConnectionContext context, CancellationToken token)
    {
        var stream = await _connections.ConnectAsync(context, $"{_owner:N}", token);
        var address = ((stream as NetworkStream)?.Socket.RemoteEndPoint as IPEndPoint)?.Address;
        _address = (address is { IsIPv4MappedToIPv6: true } ? address.MapToIPv4() : address)?.ToString();
        return stream;
    }

    /// <summary>Its first bytes as text. The rest of a long one is not read: the connection is closed.</summary>
    static async Task<string> ReadAsync(HttpResponseMessage response, CancellationToken token)
    {
        await using var body = await response.Content.ReadAsStreamAsync(token);
        var bytes = new byte[MaxAnswer];
        var count = await body.ReadAtLeastAsync(bytes, MaxAnswer, throwOnEndOfStream: false, token);
        // PostgreSQL's texts cannot have it.
        return Encoding.UTF8.GetString(bytes, 0, count).Replace('\0', '\uFFFD');
    }

    /// <summary>Seconds or a date; what lies behind is none.</summary>
    static TimeSpan? RetryAfter(RetryConditionHeaderValue? header, DateTimeOffset now) =>
        (header?.Delta ?? header?.Date - now) is { } wait && wait > TimeSpan.Zero ? wait : null;
}

/// <summary>An event, ready to be sent.</summary>
/// <param name="Body">As it is kept.</param>
public sealed record SignedEvent(Uri Url, string Body, IReadOnlyList<(string Name, string Value)> Headers)
{
    public static SignedEvent Of(string url, Guid id, string type, string body, DateTimeOffset at, IReadOnlyList<string> secrets) =>
        new(new(url), body, [.. Signatures.Of(Ids.Show(Ids.Event, id), type, body, at, secrets)]);
}
