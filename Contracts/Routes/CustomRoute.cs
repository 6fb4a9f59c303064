using System.Text.Json.Serialization;

namespace LlmGateway.Contracts;

/// <summary>
/// A route of a project's own: which requests it takes, which provider answers them, and what an answer is worth. The seed file's member,
/// what is stored and what proxies get are this same record.
/// </summary>
/// <param name="Path">As <see cref="RoutePattern"/> reads it.</param>
/// <param name="Provider">Id of the provider that answers.</param>
public sealed record CustomRoute(string Path, string Provider)
{
    /// <summary>Most routes of a project.</summary>
    public const int MaxPerProject = 200;

    /// <summary>Most units of one answer that are believed. At the highest price they cost no more than money can be.</summary>
    public const long MostUnits = 1_000_000_000;

    /// <summary>The name that raw calls have in the place of a route's, so that no route has it.</summary>
    public const string AnyCall = "*";

    /// <summary>What is counted.</summary>
    public const string Requests = "requests", Tokens = "tokens";

    /// <summary>Unique in the project: the route's name in scopes, in limits and in the usage log. The path where none is said.</summary>
    public string Id { get => field ?? Path; init; }

    /// <summary><c>exact</c>, <c>prefix</c> or <c>pattern</c>.</summary>
    public string Match { get; init; } = RoutePattern.Exact;

    /// <summary>A host name, or <c>*.</c> and one, for any name directly before it. Null: every host.</summary>
    public string? Host { get; init; }

    /// <summary>In capitals. Null: <see cref="UsualMethods"/>.</summary>
    public IReadOnlyList<string>? Methods { get; init; }

    /// <summary>What a route takes that names no methods. <c>HEAD</c> comes as <c>GET</c>.</summary>
    public static readonly IReadOnlyList<string> UsualMethods = ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];

    /// <summary>
    /// No route takes them. Servers answer the first two with the request that they got, and that has our credential in it; the last one is
    /// for connections.
    /// </summary>
    public static readonly IReadOnlyList<string> RefusedMethods = ["TRACE", "TRACK", "CONNECT"];

    public bool TakesMethod(string method) => Methods is { } named
        ? named.Contains(method, StringComparer.Ordinal) && !RefusedMethods.Contains(method, StringComparer.Ordinal)
        : UsualMethods.Contains(method, StringComparer.Ordinal);

    /// <summary>Headers that a request must have, with this value or, where it is <c>*</c>, with any.</summary>
    public IReadOnlyDictionary<string, string>? Headers { get; init; }

    /// <summary>A higher one goes first, before anything else is compared.</summary>
    public int Priority { get; init; }

    public bool Enabled { get; init; } = true;

    /// <summary>The path at the provider, with the names of the pattern in braces. Null: the request's own.</summary>
    public string? Rewrite { get; init; }

    /// <summary>A metering expression: how many units an answer is worth.</summary>
    public string Meter { get; init; } = "1";

    /// <summary><see cref="Requests"/> or <see cref="Tokens"/>.</summary>
    public string Unit { get; init; } = Requests;

    /// <summary>The price of a unit, from the wallet. Null: units cost no money, and are only counted.</summary>
    [JsonConverter(typeof(UnitRateJson))]
    public Rate? Price { get; init; }

    /// <summary>
    /// The most units that an answer may be worth, which is held before. Null: what the expression says by itself, and where that depends
    /// on the call <see cref="UsualRequests"/>. Tokens have no usual number: what a plan asks for those beyond its quota is money.
    /// </summary>
    public long? MaxUnits { get; init; }

    /// <summary>What is held where nobody has said how much an answer may be worth.</summary>
    public const long UsualRequests = 100;

    /// <returns>Null when there is none. Such a route is refused when it is saved, and what is stored may be older.</returns>
    /// <param name="constant">What the expression says of every answer.</param>
    public long? Bound(long? constant) => MaxUnits ?? constant ?? (Unit == Tokens ? null : UsualRequests);

    /// <summary>
    /// Units of an answer for which the expression fails and no other count is known. Null: all that was held. A caller can make many
    /// expressions fail, so less must be said by whoever knows the expression.
    /// </summary>
    public long? FallbackUnits { get; init; }

    /// <inheritdoc cref="FallbackUnits"/>
    /// <param name="constant">What the expression says of every answer.</param>
    public long Unmeasured(long? constant) => FallbackUnits is { } told and > 0 ? told : Bound(constant) ?? 0;

    /// <summary>
    /// Everybody may call it at its host, without a credential, and nobody pays. A credential that is sent all the same counts as always.
    /// </summary>
    public bool Public { get; init; }

    /// <summary>
    /// A call has said where it leads. At a provider of the operator's it opens no more than raw calls do. An export has it, and a call
    /// does not take it back.
    /// </summary>
    public bool Tenant { get; init; }

    /// <summary>The provider is told who calls: <c>X-User-ID</c>, <c>X-Plan-ID</c>, <c>X-Key-ID</c>.</summary>
    public bool Identity { get; init; }

    /// <summary>What is changed in requests.</summary>
    public MessageChanges? Request { get; init; }

    /// <summary>What is changed in answers. They have no query.</summary>
    public MessageChanges? Response { get; init; }
}

/// <summary>Members of a request or an answer that are taken away, then set.</summary>
public sealed record MessageChanges
{
    /// <summary>Most names in one list.</summary>
    public const int MaxNames = 32;

    public IReadOnlyList<string>? DeleteHeaders { get; init; }
    public IReadOnlyDictionary<string, string>? SetHeaders { get; init; }
    public IReadOnlyList<string>? DeleteQuery { get; init; }
    public IReadOnlyDictionary<string, string>? SetQuery { get; init; }
}
