namespace LlmGateway.Proxy;

/// <summary>
/// Whom a request acts for: a client's own name of a session, such as a phone number. A name in the path goes before one in the header
/// <c>X-Client-Session</c>, and that before <c>metadata.session_id</c> and <c>user</c> of the body.
/// </summary>
public static class ClientSession
{
    public const string Header = "X-Client-Session";

    /// <summary>Null where the request names none.</summary>
    public static string? Of(HttpContext http, ModelRequest? request) =>
        Named(http.Items.TryGetValue(typeof(ClientSession), out var inPath) ? (string?)inPath : null)
            ?? Named(http.Request.Headers[Header].ToString()) ?? Named(request?.SessionId) ?? Named(request?.User);

    static string? Named(string? name) => string.IsNullOrWhiteSpace(name) ? null : name;

    /// <summary>Takes <c>/c/{session}</c> off the path.</summary>
    public static void UseClientSessions(this WebApplication app) => app.Use(next => http =>
    {
        if (PathPrefix.Take(http, "/c/") is { } session)
            http.Items[typeof(ClientSession)] = session;
        return next(http);
    });
}
