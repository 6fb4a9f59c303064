using System.Text.Json;
using System.Text.RegularExpressions;
using LlmGateway.Contracts;
using LlmGateway.Contracts.Expressions;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Sessions;

/// <summary>
/// The rules of a project's own routes. Each broken one is a line that begins with the JSON path. Pure, so that a seed file and a call have
/// the same ones.
/// </summary>
public static partial class RouteRules
{
    /// <summary>Of a route, in bytes. The audit keeps each that there was.</summary>
    const int MaxBytes = 16 * 1024;

    const int MaxMethods = 16, MaxHeaders = 16, MaxPriority = 1000, MaxValue = 4096;

    static readonly string[] Matches = [RoutePattern.Exact, RoutePattern.Prefix, RoutePattern.Pattern];
    static readonly string[] Units = [CustomRoute.Requests, CustomRoute.Tokens];

    /// <summary>Headers of a connection, and those that say who calls, which only the gateway may.</summary>
    static readonly HashSet<string> OurHeaders = new(StringComparer.OrdinalIgnoreCase)
    {
        "Host", "Connection", "Keep-Alive", "Transfer-Encoding", "Content-Length", "Content-Encoding", "TE", "Trailer", "Upgrade", "Expect",
        "X-User-ID", "X-Plan-ID", "X-Key-ID", "X-Request-Id", "Set-Cookie", "Cookie",
    };

    [GeneratedRegex("^[A-Z]{1,20}$")]
    private static partial Regex Method { get; }

    [GeneratedRegex("^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}$")]
    private static partial Regex HeaderName { get; }

    [GeneratedRegex(@"^(\*\.)?[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$")]
    private static partial Regex Host { get; }

    [GeneratedRegex(@"\{([^{}]*)\}")]
    private static partial Regex Named { get; }

    /// <param name="providers">Those of the project.</param>
    public static IEnumerable<string> Errors(CustomRoute route, string path, IReadOnlySet<string> providers)
    {
        RoutePattern? pattern = null;
        var mistake = Matches.Contains(route.Match) ? null : $"{path}.match must be one of {string.Join(", ", Matches)}";
        if (mistake is null && !RoutePattern.TryRead(route.Match, route.Path, out pattern, out var reason))
            mistake = $"{path}.path {reason}";
        if (mistake is not null)
            return [mistake];
        return
        [
            .. Must(route.Id.Length is > 0 and <= 256 && !route.Id.Any(char.IsControl), $"{path}.id", "must have from 1 to 256 characters"),
            .. Must(route.Id != CustomRoute.AnyCall, $"{path}.id", "is the name of raw calls"),
            .. Must(!ReservedPaths.Contain(pattern!.FirstWords), $"{path}.path", "is one that the gateway serves itself"),
            .. Must(pattern.FirstWords.Any() || route.Match != RoutePattern.Exact, $"{path}.path", "is one that the gateway serves itself"),
            .. Must(providers.Contains(route.Provider), $"{path}.provider",
                $"names '{route.Provider}', which is not among the project's providers"),
            .. Must(route.Host is null || (route.Host.Length <= 253 && Host.IsMatch(route.Host)), $"{path}.host",
                "must be a host name in lower case, or *. and one"),
            .. Must(!route.Public || route.Host is not (null or ['*', ..]), $"{path}.host",
                "is required of a route for everybody, whole: it says whose route it is"),
            .. Must(!route.Public || route.Price is null, $"{path}.price", "is paid by nobody where everybody may call"),
            .. Must(route.Methods is not { Count: 0 or > MaxMethods }, $"{path}.methods", $"must have from 1 to {MaxMethods} methods"),
            .. (route.Methods ?? []).Index().SelectMany(method =>
                Must(
                    Method.IsMatch(method.Item) && !CustomRoute.RefusedMethods.Contains(method.Item), $"{path}.methods[{method.Index}]",
                    $"must be a method in capitals, and none of {string.Join(", ", CustomRoute.RefusedMethods)}")),
            .. Must(route.Headers is not { Count: > MaxHeaders }, $"{path}.headers", $"may have at most {MaxHeaders} headers"),
            .. (route.Headers ?? Empty).SelectMany(header => Header(header, $"{path}.headers")),
            .. Must(route.Priority is >= -MaxPriority and <= MaxPriority, $"{path}.priority",
                $"must be from {-MaxPriority} to {MaxPriority}"),
            .. Rewrite(route.Rewrite, pattern, $"{path}.rewrite"),
            .. Metering(route, path),
            .. Changes(route.Request, $"{path}.request", name => !IsOurs(name)),
            .. Changes(route.Response, $"{path}.response", name => !IsOurs(name) && AnswerHeaders.MayBeSaid(name)),
            .. Length(route, path),
            .. Must(route.Response is not ({ DeleteQuery: not null } or { SetQuery: not null }), $"{path}.response", "has no query"),
        ];
    }

    /// <summary>Names what has the most of it.</summary>
    static IEnumerable<string> Length(CustomRoute route, string path)
    {
        if (Bytes(route) <= MaxBytes)
            return [];
        (string Name, int Bytes)[] parts =
        [
            ("headers", Bytes(route.Headers)), ("rewrite", Bytes(route.Rewrite)), ("meter", Bytes(route.Meter)),
            ("request", Bytes(route.Request)), ("response", Bytes(route.Response)),
        ];
        return [$"{path}.{parts.MaxBy(part => part.Bytes).Name} is too long: a route may have {MaxBytes} bytes together"];

        static int Bytes<T>(T part) => JsonSerializer.SerializeToUtf8Bytes(part, Defaults.Json).Length;
    }

    /// <summary>As a call writes it. A route of the operator's that leads where it led before stays the operator's.</summary>
    /// <param name="stored">What it replaces.</param>
    public static CustomRoute OfTenant(CustomRoute route, CustomRoute? stored) =>
        route with { Tenant = route.Tenant || stored is null || stored.Tenant || Way(route) != Way(stored) };

    /// <summary>Which requests arrive at which place, and as what.</summary>
    static string Way(CustomRoute route) => JsonSerializer.Serialize(
        new { route.Path, route.Match, route.Methods, route.Provider, route.Rewrite, route.Request }, Defaults.Json);

    /// <summary>
    /// What a tenant's route may not do. Behind a provider of the operator's is his account, with his secret, maybe in his own network: a
    /// route that goes there anyhow would open all of it.
    /// </summary>
    public static IEnumerable<string> TenantErrors(CustomRoute route, Provider provider) => !route.Tenant || provider.Tenant ? [] :
    [
        .. Must(provider.QueryType is not null, ".provider",
            $"names '{route.Provider}', which is the operator's and takes no raw calls: only a seed file makes a route to it"),
        .. Must(!route.Public, ".provider", $"names '{route.Provider}', which is the operator's: not everybody may be sent there"),
        .. Must(route.Request is null, ".request", $"must be absent, because the provider '{route.Provider}' is the operator's"),
    ];

    /// <summary>The first two routes of a project between which nothing decides, or null.</summary>
    public static string? Tie(IReadOnlyList<CustomRoute> routes) => Tied(routes) is var (one, other) ? Tie(one, other) : null;

    static string Tie(CustomRoute one, CustomRoute other) =>
        $"the routes '{one.Id}' and '{other.Id}' take the same requests, and nothing says which goes first: "
            + "give one of them a higher priority";

    /// <summary>Those of a file's routes that can stand beside what is stored. They do not tie among themselves.</summary>
    /// <param name="tell">Is told of each of the others why it cannot.</param>
    public static IReadOnlyList<CustomRoute> Fitting(
        IReadOnlyList<CustomRoute> routes, IReadOnlyList<CustomRoute> stored, Action<string> tell)
    {
        var fitting = routes.ToList();
        while (Tied([.. stored.Where(kept => !fitting.Exists(route => route.Id == kept.Id)), .. fitting]) is var (one, other))
        {
            // What is left out stays as it is stored, and may tie with others so.
            if (fitting.RemoveAll(route => route.Id == other.Id) + fitting.RemoveAll(route => route.Id == one.Id) == 0)
                break;
            tell(Tie(one, other));
        }
        return fitting;
    }

    static (CustomRoute One, CustomRoute Other)? Tied(IReadOnlyList<CustomRoute> routes)
    {
        var all = new List<(CustomRoute Route, RoutePattern Pattern)>();
        foreach (var route in routes.Where(route => route.Enabled))
            if (RoutePattern.TryRead(route.Match, route.Path, out var pattern, out _))
                all.Add((route, pattern));
        foreach (var (i, one) in all.Index())
            foreach (var other in all.Skip(i + 1))
                if (RouteOrder.Ties(one, other))
                    return (one.Route, other.Route);
        return null;
    }

    static readonly IReadOnlyDictionary<string, string> Empty = new Dictionary<string, string>();

    static IEnumerable<string> Header(KeyValuePair<string, string> header, string path) =>
    [
        .. Must(HeaderName.IsMatch(header.Key), $"{path}.{header.Key}", "must be a plain name"),
        .. Must(header.Value is { Length: > 0 and <= MaxValue } && !header.Value.Any(char.IsControl), $"{path}.{header.Key}",
            $"must have from 1 to {MaxValue} characters, and * means any"),
    ];

    static IEnumerable<string> Rewrite(string? rewrite, RoutePattern pattern, string path)
    {
        if (rewrite is null)
            return [];
        var names = pattern.Names.ToHashSet(StringComparer.Ordinal);
        var unknown = Named.Matches(rewrite).Select(name => name.Groups[1].Value).FirstOrDefault(name => !names.Contains(name));
        var plain = Named.Replace(rewrite, "x").TrimEnd('/');
        return
        [
            .. Must(unknown is null, path, $"has the name '{unknown}', which the path does not have"),
            .. Must(plain.Length == 0 || RoutePattern.TryRead(RoutePattern.Exact, plain, out _, out _), path,
                "must be a plain path that begins with a slash"),
        ];
    }

    static IEnumerable<string> Metering(CustomRoute route, string path)
    {
        if (!MeteringExpression.TryParse(route.Meter, out var expression, out var error))
            return [$"{path}.meter: {error}"];
        return
        [
            .. Must(Units.Contains(route.Unit), $"{path}.unit", $"must be one of {string.Join(", ", Units)}"),
            .. Must(
                route.MaxUnits is not null || expression.Constant is not null
                    || (route.Price is null && route.Unit != CustomRoute.Tokens),
                $"{path}.maxUnits",
                "is required beside a price and of tokens: how many units an answer is worth is known only afterwards, and held before"),
            .. Must(route.MaxUnits is null or (> 0 and <= CustomRoute.MostUnits), $"{path}.maxUnits",
                $"must be from 1 to {CustomRoute.MostUnits}"),
            .. Must(
                route.FallbackUnits is null || (route.FallbackUnits >= 1 && !(route.FallbackUnits > route.Bound(expression.Constant))),
                $"{path}.fallbackUnits",
                "must be from 1 to maxUnits"),
            .. Must(route.FallbackUnits is null || route.Unit != CustomRoute.Tokens, $"{path}.fallbackUnits",
                "is not used for tokens, which are counted when the expression fails"),
        ];
    }

    static IEnumerable<string> Changes(MessageChanges? changes, string path, Func<string, bool> mayBeSet) => changes is null ? [] :
    [
        .. Names(changes.DeleteHeaders, $"{path}.deleteHeaders", HeaderName.IsMatch),
        .. Names(changes.SetHeaders?.Keys.ToList(), $"{path}.setHeaders", name => HeaderName.IsMatch(name) && mayBeSet(name)),
        .. HeaderValues(changes.SetHeaders, $"{path}.setHeaders"),
        .. Names(changes.DeleteQuery, $"{path}.deleteQuery", IsParameter),
        .. Names(changes.SetQuery?.Keys.ToList(), $"{path}.setQuery", IsParameter),
        .. Values(changes.SetQuery, $"{path}.setQuery"),
    ];

    static bool IsOurs(string name) => OurHeaders.Contains(name)
        || name.StartsWith("X-LLMGateway-", StringComparison.OrdinalIgnoreCase)
        || name.StartsWith("Access-Control-", StringComparison.OrdinalIgnoreCase);

    static bool IsParameter(string name) => name.Length is > 0 and <= 100 && !name.Any(char.IsControl);

    static IEnumerable<string> Names(IReadOnlyList<string>? names, string path, Func<string, bool> isGood) =>
    [
        .. Must(names is not { Count: > MessageChanges.MaxNames }, path, $"may have at most {MessageChanges.MaxNames} names"),
        .. (names ?? []).SelectMany(name => Must(isGood(name), path, $"has the name '{name}', which cannot be there")),
    ];

    static IEnumerable<string> Values(IReadOnlyDictionary<string, string>? values, string path) => (values ?? Empty).SelectMany(
        value => Must(
            value.Value is { Length: <= MaxValue } && !value.Value.Any(char.IsControl), $"{path}.{value.Key}",
            $"must have at most {MaxValue} characters, and none of control"));

    static IEnumerable<string> HeaderValues(IReadOnlyDictionary<string, string>? values, string path) => (values ?? Empty).SelectMany(
        value => Must(
            value.Value is { Length: <= MaxValue } && AnswerHeaders.IsSendable(value.Value), $"{path}.{value.Key}",
            $"must have at most {MaxValue} characters, all of them plain: ASCII and none of control"));

    static IEnumerable<string> Must(bool isTrue, string path, string rule) => isTrue ? [] : [$"{path} {rule}"];
}
