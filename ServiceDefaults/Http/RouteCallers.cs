using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace LlmGateway.ServiceDefaults;

/// <summary>
/// Who may call which route of a service: method and pattern, as the route was mapped, and the names of the callers. The names stop a
/// service that calls by mistake or was talked into it; they do not stop one that has been taken over, which has the keys to sign as any.
/// </summary>
public sealed class RouteCallers : Dictionary<string, string[]>
{
    public RouteCallers()
        : base(StringComparer.Ordinal)
    {
    }

    /// <summary>As the table names it.</summary>
    public static string NameOf(string method, RouteEndpoint route) => $"{method} {route.RoutePattern.RawText?.TrimEnd('/')}";

    /// <summary>Where no route matches, any caller learns that.</summary>
    public bool Accept(HttpContext http, string caller) =>
        http.GetEndpoint() is not RouteEndpoint route
        || (TryGetValue(NameOf(http.Request.Method, route), out var callers) && callers.Contains(caller));
}
