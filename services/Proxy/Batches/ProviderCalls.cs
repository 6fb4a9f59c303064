using System.Buffers;
using System.Net;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Proxy.Batches;

/// <summary>A call about something that a provider keeps. It uses the key that the object was made with.</summary>
/// <param name="Http">The caller, whose headers of the wire are passed on; null for background work.</param>
/// <param name="Path">The path from the provider's root.</param>
public sealed record ProviderCall(HttpContext? Http, Wire Wire, Upstream Upstream, string Key, HttpMethod Method, string Path)
{
    /// <summary>Makes the body for each attempt; null for a call without a body.</summary>
    public Func<HttpContent>? Content { get; init; }

    /// <summary>The object that callers know by our id. Our id replaces the provider's in its error messages.</summary>
    public ProviderObject? About { get; init; }
}

/// <summary>Calls providers about files and batches. Refusals and failures become problems.</summary>
public sealed class ProviderCalls(Forwarding forwarding)
{
    const int MaxErrorBytes = 64 * 1024;

    /// <summary>Largest description of a file or batch. They have about 2 KB.</summary>
    const int MaxAnswerBytes = 1024 * 1024;

    const int PieceBytes = 64 * 1024;

    static readonly JsonSerializerOptions Relaxed = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>The head of a good answer. The caller reads the body and disposes it.</summary>
    /// <exception cref="ProblemException">The provider gave no good answer.</exception>
    public async Task<HttpResponseMessage> SendAsync(ProviderCall call, CancellationToken token)
    {
        using var patience = token.WithTimeout(call.Upstream.Timeout);
        try
        {
            var (response, problem) = await forwarding.SendAsync(call.Upstream, () => Request(call), patience.Token);
            if (response is null)
                throw new ProblemException(problem!);
            if (response.IsSuccessStatusCode)
                return response;
            using (response)
            {
                using var answer = await AnswerBody.ReadAsync(response, MaxErrorBytes, truncate: true, patience.Token);
                throw new ProblemException(Refused(call, response, answer.Memory.Span));
            }
        }
        catch (OperationCanceledException) when (!token.IsCancellationRequested)
        {
            throw new ProblemException(UpstreamErrors.TimedOut);
        }
    }

    /// <summary>An answer that is one JSON object.</summary>
    /// <inheritdoc cref="SendAsync"/>
    public async Task<JsonObject> AskAsync(ProviderCall call, CancellationToken token)
    {
        using var response = await SendAsync(call, token);
        using var patience = token.WithTimeout(call.Upstream.Timeout);
        try
        {
            using var answer = await AnswerBody.ReadAsync(response, MaxAnswerBytes, truncate: false, patience.Token);
            // A batch that failed has the provider's errors in it.
            var json = JsonNode.Parse(call.Upstream.Secrets.Hide(answer.Memory.Span)) as JsonObject;
            return json?["id"]?.GetValueKind() == JsonValueKind.String ? json : throw new ProblemException(UpstreamErrors.Malformed);
        }
        // A duplicate member surfaces as an ArgumentException.
        catch (Exception e) when (e is JsonException or ArgumentException or InvalidOperationException)
        {
            throw new ProblemException(UpstreamErrors.Malformed);
        }
        catch (Exception e) when (e is IOException || (e is OperationCanceledException && !token.IsCancellationRequested))
        {
            throw new ProblemException(UpstreamErrors.Interrupted);
        }
    }

    /// <summary>Passes on content that the provider keeps, byte for byte, at any size.</summary>
    /// <inheritdoc cref="SendAsync"/>
    public async Task PassAsync(HttpContext http, ProviderCall call, string contentType)
    {
        using var response = await SendAsync(call, http.RequestAborted);
        http.Response.ContentType = contentType;
        http.Response.ContentLength = response.Content.Headers.ContentLength;
        await using var kept = await response.Content.ReadAsStreamAsync(http.RequestAborted);
        var buffer = ArrayPool<byte>.Shared.Rent(PieceBytes);
        using var silence = CancellationTokenSource.CreateLinkedTokenSource(http.RequestAborted);
        try
        {
            for (; ; )
            {
                silence.CancelAfter(call.Upstream.Timeout);
                var read = await kept.ReadAsync(buffer, silence.Token);
                if (read == 0)
                    return;
                await http.Response.Body.WriteAsync(buffer.AsMemory(0, read), silence.Token);
            }
        }
        catch (Exception e) when (e is IOException or OperationCanceledException)
        {
            http.Abort(); // half of the content must not look like all of it
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    public static IResult Answer(JsonNode json) => Results.Text(json.ToJsonString(Relaxed), "application/json");

    /// <summary>The body of <see cref="Answer"/>.</summary>
    public static byte[] Bytes(JsonNode json) => JsonSerializer.SerializeToUtf8Bytes(json, Relaxed);

    static HttpRequestMessage Request(ProviderCall call)
    {
        var request = call.Upstream.Request(call.Method, call.Path, call.Key);
        request.Content = call.Content?.Invoke();
        call.Wire.PassHeaders(call.Http, request, model: null);
        return request;
    }

    static Problem Refused(ProviderCall call, HttpResponseMessage response, ReadOnlySpan<byte> body)
    {
        if (response.StatusCode == HttpStatusCode.Conflict)
            return Problems.Conflict("upstream_conflict", "The provider does not do this in the state that it is in.");
        var problem = UpstreamErrors.Of(call.Upstream, response, body);
        if (call.About is not { } known)
            return problem;
        return problem.Status == StatusCodes.Status404NotFound
            ? Problems.NotFound(known.Kind == ProviderObject.File ? "file" : "batch")
            : problem with { Message = problem.Message.Replace(known.ProviderId, known.Id, StringComparison.Ordinal) };
    }
}
