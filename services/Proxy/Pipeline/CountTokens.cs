using System.Text.Json;
using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Proxy;

/// <summary>A request to count input tokens, in the terms of one wire.</summary>
/// <param name="Model">The model as the caller named it.</param>
/// <param name="ForProvider">Path and body for a provider of the same wire.</param>
/// <param name="Counted">The request whose texts are counted here, when the provider speaks another wire.</param>
/// <param name="Answer">Writes our own count as an answer.</param>
public sealed record CountCall(
    string Model,
    Func<ModelOffer, (string Path, ReadOnlyMemory<byte> Body)> ForProvider,
    ReadOnlyMemory<byte> Counted,
    Func<long, object> Answer)
{
    /// <summary>The reason why a model would not take the request that is counted. The flag says that its provider speaks the caller's
    /// wire.</summary>
    public Func<ModelOffer, bool, Problem?> Refusal { get; init; } = (_, _) => null;
}

/// <summary>
/// <c>POST /v1/messages/count_tokens</c> and <c>:countTokens</c>. The call is free and holds nothing. A provider of the caller's wire is
/// asked; for other providers our own estimate is the answer.
/// </summary>
public sealed class CountTokens(Entrance entrance, BodyBudget bodies, Forwarding forwarding)
{
    const int MaxAnswerBytes = 64 * 1024;

    /// <exception cref="ProblemException">The request is refused, or the provider failed.</exception>
    public async Task HandleAsync(HttpContext http, Wire wire, Func<ReadOnlyMemory<byte>, CountCall> read)
    {
        var caller = await entrance.EnterAsync(http, wire);
        using var body = await RequestBody.ReadAsync(http, bodies, caller.Owner);
        var call = Read(read, body.Memory);
        var route = caller.Project.Find(call.Model) ?? throw new ProblemException(Problems.UnknownModel(call.Model));
        if (Permit.Check(caller.Credential, route, call.Model) is { } refused)
            throw new ProblemException(refused);
        var passes = wire.Speaks(route.Upstream.Provider.Wire);
        if (call.Refusal(route.Model, passes) is { } refusal)
            throw new ProblemException(refusal);
        var answer = passes
            ? await AskAsync(http, wire, route, call)
            : JsonSerializer.SerializeToUtf8Bytes(call.Answer(TokenEstimate.OfRequest(call.Counted.Span)));
        http.Response.ContentType = "application/json";
        http.Response.ContentLength = answer.Length;
        await http.Response.BodyWriter.WriteAsync(answer, http.RequestAborted);
    }

    static CountCall Read(Func<ReadOnlyMemory<byte>, CountCall> read, ReadOnlyMemory<byte> body)
    {
        try
        {
            return read(body);
        }
        catch (JsonException e)
        {
            throw new ProblemException(Problems.NotValidJson(e));
        }
    }

    async Task<byte[]> AskAsync(HttpContext http, Wire wire, Route route, CountCall call)
    {
        using var patience = http.RequestAborted.WithTimeout(route.Upstream.Timeout);
        var (path, sent) = call.ForProvider(route.Model);
        try
        {
            var (response, problem) = await forwarding.SendAsync(
                route.Upstream, () => wire.Post(http, route.Upstream, path, sent, stream: false, route.Model), patience.Token);
            using (response)
            {
                if (response is null)
                    throw new ProblemException(problem!);
                using var answer = await AnswerBody.ReadAsync(response, MaxAnswerBytes, truncate: true, patience.Token);
                // What is told with 200 may be an error, too.
                return response.IsSuccessStatusCode
                    ? route.Upstream.Secrets.Hide(answer.Memory.Span)
                    : throw new ProblemException(UpstreamErrors.Of(route.Upstream, response, answer.Memory.Span));
            }
        }
        catch (OperationCanceledException) when (!http.RequestAborted.IsCancellationRequested)
        {
            throw new ProblemException(UpstreamErrors.TimedOut);
        }
        catch (IOException)
        {
            throw new ProblemException(UpstreamErrors.Interrupted);
        }
    }
}
