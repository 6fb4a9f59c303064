using LlmGateway.ServiceDefaults;

namespace LlmGateway.Proxy.Gemini;

/// <summary><c>POST /v1beta/models/{model}:countTokens</c>, free of charge: the provider's own count where it speaks this wire, else our estimate.</summary>
public sealed class GeminiTokens(Identity identity, KeyUse keys, Rates rates, Forwarding forwarding)
{
    const int MaxAnswerBytes = 64 * 1024;

    public async Task HandleAsync(HttpContext http, GeminiTarget target)
    {
        var (caller, problem) = await identity.IdentifyAsync(http);
        problem ??= Permit.CheckInference(caller!.Credential);
        if (problem is not null)
        {
            await problem.ExecuteAsync(http);
            return;
        }
        keys.Record(caller!.Credential);
        using var body = await RequestBody.ReadAsync(http);
        if (caller!.Project.Find(target.Model) is not { } route)
            problem = Problems.UnknownModel(target.Model);
        else
        {
            problem = Permit.Check(caller.Credential, route, target.Model);
            var counted = GeminiCountRequest.Read(body.Memory.Span);
            // Counted as a request, so that a rate limit holds here too; its tokens are nobody's.
            if (problem is null && (await rates.TakeAsync(caller.Credential, 0, http.RequestAborted)).Exceeded is { } exceeded)
                problem = Rates.Refusal(exceeded);
            if (problem is null)
                problem = await AnswerAsync(http, route, counted, body.Memory);
        }
        if (problem is not null)
            await problem.ExecuteAsync(http);
    }

    async Task<Problem?> AnswerAsync(HttpContext http, Route route, GeminiCountRequest counted, ReadOnlyMemory<byte> body)
    {
        if (Wires.Of(route.Upstream.Provider.Wire, Wires.Gemini) != Wires.Gemini)
        {
            await http.Response.WriteAsJsonAsync(new { totalTokens = TokenEstimate.OfRequest(counted.Counted(body.Span)) }, http.RequestAborted);
            return null;
        }
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(http.RequestAborted);
        patience.CancelAfter(route.Upstream.Timeout);
        try
        {
            var path = $"{GeminiWire.PathOf(route.Model.UpstreamModel)}:{GeminiTarget.CountTokens}";
            var sent = counted.Rewrite(body, route.Model.UpstreamModel);
            var (response, problem) = await forwarding.SendAsync(route.Upstream, () => route.Upstream.Post(path, sent, stream: false), patience.Token);
            if (response is null)
                return problem;
            using (response)
            {
                using var answer = await AnswerBody.ReadAsync(response, MaxAnswerBytes, truncate: !response.IsSuccessStatusCode, patience.Token);
                if (!response.IsSuccessStatusCode)
                    return OpenAi.UpstreamErrors.Map((int)response.StatusCode, answer.Memory.Span, (int?)response.Headers.RetryAfter?.Delta?.TotalSeconds);
                http.Response.ContentType = "application/json";
                await http.Response.BodyWriter.WriteAsync(answer.Memory, http.RequestAborted);
                return null;
            }
        }
        catch (OperationCanceledException) when (!http.RequestAborted.IsCancellationRequested)
        {
            return Problems.Upstream(504, "upstream_timeout", "The provider did not answer in time.");
        }
        catch (Exception e) when (e is IOException or HttpRequestException && !http.Response.HasStarted)
        {
            return Problems.Upstream(502, "upstream_interrupted", "The provider broke off its answer.");
        }
    }
}
