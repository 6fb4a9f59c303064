using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Proxy;

/// <summary>
/// Raw calls of a provider, for callers who pay with call credits:
/// <c>/v1/providers/{providerId}/{**path}</c>, and <c>/api/v1/api-gateway/{providerId}/{**path}?paywall_id=</c> for clients that know that
/// address. Whatever stands behind the provider's id is the path at the provider.
/// </summary>
public sealed class ProviderRoutes(HttpCalls calls)
{
    /// <summary>The model's place in the usage log, in scopes and in selectors of limits: <c>provider/*</c> names a provider's raw calls.
    /// </summary>
    public const string AnyCall = CustomRoute.AnyCall;

    /// <summary>What clients say besides what is for the provider.</summary>
    const string PaywallId = "paywall_id";

    static readonly string[] Methods = ["GET", "POST", "PUT", "PATCH", "DELETE"];

    static readonly (string Pattern, string Before)[] Roots =
    [
        ("/v1/providers/{providerId}/{**path:minlength(1)}", "/v1/providers/"),
        ("/api/v1/api-gateway/{providerId}/{**path}", "/api/v1/api-gateway/"),
    ];

    /// <summary>One raw call costs nothing by price, and a credit where its provider has a type.</summary>
    static readonly Prices NoPrice = new() { PerRequest = new(0) };

    public static void Map(WebApplication app)
    {
        foreach (var (pattern, before) in Roots)
            foreach (var method in Methods)
                app.MapMethods(pattern, [method], (HttpContext http, ProviderRoutes routes) => routes.HandleAsync(http, pattern, before));
    }

    Task HandleAsync(HttpContext http, string pattern, string before)
    {
        http.SetProblemBody(Problems.WriteBodyWithCode);
        return calls.HandleAsync(http, pattern, caller => Find(http, caller, before));
    }

    static (HttpCall? Call, Problem? Problem) Find(HttpContext http, Caller caller, string before)
    {
        var target = HttpTarget.Of(http);
        var id = (string)http.Request.RouteValues["providerId"]!;
        var root = before + id;
        // An address that only means this route after its dots and escapes were resolved is none that a client sends.
        if (!target.Path.StartsWith(root, StringComparison.Ordinal) || target.Path[root.Length..] is not ("" or ['/', ..]))
            return (null, Problems.BadProviderPath);
        if (caller.Project.FindProvider(id) is not { } upstream)
            return (null, Problems.NotFound($"provider: {id}"));
        var path = WithVersion(upstream.Provider.Wire, target.Path[root.Length..]);
        if (!Takes(upstream, http.Request.Method, path))
            return (null, Problems.ProviderDisabled(id));
        var route = new Route(new(AnyCall, "raw", id, "", 0, 0, null, NoPrice), upstream)
        {
            QueryType = upstream.QueryType, PaidBy = Payers.Credits,
        };
        if (Permit.Check(caller.Credential, route, $"{id}/{AnyCall}") is { } refused)
            return (null, refused);
        if (caller.Credential.Test && !upstream.Provider.Sandbox && !route.IsFree)
            return (null, Problems.LiveOnly);
        var address = path + HttpTarget.Without(target.Query, (name, value) => name == PaywallId || IsOurs(http, upstream, name, value));
        return upstream.Reaches(address) ? (new(route, address, UpperBound.OfRequests()), null) : (null, Problems.BadProviderPath);
    }

    /// <summary>The provider takes raw calls there.</summary>
    /// <param name="path">As of <see cref="RawPaths.Allow"/>.</param>
    public static bool Takes(Upstream upstream, string method, string path) =>
        upstream.QueryType is not null && Methods.Contains(method) && RawPaths.Allow(upstream.Provider, method, path);

    /// <summary>As clients name the path of a model's provider: with the version or without.</summary>
    static string WithVersion(string wire, string path) => wire switch
    {
        ProviderWire.Http => path == "/" ? "" : path,
        ProviderWire.Gemini when !path.StartsWith("/v1beta/", StringComparison.Ordinal)
            && !path.StartsWith("/v1/", StringComparison.Ordinal) => $"/v1beta{path}",
        ProviderWire.Gemini => path,
        _ => path.StartsWith("/v1/", StringComparison.Ordinal) ? path : $"/v1{path}",
    };

    /// <summary>A parameter that is for the gateway, or that would stand beside the provider's own credential.</summary>
    public static bool IsOurs(HttpContext http, Upstream upstream, string name, string value) =>
        string.Equals(name, upstream.AuthenticationParameter, StringComparison.OrdinalIgnoreCase)
        || (upstream.Provider.Wire == ProviderWire.Gemini && name is "key" or "access_token")
        || (Permit.TryFindCredential(http.Request, out var credential, out _, out _)
            && value.AsSpan().Contains(credential, StringComparison.Ordinal));
}
