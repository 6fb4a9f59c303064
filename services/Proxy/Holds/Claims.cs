using System.Runtime.CompilerServices;
using LlmGateway.Contracts;

namespace LlmGateway.Proxy;

/// <summary>
/// The claims of the credentials that this proxy has in memory. Each is made once and not with each request, until one of its terms ends.
/// </summary>
public static class Claims
{
    static readonly ConditionalWeakTable<Credential, CredentialClaims> Known = [];

    /// <summary>False when the copy of the credential does not know which cycle it is now; it must be read again.</summary>
    /// <param name="route">The first provider that may answer. Others may take over, so limits of their models count, too.</param>
    /// <param name="now">The ledger's clock.</param>
    /// <param name="claim">Null when nothing limits the caller and nothing is charged.</param>
    /// <param name="isBatch">Call credits pay single calls, so that a wallet behind them pays it alone.</param>
    public static bool TryGet(Credential credential, Route route, DateTimeOffset now, out Claim? claim, bool isBatch = false) =>
        TryFind(credential, route, now, out claim)
        && (!isBatch || claim is not { Credits: >= 0, Lines: [.., { Unit: Unit.Usd }] }
            || TryFind(credential, route with { QueryType = null }, now, out claim));

    static bool TryFind(Credential credential, Route route, DateTimeOffset now, out Claim? claim)
    {
        claim = null;
        return (credential is { Registers.Count: 0, Claim: null } && !route.NeedsCredit)
            || Known.GetValue(credential, static credential => new(credential)).TryGet(route, now, out claim);
    }

    /// <summary>The plan that has ended, whose quota was to pay first. Null where none has.</summary>
    /// <param name="now">The ledger's clock.</param>
    public static PlanTerm? EndedPlan(Credential credential, DateTimeOffset now) =>
        credential.Claim?.Sources.Select(source => source.Plan).FirstOrDefault(plan => plan?.To <= now);

    /// <summary>
    /// True where something pays for the customer, but nothing for this provider: it has call credits alone, and the provider has no type.
    /// </summary>
    public static bool IsPaidByNothing(Credential credential, Route route) =>
        route.QueryType is null && credential.Claim is { Sources: { Count: > 0 } sources }
        && sources.All(source => source.QueryType is not null);

    public static bool HasWindows(Credential credential)
    {
        for (var i = 0; i < credential.Claim?.Limits.Count; i++)
            if (credential.Claim.Limits[i].Unit == Unit.Windows)
                return true;
        return false;
    }

    /// <summary>
    /// The client sessions that count. They are no lines of the claim: whether a unit is due depends on the client session, and slices are
    /// shared by them. False when the copy of the credential must be read again.
    /// </summary>
    public static bool TryGetWindows(Credential credential, Route route, DateTimeOffset now, out IReadOnlyList<WindowSet> windows)
    {
        var names = NamesOf(route);
        var counted = (credential.Claim?.Limits ?? [])
            .Where(limit => limit.Unit == Unit.Windows && limit.Only?.Matches(names, credential.Id) != false)
            .Select(limit => (
                limit.Denomination, limit.Level, limit.Name, Term: limit.Terms.FirstOrDefault(term => term.From <= now && now < term.To)))
            .ToList();
        windows =
        [
            .. counted.Where(line => line.Term is not null).GroupBy(line => line.Denomination!.Value, (set, lines) => new WindowSet(set,
            [
                .. lines.Select(line => new ClaimLine(line.Term!.Register, AccountKind.Windows, Unit.Windows)
                {
                    Level = line.Level,
                    Counter = new(AccountKind.Windows, Unit.Windows, set, line.Term.Ceiling, line.Term.From, line.Term.To)
                    {
                        CycleTo = line.Term.CycleTo, Name = line.Name, Thresholds = credential.Thresholds,
                    },
                }),
            ])),
        ];
        return counted.TrueForAll(line => line.Term is not null);
    }

    /// <summary>Every name that the model has, also where another provider takes over.</summary>
    public static List<string> NamesOf(Route route)
    {
        var names = new List<string>();
        for (var next = route; next is not null; next = next.Next)
        {
            if (next.HasBareName)
                names.Add(next.Model.Id);
            names.Add($"{next.Model.Provider}/{next.Model.Id}");
        }
        return names;
    }
}
