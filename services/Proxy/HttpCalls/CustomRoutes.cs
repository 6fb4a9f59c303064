using LlmGateway.Contracts;
using LlmGateway.Contracts.Expressions;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Proxy;

/// <summary>
/// Routes that projects have made themselves. They get what no route of the gateway takes, so none can stand in the way of one. Whose they
/// are is known by the caller's credential; without one there are those for everybody, at their hosts.
/// </summary>
public sealed class CustomRoutes(HttpCalls calls, OpenHosts hosts, LedgerClock clock)
{
    /// <summary>The route of all of them, for the usage record. Which one it was stands in the place of the model.</summary>
    const string Endpoint = "/{**path}";

    public static void Map(WebApplication app)
    {
        var own = new OwnMethods(app);
        app.MapFallback(Endpoint, (HttpContext http, CustomRoutes routes) => own.InsteadOf(http.Request) is { Count: > 0 } methods
            ? RefuseMethodAsync(http, methods)
            : routes.HandleAsync(http));
    }

    /// <summary>What is a route of the gateway is none of a project's, whatever the method.</summary>
    static Task RefuseMethodAsync(HttpContext http, IReadOnlyList<string> methods)
    {
        http.Response.Headers.Allow = string.Join(", ", methods);
        return Problems.MethodNotAllowed(http).ExecuteAsync(http);
    }

    Task HandleAsync(HttpContext http) =>
        !Permit.TryFindCredential(http.Request, out var credential, out _, out _) ? HandleOpenAsync(http)
        // Backends and members have no routes: to them a path that is not there is just that.
        : credential.StartsWith("sk_", StringComparison.Ordinal) || credential.StartsWith("mt_", StringComparison.Ordinal)
            ? Problems.NoSuchRoute(http).ExecuteAsync(http)
        : calls.HandleAsync(http, Endpoint, caller => Find(http, caller));

    async Task HandleOpenAsync(HttpContext http)
    {
        if (await hosts.EnterAsync(http) is { } nobody)
            await calls.HandleOpenAsync(http, Endpoint, nobody, caller => Find(http, caller));
        else
            await Problems.NoSuchRoute(http).ExecuteAsync(http);
    }

    (HttpCall? Call, Problem? Problem) Find(HttpContext http, Caller caller)
    {
        var target = HttpTarget.Of(http);
        if (caller.Project.Routes.Find(
            http.Request, target.Path, isOpen: caller.Fingerprint == Caller.Unnamed, out var values) is not { } ready)
            return (null, Problems.NoSuchRoute(http));
        var (route, provider) = (ready.Route, ready.Target.Upstream.Provider);
        if (Permit.Check(caller.Credential, ready.Target, route.Id) is { } refused)
            return (null, refused);
        if (caller.Credential.Test && !provider.Sandbox)
            return (null, Problems.LiveOnly);
        if (ready.Expression is not { } expression || ready.Bound is not { } bound)
            return (null, Problems.Unpriced(route.Id));
        var path = ready.Rewrite(target.Path, values) is var rewritten and not "/" ? rewritten : "";
        if (!ready.MayLeadTo(http.Request.Method, path))
            return (null, Problems.ProviderDisabled(provider.Id));
        var address = path + Query(http, ready, target.Query);
        if (!ready.Target.Upstream.Reaches(address))
            return (null, Problems.BadProviderPath);
        return (new(ready.Target, address, bound)
        {
            ReadsBody = route.Unit == CustomRoute.Tokens || expression.ReadsRequestBody,
            NeedsWhole = expression.ReadsAnswer,
            Meter = (body, response) => new RouteMeter(
                route, expression, FactsOf(http, caller, target, expression, body, response),
                response.Content.Headers.ContentType?.MediaType is "text/event-stream"),
            Request = route.Request,
            Response = route.Response,
            Identity = route.Identity ? CallerNames.Of(caller.Credential) : null,
        }, null);
    }

    static string Query(HttpContext http, ReadyRoute ready, string sent)
    {
        var (upstream, changes) = (ready.Target.Upstream, ready.Route.Request);
        var query = HttpTarget.Without(sent, (name, value) => ProviderRoutes.IsOurs(http, upstream, name, value)
            || changes?.DeleteQuery?.Contains(name, StringComparer.Ordinal) == true
            || changes?.SetQuery?.ContainsKey(name) == true);
        foreach (var (name, value) in changes?.SetQuery ?? new Dictionary<string, string>())
            query = $"{query}{(query.Length == 0 ? '?' : '&')}{Uri.EscapeDataString(name)}={Uri.EscapeDataString(value)}";
        return query;
    }

    /// <summary>What an expression does not read is not put together.</summary>
    Facts FactsOf(
        HttpContext http, Caller caller, HttpTarget target, MeteringExpression expression, HttpBody body, HttpResponseMessage response)
    {
        var (user, plan, key) = CallerNames.Of(caller.Credential);
        return new()
        {
            Method = http.Request.Method,
            Path = target.Path,
            Query = expression.Reads("query")
                ? http.Request.Query.ToDictionary(pair => pair.Key, pair => pair.Value.ToString(), StringComparer.Ordinal)
                : Nothing,
            Headers = expression.Reads("headers")
                ? http.Request.Headers.ToDictionary(pair => pair.Key, pair => pair.Value.ToString(), StringComparer.OrdinalIgnoreCase)
                : Nothing,
            RequestBody = body.Whole,
            UserId = user,
            PlanId = plan,
            KeyId = key,
            Now = clock.Now,
            Status = (int)response.StatusCode,
            ResponseHeaders = expression.Reads("respHeaders")
                ? response.Headers.Concat(response.Content.Headers).ToDictionary(
                    pair => pair.Key, pair => string.Join(", ", pair.Value), StringComparer.OrdinalIgnoreCase)
                : Nothing,
        };
    }

    static readonly IReadOnlyDictionary<string, string> Nothing = new Dictionary<string, string>();
}
