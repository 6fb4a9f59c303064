namespace LlmGateway.Proxy;

/// <summary>
/// The path at which each wire is served. The version may be left out, because people paste base URLs with and without it.
/// </summary>
public static class InferenceRoutes
{
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

    /// <summary>Length of <c>/v1</c>.</summary>
    const int Version = 3;

    /// <summary>
    /// Answers calls before routing sees them, because routing would add to the cost of every request. It must be called before
    /// <c>UseRouting</c>.
    /// </summary>
    public static void UseInference(this WebApplication app)
    {
        var inference = app.Services.GetRequiredService<Inference>();
        app.Use(next => http => HttpMethods.IsPost(http.Request.Method) && Find(http.Request.Path.Value ?? "") is var (path, wire)
            ? inference.HandleAsync(http, wire, default, path)
            : next(http));
    }

    /// <summary>
    /// Maps what <see cref="UseInference"/> does not match. Routing refuses other methods with a 405, and it finds paths in another case or
    /// with a slash at the end.
    /// </summary>
    public static void MapInference(this WebApplication app)
    {
        var inference = app.Services.GetRequiredService<Inference>();
        foreach (var (path, wire) in Routes)
            foreach (var spelling in (string[])[path, path[Version..]])
                app.MapPost(spelling, http => inference.HandleAsync(http, wire, default, path));
    }

    static (string Path, Wire Wire)? Find(string asked)
    {
        foreach (var (path, wire) in Routes)
            if (asked.Length == path.Length ? asked == path : asked.AsSpan().SequenceEqual(path.AsSpan(Version)))
                return (path, wire);
        return null;
    }
}
