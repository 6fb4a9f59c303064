namespace LlmGateway.Contracts;

/// <summary>
/// Which of a project's routes takes a request that several could take: the one of higher priority, then the one with the narrower host,
/// path, headers, methods. Routes for which that does not decide may not both be there.
/// </summary>
public static class RouteOrder
{
    public static int Compare((CustomRoute Route, RoutePattern Pattern) a, (CustomRoute Route, RoutePattern Pattern) b)
    {
        var order = b.Route.Priority.CompareTo(a.Route.Priority);
        order = order != 0 ? order : HostRank(b.Route.Host).CompareTo(HostRank(a.Route.Host));
        order = order != 0 ? order : a.Pattern.CompareTo(b.Pattern);
        order = order != 0 ? order : (b.Route.Headers?.Count ?? 0).CompareTo(a.Route.Headers?.Count ?? 0);
        return order != 0 ? order : (a.Route.Methods is null).CompareTo(b.Route.Methods is null);
    }

    /// <summary>A request exists that either could take, and nothing says which.</summary>
    public static bool Ties((CustomRoute Route, RoutePattern Pattern) a, (CustomRoute Route, RoutePattern Pattern) b) =>
        Compare(a, b) == 0 && a.Pattern.Ties(b.Pattern)
        && string.Equals(a.Route.Host, b.Route.Host, StringComparison.OrdinalIgnoreCase)
        && (a.Route.Methods is null || b.Route.Methods is null || a.Route.Methods.Intersect(b.Route.Methods).Any())
        && (a.Route.Headers ?? None).All(one => (b.Route.Headers ?? None).All(other => CanBeBoth(one, other)));

    static readonly IReadOnlyDictionary<string, string> None = new Dictionary<string, string>();

    static int HostRank(string? host) => host is null ? 0 : host.StartsWith("*.", StringComparison.Ordinal) ? 1 : 2;

    /// <summary>One header has one value.</summary>
    static bool CanBeBoth(KeyValuePair<string, string> one, KeyValuePair<string, string> other) =>
        !string.Equals(one.Key, other.Key, StringComparison.OrdinalIgnoreCase) || one.Value == other.Value || one.Value == "*"
        || other.Value == "*";
}
