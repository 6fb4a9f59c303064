using LlmGateway.Contracts;
using LlmGateway.Contracts.Expressions;

namespace LlmGateway.Proxy;

/// <summary>The routes of one project, the ones that go first before the others; see <see cref="RouteOrder"/>.</summary>
public sealed class RouteTable
{
    readonly ReadyRoute[] _routes;

    /// <param name="find">A provider by its id.</param>
    public RouteTable(IReadOnlyList<CustomRoute> routes, Func<string, Upstream?> find)
    {
        var ready = new List<(CustomRoute Route, RoutePattern Pattern)>();
        foreach (var route in routes)
            // What is stored may be older than a rule. Such a route takes nothing.
            if (route.Enabled && find(route.Provider) is not null && RoutePattern.TryRead(route.Match, route.Path, out var pattern, out _))
                ready.Add((route, pattern));
        ready.Sort(RouteOrder.Compare);
        _routes = [.. ready.Select(one => new ReadyRoute(one.Route, one.Pattern, find(one.Route.Provider)!))];
    }

    public bool IsEmpty => _routes.Length == 0;

    /// <param name="path">Escaped, as it was sent.</param>
    /// <param name="values">What stands at the names of the route's pattern.</param>
    /// <param name="isOpen">Only those that everybody may call.</param>
    public ReadyRoute? Find(HttpRequest request, string path, bool isOpen, out IReadOnlyDictionary<string, string> values)
    {
        values = null!;
        foreach (var route in _routes)
            if ((!isOpen || route.Route.Public) && route.Takes(request) && route.Pattern.Matches(path, out var found))
            {
                values = found;
                return route;
            }
        return null;
    }
}

/// <summary>A route with all that is made of it once.</summary>
public sealed class ReadyRoute(CustomRoute route, RoutePattern pattern, Upstream upstream)
{
    readonly Lazy<MeteringExpression?> _expression =
        new(() => MeteringExpression.TryParse(route.Meter, out var expression, out _) ? expression : null);

    public CustomRoute Route => route;
    public RoutePattern Pattern => pattern;

    /// <summary>Null where what is stored is older than a rule of the language.</summary>
    public MeteringExpression? Expression => _expression.Value;

    /// <summary>
    /// The provider, with the route in the place of a model. The wallet pays where units have a price, and quota where they are tokens.
    /// </summary>
    public Route Target { get; } = new(
        new(route.Id, "route", route.Provider, "", 0, 0, null, PricesOf(route)), upstream)
    {
        QueryType = upstream.QueryType,
        PaidBy = Payers.Credits | (route.Price is null ? Payers.Nothing : Payers.Wallet)
            | (route.Unit == CustomRoute.Tokens ? Payers.Quota : Payers.Nothing),
    };

    /// <summary>What an answer may be worth at most. Null where that is not known.</summary>
    public UpperBound? Bound => route.Bound(Expression?.Constant) is not { } most ? null
        : route.Unit == CustomRoute.Tokens ? UpperBound.OfTokens(most, route.Price)
        : UpperBound.OfRequests(most, route.Price);

    public bool Takes(HttpRequest request) =>
        route.TakesMethod(request.Method)
        && (route.Host is null || IsHost(request.Host.Host, route.Host))
        && (route.Headers is null || route.Headers.All(wanted => request.Headers.TryGetValue(wanted.Key, out var sent)
            && (wanted.Value == "*" || sent.ToString() == wanted.Value)));

    /// <summary>
    /// A call's route leads at a provider of the operator's no further than raw calls do, which a project's customers have anyway. It is
    /// asked at each call, because the provider may be another one than when the route was saved.
    /// </summary>
    /// <param name="path">At the provider.</param>
    public bool MayLeadTo(string method, string path) => !route.Tenant || upstream.Provider.Tenant
        || (route is { Public: false, Request: null } && ProviderRoutes.Takes(upstream, method, path));

    static bool IsHost(string asked, string wanted) => wanted is ['*', .. var parent]
        ? asked.EndsWith(parent, StringComparison.OrdinalIgnoreCase) && !asked.AsSpan(0, asked.Length - parent.Length).Contains('.')
            && asked.Length > parent.Length
        : string.Equals(asked, wanted, StringComparison.OrdinalIgnoreCase);

    /// <summary>Tokens that a provider counts apart cost the same.</summary>
    static Prices PricesOf(CustomRoute route)
    {
        var each = route.Price ?? new Rate(0);
        return route.Unit == CustomRoute.Tokens ? new() { Input = each, Output = each } : new() { PerRequest = each };
    }

    /// <summary>The path at the provider.</summary>
    public string Rewrite(string path, IReadOnlyDictionary<string, string> values) =>
        route.Rewrite is not { } template ? path
        : values.Aggregate(template, (text, value) => text.Replace($"{{{value.Key}}}", value.Value, StringComparison.Ordinal));
}
