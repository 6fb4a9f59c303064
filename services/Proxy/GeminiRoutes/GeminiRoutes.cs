using Microsoft.AspNetCore.Http.Features;

namespace LlmGateway.Proxy.Gemini;

/// <summary>
/// The routes of the Gemini wire. They bypass routing, whose patterns cannot express a model with slashes before a colon.
/// </summary>
public static class GeminiRoutes
{
    /// <summary>Call before <c>UseRouting</c>.</summary>
    public static void UseGemini(this WebApplication app)
    {
        var inference = app.Services.GetRequiredService<Inference>();
        var counting = app.Services.GetRequiredService<CountTokens>();
        app.Use(next => http =>
        {
            if (!HttpMethods.IsPost(http.Request.Method) || http.Request.Path.Value is not { } path || !GeminiTarget.TryRead(path, out _)
                || !GeminiTarget.TryRead(
                    GeminiTarget.PathOf(http.Features.GetRequiredFeature<IHttpRequestFeature>().RawTarget), out var target))
                return next(http);
            if (target.Method == GeminiTarget.CountTokens)
                return counting.HandleAsync(http, Wires.Gemini, body => Count(target.Model, body));
            var stream = target.Method == GeminiTarget.Stream;
            var wire = target.Method switch
            {
                GeminiTarget.Embed => Wires.GeminiEmbedding,
                GeminiTarget.EmbedBatch => Wires.GeminiEmbeddings,
                _ => Wires.Gemini,
            };
            return inference.HandleAsync(
                http, wire, new(target.Model, stream, Sse: stream && http.Request.Query["alt"] == "sse"), target.Endpoint);
        });
    }

    static CountCall Count(string model, ReadOnlyMemory<byte> body)
    {
        var request = CountRequest.Read(body.Span);
        return new(
            model,
            offer => ($"{GeminiWire.PathOf(offer.UpstreamModel)}:{GeminiTarget.CountTokens}", request.Rewrite(body, offer.UpstreamModel)),
            request.Counted(body),
            count => new { totalTokens = count });
    }
}
