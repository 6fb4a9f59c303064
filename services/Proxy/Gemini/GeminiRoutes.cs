using LlmGateway.ServiceDefaults;

namespace LlmGateway.Proxy.Gemini;

/// <summary>The calls of the Gemini wire. They go around routing, whose patterns cannot say a model with slashes before a colon.</summary>
public static class GeminiRoutes
{
    static readonly ProblemBody ErrorBody = Wires.Gemini.WriteError;

    /// <summary>Call before <c>UseRouting</c>.</summary>
    public static void UseGemini(this WebApplication app)
    {
        var inference = app.Services.GetRequiredService<Inference>();
        var counting = app.Services.GetRequiredService<GeminiTokens>();
        app.Use(next => http =>
        {
            if (!HttpMethods.IsPost(http.Request.Method) || http.Request.Path.Value is not { } path || !GeminiTarget.TryRead(path, out var target))
                return next(http);
            http.SetProblemBody(ErrorBody);
            if (target.Method == GeminiTarget.CountTokens)
                return counting.HandleAsync(http, target);
            var stream = target.Method == GeminiTarget.Stream;
            return inference.HandleAsync(http, Wires.Gemini, new(target.Model, stream, Sse: stream && http.Request.Query["alt"] == "sse"), target.Endpoint);
        });
    }
}
