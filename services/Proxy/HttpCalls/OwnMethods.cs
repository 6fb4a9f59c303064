using LlmGateway.Contracts;
using Microsoft.AspNetCore.Routing.Template;

namespace LlmGateway.Proxy;

/// <summary>
/// The methods that the gateway's own routes take at a path. Routing says them by itself where no route takes every method, and
/// <see cref="CustomRoutes"/> is one that does.
/// </summary>
public sealed class OwnMethods(IEndpointRouteBuilder app)
{
    /// <summary>Made for the first request: then all routes are there.</summary>
    readonly Lazy<(TemplateMatcher Matcher, IReadOnlyList<string> Methods)[]> _routes = new(() =>
    [
        .. app.DataSources.SelectMany(source => source.Endpoints).OfType<RouteEndpoint>().Select(route => (
            new TemplateMatcher(new(route.RoutePattern), new(route.RoutePattern.Defaults)),
            route.Metadata.GetMetadata<IHttpMethodMetadata>()?.HttpMethods ?? [])),
    ]);

    /// <summary>Those at the request's path, where its own method is none of them. Empty where the gateway has no route.</summary>
    public IReadOnlyList<string> InsteadOf(HttpRequest request)
    {
        // Few paths are looked for in all routes: those of a project have other words.
        var words = (request.Path.Value ?? "").ToLowerInvariant().Split('/', StringSplitOptions.RemoveEmptyEntries);
        // Nobody but the operator learns that routes of the operator are there.
        if (!ReservedPaths.Contain(words) || words is ["internal", ..])
            return [];
        var methods = _routes.Value.Where(route => route.Matcher.TryMatch(request.Path, new())).SelectMany(route => route.Methods)
            .Distinct().Order().ToList();
        return methods.Contains(request.Method) ? [] : methods;
    }
}
