using System.Net;
using LlmGateway.ServiceDefaults;
using Microsoft.AspNetCore.Http.Features;

namespace LlmGateway.Proxy;

/// <summary>
/// A request's body on its way to an HTTP API. It passes as it comes, and then can be sent once; or it was read whole, because something
/// must be known of it before it is sent.
/// </summary>
public sealed class HttpBody : IDisposable
{
    const int PieceBytes = 64 * 1024;

    readonly HttpContext _http;
    readonly RequestBody? _whole;
    readonly TimeProvider _time;
    readonly CancellationTokenSource _ended = new();

    HttpBody(HttpContext http, RequestBody? whole, TimeProvider time) => (_http, _whole, _time) = (http, whole, time);

    /// <summary>Empty when the body passes as it comes.</summary>
    public ReadOnlyMemory<byte> Whole => _whole?.Memory ?? default;

    /// <summary>Its bytes, as far as they have come.</summary>
    public long Bytes { get; private set; }

    public bool CanBeSentOnce => _whole is null && HasBody;

    /// <summary>Why the caller's bytes could not be read, when it was the server that refused them, or they came too slowly.</summary>
    public BadHttpRequestException? Refused { get; private set; }

    /// <summary>As <see cref="RequestBody"/>: the server's own limit is a rate since the beginning, and a body that comes keeps a call from
    /// being silent.</summary>
    TimeSpan LongestTime => RequestBody.LongestTime(_http.Request.ContentLength
        ?? _http.Features.Get<IHttpMaxRequestBodySizeFeature>()?.MaxRequestBodySize ?? Body.MaxBytes);

    bool HasBody => _http.Features.Get<IHttpRequestBodyDetectionFeature>()?.CanHaveBody ?? _http.Request.ContentLength > 0;

    /// <param name="whole">It is needed whole. Small bodies are read whole in any case, so that they can be sent again.</param>
    public static async ValueTask<HttpBody> OpenAsync(HttpContext http, BodyBudget bodies, Guid owner, bool whole, TimeProvider time)
    {
        if (!whole && http.Request.ContentLength is not <= BodyBudget.Small)
            return new(http, null, time);
        var body = await RequestBody.ReadAnyAsync(http, bodies, owner);
        return new(http, body, time) { Bytes = body.Memory.Length };
    }

    /// <summary>Null when the request has no body.</summary>
    /// <param name="moved">Is called for each piece that has come from the caller.</param>
    public HttpContent? NewContent(Action moved) =>
        _whole is not null ? (_whole.Memory.Length > 0 ? new ReadOnlyMemoryContent(_whole.Memory) : null)
        : HasBody ? new Passing(this, moved)
        : null;

    /// <summary>From here on nothing is read of the caller's body: the provider may have answered before its end.</summary>
    public void Dispose()
    {
        _ended.Cancel();
        _ended.Dispose();
        _whole?.Dispose();
    }

    sealed class Passing(HttpBody body, Action moved) : HttpContent
    {
        protected override bool TryComputeLength(out long length)
        {
            length = body._http.Request.ContentLength ?? 0;
            return body._http.Request.ContentLength is not null;
        }

        protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context) =>
            SerializeToStreamAsync(stream, context, CancellationToken.None);

        protected override async Task SerializeToStreamAsync(
            Stream stream, TransportContext? context, CancellationToken cancellationToken)
        {
            using var late = new CancellationTokenSource(body.LongestTime, body._time);
            using var end = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, body._ended.Token, late.Token);
            var reader = body._http.Request.BodyReader;
            try
            {
                // A caller may wait for the first words of the answer before it goes on.
                await stream.FlushAsync(end.Token);
                for (var isDone = false; !isDone;)
                {
                    var read = await reader.ReadAsync(end.Token);
                    var piece = read.Buffer.Slice(0, Math.Min(read.Buffer.Length, PieceBytes));
                    foreach (var segment in piece)
                        await stream.WriteAsync(segment, end.Token);
                    await stream.FlushAsync(end.Token);
                    body.Bytes += piece.Length;
                    moved();
                    isDone = read.IsCompleted && piece.Length == read.Buffer.Length;
                    reader.AdvanceTo(piece.End);
                }
            }
            catch (BadHttpRequestException e)
            {
                body.Refused = e;
                throw;
            }
            catch (OperationCanceledException) when (late.IsCancellationRequested
                && !cancellationToken.IsCancellationRequested && !body._ended.IsCancellationRequested)
            {
                throw body.Refused = new BadHttpRequestException("The body came too slowly.", StatusCodes.Status408RequestTimeout);
            }
        }
    }
}
