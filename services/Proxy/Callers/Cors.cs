using LlmGateway.ServiceDefaults;

namespace LlmGateway.Proxy;

/// <summary>
/// Cross-origin rules. A preflight carries no credential, so the union of all projects' lists decides it, unless the address has a key:
/// then its project's list does. The real request is checked against the list of its own project (Permit). Credentials travel in headers,
/// never in cookies, so the answer allows no cookies.
/// </summary>
public sealed class Cors(Identity identity, SessionsClient sessions, TimeProvider time)
{
    const string ExposedHeaders =
        "X-Request-Id, request-id, X-LLMGateway-Cost, X-LLMGateway-Used, X-LLMGateway-Model, X-LLMGateway-Provider, "
        + "X-LLMGateway-Ignored, X-Query-Type, Idempotent-Replayed, Retry-After, x-should-retry, Mcp-Session-Id, "
        + "X-RateLimit-Limit-Requests, X-RateLimit-Remaining-Requests, X-RateLimit-Reset-Requests, "
        + "X-RateLimit-Limit-Tokens, X-RateLimit-Remaining-Tokens, X-RateLimit-Reset-Tokens";

    static readonly TimeSpan MaxAge = TimeSpan.FromSeconds(5);

    sealed record Known(SessionsClient.AllowedOrigins Allowed, long At);

    readonly Lock _lock = new();
    Known? _known;
    Task<Known>? _asking;

    public Task InvokeAsync(HttpContext http, RequestDelegate next) =>
        http.Request.Headers.Origin.ToString() is { Length: > 0 } origin ? InvokeAsync(http, origin, next) : next(http);

    async Task InvokeAsync(HttpContext http, string origin, RequestDelegate next)
    {
        var headers = http.Response.Headers;
        headers.Vary = "Origin";
        if (HttpMethods.IsOptions(http.Request.Method) && http.Request.Headers.ContainsKey("Access-Control-Request-Method"))
        {
            if (!await MayAskAsync(http, origin))
            {
                await Problems.WriteAsync(http, Problems.ForbiddenOrigin);
                return;
            }
            headers.AccessControlAllowOrigin = origin;
            headers.AccessControlAllowMethods = "GET, POST, PATCH, PUT, DELETE";
            headers.AccessControlAllowHeaders = http.Request.Headers["Access-Control-Request-Headers"].ToString() is { Length: > 0 } asked
                ? asked
                : "Authorization, Content-Type";
            headers.AccessControlMaxAge = "600";
            http.Response.StatusCode = StatusCodes.Status204NoContent;
            return;
        }
        // Pages of other origins may read refusals, so that they can show the reason. Only the refusal of a forbidden origin is unreadable.
        http.Response.OnStarting(() =>
        {
            if (!http.Items.ContainsKey(nameof(Problems.ForbiddenOrigin)))
            {
                headers.AccessControlAllowOrigin = origin;
                headers.AccessControlExposeHeaders = ExposedHeaders;
            }
            return Task.CompletedTask;
        });
        await next(http);
    }

    /// <summary>Marks the answer as unreadable for pages of another origin.</summary>
    public static void Forbid(HttpContext http) => http.Items[nameof(Problems.ForbiddenOrigin)] = true;

    async Task<bool> MayAskAsync(HttpContext http, string origin)
    {
        if (!http.Request.QueryString.HasValue)
            return await IsAllowedAsync(origin);
        var (caller, problem) = await identity.IdentifyAsync(http);
        // A page may ask with a key that is refused for another reason, to read that.
        return caller is not null || (problem != Problems.ForbiddenOrigin && await IsAllowedAsync(origin));
    }

    async Task<bool> IsAllowedAsync(string origin)
    {
        var known = Volatile.Read(ref _known);
        if (known is not null && time.GetElapsedTime(known.At) <= MaxAge)
            return Allows(known, origin);
        var asking = AskOnceAsync();
        // While Sessions hangs, a preflight that the last list allows does not wait for the end of the question. None is refused by it.
        return (known is not null && Allows(known, origin)) || Allows(await asking, origin);
    }

    static bool Allows(Known known, string origin) =>
        known.Allowed.Any || known.Allowed.Origins.Contains(origin, StringComparer.Ordinal);

    /// <summary>One question at a time, however many preflights wait for its answer.</summary>
    Task<Known> AskOnceAsync()
    {
        lock (_lock)
            return _asking is { IsCompleted: false } asking ? asking : _asking = AskAsync();
    }

    /// <summary>
    /// While Sessions is away the last list goes on. A preflight only says whether a page may ask: the real request is checked with its
    /// credential.
    /// </summary>
    async Task<Known> AskAsync()
    {
        SessionsClient.AllowedOrigins allowed;
        try
        {
            allowed = await sessions.OriginsAsync() ?? new(false, []);
        }
        catch (Exception e) when (_known is not null && Problems.IsOutage(e))
        {
            allowed = _known.Allowed;
        }
        var known = new Known(allowed, time.GetTimestamp());
        Volatile.Write(ref _known, known);
        return known;
    }
}

public static class CrossOrigin
{
    public static void UseCrossOrigin(this WebApplication app)
    {
        var cors = app.Services.GetRequiredService<Cors>();
        app.Use(next => http => cors.InvokeAsync(http, next));
    }
}
