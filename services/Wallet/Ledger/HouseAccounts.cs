using System.Collections.Concurrent;
using LlmGateway.Contracts;

namespace LlmGateway.Wallet;

/// <summary>The house's own accounts, one of each per project (grants: per organization) and mode; their ids follow from whose they are.</summary>
public static class HouseAccounts
{
    /// <summary>Every settlement needs three of them, and a hash costs as much as the rest of it: they are remembered, and forgotten when they are too many.</summary>
    const int MaxRemembered = 50_000;

    static readonly ConcurrentDictionary<(Guid Scope, AccountKind Kind, Unit Unit, bool Test), Guid> Remembered = new();

    public static Guid Grant(Guid organization, bool test) => Id(organization, AccountKind.Grant, Unit.Usd, test);
    public static Guid ProviderCost(Guid project, bool test) => Id(project, AccountKind.ProviderCost, Unit.Usd, test);
    public static Guid Absorbed(Guid project, bool test) => Id(project, AccountKind.Absorbed, Unit.Usd, test);
    public static Guid Limits(Guid project, Unit unit, bool test) => Id(project, AccountKind.Limits, unit, test);

    static Guid Id(Guid scope, AccountKind kind, Unit unit, bool test)
    {
        if (Remembered.TryGetValue((scope, kind, unit, test), out var id))
            return id;
        if (Remembered.Count >= MaxRemembered)
            Remembered.Clear();
        return Remembered[(scope, kind, unit, test)] = Ids.Derive(scope, $"{Name(kind, unit)}:{(test ? "test" : "live")}");
    }

    static string Name(AccountKind kind, Unit unit) => kind switch
    {
        AccountKind.Grant => "grant",
        AccountKind.ProviderCost => "provider-cost",
        AccountKind.Absorbed => "absorbed",
        AccountKind.Limits => $"limits:{unit}",
        _ => throw new InvalidOperationException($"{kind} is not the house's own"),
    };
}
