namespace LlmGateway.Proxy;

public static class InferenceRoutes
{
    /// <summary>Where each wire is served, also without the version: people paste base URLs with and without it.</summary>
    static readonly (string Path, Wire Wire)[] Routes =
    [
        ("/v1/chat/completions", Wires.Chat),
        ("/v1/responses", Wires.Responses),
        ("/v1/messages", Wires.Messages),
        ("/v1/completions", Wires.Completions),
        ("/v1/embeddings", Wires.Embeddings),
        ("/v1/moderations", Wires.Moderations),
        ("/v1/images/generations", Wires.Images),
        ("/v1/audio/speech", Wires.Speech),
        ("/v1/audio/transcriptions", Wires.Transcriptions),
        ("/v1/audio/translations", Wires.Translations),
    ];

    /// <summary>Of <c>/v1</c>.</summary>
    const int Version = 3;

    /// <summary>The hot path does not pass through routing and what comes with it; call before <c>UseRouting</c>. Other methods on these paths do.</summary>
    public static void UseInference(this WebApplication app)
    {
        var inference = app.Services.GetRequiredService<Inference>();
        app.Use(next => http =>
        {
            if (HttpMethods.IsPost(http.Request.Method) && http.Request.Path.Value is { } asked)
                foreach (var (path, wire) in Routes)
                    if (asked.Length == path.Length ? asked == path : asked.Length == path.Length - Version && asked.AsSpan().SequenceEqual(path.AsSpan(Version)))
                        return inference.HandleAsync(http, wire, default, path);
            return next(http);
        });
        foreach (var (route, spoken) in Routes)
            foreach (var spelling in (string[])[route, route[Version..]])
                app.MapPost(spelling, http => inference.HandleAsync(http, spoken, default, route));
    }
}
