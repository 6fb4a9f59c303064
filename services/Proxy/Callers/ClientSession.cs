using Microsoft.AspNetCore.Http.Features;

namespace LlmGateway.Proxy;

/// <summary>
/// Whom a request acts for: a client's own name of a session, such as a phone number. A name in the path goes before one in the header
/// <c>X-Client-Session</c>, and that before <c>metadata.session_id</c> and <c>user</c> of the body.
/// </summary>
public static class ClientSession
{
    public const string Header = "X-Client-Session";

    const string Prefix = "/c/";

    /// <summary>Null where the request names none.</summary>
    public static string? Of(HttpContext http, ModelRequest? request) =>
        Named(http.Items.TryGetValue(typeof(ClientSession), out var inPath) ? (string?)inPath : null)
            ?? Named(http.Request.Headers[Header].ToString()) ?? Named(request?.SessionId) ?? Named(request?.User);

    static string? Named(string? name) => string.IsNullOrWhiteSpace(name) ? null : name;

    /// <summary>
    /// Takes <c>/c/{session}</c> off the path, for tools that know only a base URL. It must be called before whatever reads paths.
    /// </summary>
    public static void UseClientSessions(this WebApplication app) => app.Use(next => http =>
    {
        if (http.Request.Path.Value is { } path && TrySplit(path, out var rest))
        {
            http.Items[typeof(ClientSession)] = path[Prefix.Length..rest];
            http.Request.Path = path[rest..];
            // The Gemini wire reads the address as it was sent.
            var sent = http.Features.GetRequiredFeature<IHttpRequestFeature>();
            if (TrySplit(sent.RawTarget, out rest))
                sent.RawTarget = sent.RawTarget[rest..];
        }
        return next(http);
    });

    /// <param name="rest">Where the path goes on behind the name.</param>
    static bool TrySplit(string path, out int rest)
    {
        rest = path.StartsWith(Prefix, StringComparison.Ordinal) ? path.IndexOf('/', Prefix.Length) : -1;
        return rest > Prefix.Length;
    }
}
