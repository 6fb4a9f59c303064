using LlmGateway.Contracts;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace LlmGateway.ServiceDefaults;

/// <summary>
/// What a secret key or a member must be allowed for each management route: an area of the API, to read or to write it. The route's path
/// says the area and its method the rest, so a new route under a known path has its permission, and one under an unknown path is for who
/// may do all.
/// </summary>
public static class Permissions
{
    /// <summary>By the beginning of a route's path, in whole segments. The longest counts.</summary>
    static readonly (string Path, string Area)[] Areas =
    [
        ("/v1/sessions", "sessions"),
        ("/v1/customers", "customers"),
        ("/v1/customers/{id}/keys", "keys"),
        ("/v1/customers/{id}/limits", "limits"),
        ("/v1/customers/{id}/rates", "limits"),
        ("/v1/customers/{id}/balances", "wallets"),
        ("/v1/wallets", "wallets"),
        ("/v1/wallet", "wallets"),
        ("/v1/wallets/{id}/top-ups", "payments"),
        ("/v1/wallets/{id}/refunds", "payments"),
        ("/v1/wallets/{id}/payment-method", "payments"),
        ("/v1/wallets/{id}/auto-top-up", "payments"),
        ("/v1/promotions", "payments"),
        ("/v1/top-ups", "payments"),
        ("/v1/disputes", "payments"),
        ("/v1/invoices", "invoices"),
        ("/v1/connect", "payouts"),
        ("/v1/alerts", "alerts"),
        ("/v1/config", "config"),
        ("/v1/usage", "usage"),
        ("/v1/webhooks", "webhooks"),
        ("/v1/secret-keys", "secret-keys"),
        ("/v1/members", "members"),
        ("/v1/members/me", "me"),
        ("/v1/audit", "audit"),
        ("/v1/projects", "projects"),
        ("/v1/branding", "projects"),
        ("/v1/providers", "providers"),
        ("/v1/query-types", "providers"),
        ("/v1/models", "models"),
        ("/v1/routes", "routes"),
        ("/v1/plans", "plans"),
        ("/v1/seed", "seed"),
    ];

    /// <summary>Every permission that a key can have, such as <c>wallets:read</c>.</summary>
    public static readonly IReadOnlyList<string> All = [.. Areas.Select(one => one.Area).Distinct().Order(StringComparer.Ordinal)
        .SelectMany(area => (string[])[$"{area}:read", $"{area}:write"])];

    /// <summary>
    /// The first permission of <paramref name="wanted"/> that <paramref name="own"/> lacks, or null: nobody gives what he does not have.
    /// </summary>
    /// <param name="own">Null, as in <paramref name="wanted"/>, is all, also what is not in the table yet.</param>
    public static string? Missing(IReadOnlyList<string>? own, IReadOnlyList<string>? wanted) =>
        own is null ? null
        : wanted is null ? "*"
        : wanted.FirstOrDefault(permission => !own.Contains(permission));

    /// <summary>Of a route under <c>/v1</c>. Null when its path is not in the table.</summary>
    /// <param name="route">Method and pattern, as <see cref="RouteCallers"/> names it.</param>
    public static string? Of(string route)
    {
        var space = route.IndexOf(' ', StringComparison.Ordinal);
        var (method, path) = (route[..space], route[(space + 1)..]);
        var area = Areas.Where(one => path == one.Path || path.StartsWith($"{one.Path}/", StringComparison.Ordinal))
            .OrderByDescending(one => one.Path.Length).Select(one => one.Area).FirstOrDefault();
        return area is null ? null : $"{area}:{(method == HttpMethods.Get ? "read" : "write")}";
    }

    /// <summary>The permission that the caller needs for this call and does not have, or null. A route without one is for keys that may
    /// do all.</summary>
    public static string? Lacking(HttpContext http, Principal? caller) =>
        caller?.Permissions is null || http.GetEndpoint() is not RouteEndpoint route
            ? null
            : Lacking(RouteCallers.NameOf(http.Request.Method, route), caller);

    /// <inheritdoc cref="Lacking(HttpContext, Principal)"/>
    public static string? Lacking(string route, Principal caller) => caller.Permissions is not { } granted ? null
        : Of(route) is not { } needed ? "*"
        : granted.Contains(needed) ? null
        : needed;
}
