using System.Buffers;
using System.Text.Json;
using LlmGateway.Contracts;
using LlmGateway.Proxy.OpenAi;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Proxy.Anthropic;

/// <summary>
/// <c>POST /v1/messages/count_tokens</c>: how much input a request would be. Free, and nothing is reserved; it counts as a request where requests per minute are limited.
/// Providers of this wire are asked; for others it is our own estimate.
/// </summary>
public sealed class CountTokens(Identity identity, KeyUse keys, Rates rates, Forwarding forwarding)
{
    const int MaxAnswerBytes = 64 * 1024;

    public async Task HandleAsync(HttpContext http)
    {
        http.SetRequestId(Ids.New());
        http.SetProblemBody(Wires.Messages.WriteError);
        http.Response.Headers[AnthropicWire.IdHeader] = http.RequestId();
        var (caller, problem) = await identity.IdentifyAsync(http);
        problem ??= Permit.CheckInference(caller!.Credential);
        if (problem is not null)
        {
            await problem.ExecuteAsync(http);
            return;
        }
        keys.Record(caller!.Credential);
        using var body = await RequestBody.ReadAsync(http);
        var taken = await rates.TakeAsync(caller.Credential, 0, http.RequestAborted);
        Rates.WriteHeaders(taken, http.Response.Headers);
        if (taken.Exceeded is { } exceeded)
        {
            await Rates.Refusal(exceeded).ExecuteAsync(http);
            return;
        }
        await AnswerAsync(http, caller, body.Memory);
    }

    /// <exception cref="ProblemException">The request is refused, or the provider failed.</exception>
    async Task AnswerAsync(HttpContext http, Caller caller, ReadOnlyMemory<byte> body)
    {
        if (!TryRead(body.Span, out var request, out var problem))
            throw new ProblemException(problem!);
        if (Routing.TryRoute(caller, Wires.Messages, request!, out var route, out _) is { } refused)
            throw new ProblemException(refused);
        var passes = Wires.Of(route.Upstream.Provider.Wire, Wires.Messages) == Wires.Messages;
        var answer = passes ? await AskAsync(http, route, request!.Rewrite(body, route.Model.UpstreamModel, request.MaxTokens ?? 0, injectUsage: false)) : Estimate(body.Span);
        http.Response.Headers["X-Request-Id"] = http.RequestId();
        http.Response.ContentType = "application/json";
        http.Response.ContentLength = answer.Length;
        await http.Response.BodyWriter.WriteAsync(answer, http.RequestAborted);
    }

    async Task<byte[]> AskAsync(HttpContext http, Route route, ReadOnlyMemory<byte> body)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(http.RequestAborted);
        patience.CancelAfter(route.Upstream.Timeout);
        try
        {
            var (response, problem) = await forwarding.SendAsync(route.Upstream, () => Post(http, route.Upstream, body), patience.Token);
            using (response)
            {
                if (response is null)
                    throw new ProblemException(problem!);
                using var answer = await AnswerBody.ReadAsync(response, MaxAnswerBytes, truncate: true, patience.Token);
                if (response.IsSuccessStatusCode)
                    return answer.Memory.ToArray();
                throw new ProblemException(UpstreamErrors.Map((int)response.StatusCode, answer.Memory.Span, (int?)response.Headers.RetryAfter?.Delta?.TotalSeconds));
            }
        }
        catch (OperationCanceledException) when (!http.RequestAborted.IsCancellationRequested)
        {
            throw new ProblemException(Problems.Upstream(504, "upstream_timeout", "The provider did not answer in time."));
        }
        catch (IOException)
        {
            throw new ProblemException(Problems.Upstream(502, "upstream_interrupted", "The provider broke off its answer."));
        }
    }

    static HttpRequestMessage Post(HttpContext http, Upstream upstream, ReadOnlyMemory<byte> body)
    {
        var message = upstream.Post(AnthropicWire.CountPath, body, stream: false);
        foreach (var (name, standard) in Wires.Messages.PassedHeaders)
            if (http.Request.Headers[name].ToString() is { Length: > 0 } given)
                message.Headers.TryAddWithoutValidation(name, given);
            else if (standard is not null)
                message.Headers.TryAddWithoutValidation(name, standard);
        return message;
    }

    static byte[] Estimate(ReadOnlySpan<byte> body)
    {
        var answer = new ArrayBufferWriter<byte>();
        using var json = new Utf8JsonWriter(answer);
        json.WriteStartObject();
        json.WriteNumber("input_tokens", TokenEstimate.OfRequest(body));
        json.WriteEndObject();
        json.Flush();
        return answer.WrittenSpan.ToArray();
    }

    static bool TryRead(ReadOnlySpan<byte> body, out ModelRequest? request, out Problem? problem)
    {
        (request, problem) = (null, null);
        try
        {
            request = AnthropicRequestReader.Read(body, counting: true);
            return true;
        }
        catch (ProblemException e)
        {
            problem = e.Problem;
        }
        catch (JsonException e)
        {
            problem = Problems.Malformed($"The body is not valid JSON (line {e.LineNumber + 1}, byte {e.BytePositionInLine + 1}).");
        }
        return false;
    }
}

public static class CountTokensRoutes
{
    public static void MapCountTokens(this WebApplication app)
    {
        var count = app.Services.GetRequiredService<CountTokens>();
        app.MapPost(AnthropicWire.CountPath, count.HandleAsync);
    }
}
