using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Proxy;

/// <summary>
/// Chooses the provider for a request. A model's providers are tried in their order, except those that the caller may not use.
/// </summary>
public static class Routing
{
    /// <summary>
    /// The reason why no provider can take the request, or null when one can. A provider that may take it is permitted and priced, and can
    /// be spoken to from the caller's wire.
    /// </summary>
    /// <param name="route">The first provider that may take it.</param>
    /// <param name="bound">The bound of the dearest of these providers. The hold pays for it, so it also pays for any fallback.</param>
    public static Problem? TryRoute(Caller caller, Wire wire, ModelRequest request, out Route route, out UpperBound bound)
    {
        (bound, route) = (default, null!);
        if (request.Model.Length == 0 && FirstOf(caller, wire.Kind) is { } only)
            request.Model = only;
        if (request.Model.Length == 0)
            return Problems.Missing("model");
        Problem? first = null;
        for (var next = caller.Project.Find(request.Model); next is not null; next = next.Next)
        {
            if (route is not null && !IsPaidAlike(route, next))
                continue;
            if (Check(caller.Credential, wire, request, next, out var other) is { } problem)
            {
                first ??= problem;
                continue;
            }
            bound = route is null ? other : UpperBound.Dearest(bound, other);
            route ??= next;
        }
        return route is null ? first ?? Problems.UnknownModel(request.Model) : null;
    }

    /// <summary>The first model of a kind that the caller may use, for requests that need name none.</summary>
    static string? FirstOf(Caller caller, string kind)
    {
        foreach (var model in caller.Project.Catalog.Models.Where(model => model.Kind == kind))
            if (caller.Project.Find(model.Id) is { } route && Permit.Check(caller.Credential, route, model.Id) is null)
                return model.Id;
        return null;
    }

    /// <summary>
    /// The next provider after a failure. It may take over only while the caller has seen nothing of an answer. Null when there is none, or
    /// when another one would refuse for the same reason.
    /// </summary>
    public static Route? Fallback(Caller caller, Wire wire, ModelRequest request, Route failed, Problem problem)
    {
        if (problem.Status is 400 or 413 or 422 && problem.Code != Problems.UntranslatableCode)
            return null;
        for (var next = failed.Next; next is not null; next = next.Next)
            if (IsPaidAlike(failed, next) && Check(caller.Credential, wire, request, next, out _) is null && next.Upstream.HasFreeKey)
                return next;
        return null;
    }

    /// <summary>
    /// What a request holds was asked for its first provider's type, so that no other type can be paid from it. What is stored may be older
    /// than the rule that a model has one type.
    /// </summary>
    static bool IsPaidAlike(Route first, Route next) => first.QueryType == next.QueryType;

    static Problem? Check(Credential credential, Wire wire, ModelRequest request, Route route, out UpperBound bound)
    {
        bound = default;
        if (Permit.Check(credential, route, request.Model) is { } problem)
            return problem;
        if (route.Model.Kind != wire.Kind)
            return Problems.Invalid("model", $"The model '{request.Model}' is of the kind '{route.Model.Kind}' and cannot be called here.");
        var spoken = Wires.Of(route.Upstream.Provider.Wire, wire);
        if (spoken is null)
            return Problems.Untranslatable(
                "model", $"The model '{request.Model}' cannot be called here: its provider does not speak {wire.Name}.");
        return UpperBound.Check(route.Model, request, passes: spoken == wire, out bound);
    }
}
