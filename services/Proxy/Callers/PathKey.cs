namespace LlmGateway.Proxy;

/// <summary>
/// A key in the path, <c>/k/{key}/v1/…</c>, for tools that know only a base URL. It goes before one in a header, because such tools send
/// some text there. Only keys that were made for it are accepted: paths land in logs of whatever stands before the gateway.
/// </summary>
public static class PathKey
{
    /// <summary>Null where the path has none.</summary>
    public static string? Of(HttpContext http) => http.Items.TryGetValue(typeof(PathKey), out var key) ? (string?)key : null;

    /// <summary>Takes the key off the path, and has no one keep the answer or pass the address on.</summary>
    public static void UsePathKeys(this WebApplication app) => app.Use(next => http =>
    {
        if (PathPrefix.Take(http, "/k/") is { } key)
        {
            http.Items[typeof(PathKey)] = key;
            http.Response.OnStarting(
                static response =>
                {
                    var headers = ((HttpResponse)response).Headers;
                    (headers.CacheControl, headers["Referrer-Policy"]) = ("no-store", "no-referrer");
                    return Task.CompletedTask;
                },
                http.Response);
        }
        return next(http);
    });
}
