using System.Collections.Concurrent;
using LlmGateway.Contracts;

namespace LlmGateway.Wallet;

/// <summary>
/// The house's own accounts, one of each kind per project (grants: per organization, receivables: per customer, what has expired: per
/// balance; of call credits: per type) and mode. Their ids are derived from their owner.
/// </summary>
public static class HouseAccounts
{
    /// <summary>
    /// Every settlement needs three ids, and deriving one costs as much as the rest of the settlement. So ids are remembered, up to this
    /// many.
    /// </summary>
    const int MaxRemembered = 50_000;

    static readonly ConcurrentDictionary<(Guid Scope, AccountKind Kind, Unit Unit, bool Test), Guid> Remembered = new();

    public static Guid ProviderCost(Guid project, bool test) => Id(project, AccountKind.ProviderCost, Unit.Usd, test);
    public static Guid Absorbed(Guid project, bool test) => Id(project, AccountKind.Absorbed, Unit.Usd, test);
    public static Guid Covered(Guid project, bool test) => Id(project, AccountKind.Covered, Unit.Usd, test);

    /// <summary>What has expired of one balance. Whoever holds that balance's lock may change it.</summary>
    public static Guid Expired(Guid balance, Unit unit, bool test) => Id(balance, AccountKind.Expired, unit, test);

    /// <summary>Call credits of one type that were granted, and that were spent.</summary>
    /// <param name="type">Their denomination, which is of one project.</param>
    public static Guid GrantedCredits(Guid type, bool test) => Id(type, AccountKind.Grant, Unit.Credits, test);

    /// <inheritdoc cref="GrantedCredits"/>
    public static Guid UsedCredits(Guid type, bool test) => Id(type, AccountKind.Used, Unit.Credits, test);

    public static Guid Limits(Guid project, Unit unit, bool test) => Id(project, AccountKind.Limits, unit, test);

    /// <summary>One of a project's, as it is opened. It has money, or the permissions of session caps.</summary>
    public static Account OfProject(AccountKind kind, Guid organization, Guid project, bool test) =>
        Of(kind, project, kind == AccountKind.Limits ? Unit.UsdLimit : Unit.Usd, organization, project, test);

    /// <summary>As it is opened.</summary>
    /// <param name="scope">What there is one for. The id follows from it.</param>
    public static Account Of(
        AccountKind kind, Guid scope, Unit unit, Guid organization, Guid project, bool test,
        Guid? denomination = null, Guid? owner = null) => new()
        {
            Id = Id(scope, kind, unit, test), Kind = kind, Unit = unit, Denomination = denomination,
            Organization = organization, Project = project, Owner = owner, Test = test,
        };

    public static Guid Id(Guid scope, AccountKind kind, Unit unit, bool test)
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
        AccountKind.Covered => "covered",
        AccountKind.Limits => $"limits:{unit}",
        AccountKind.Clearing => "clearing",
        AccountKind.Receivable => "receivable",
        AccountKind.Margin => "margin",
        AccountKind.Fees => "fees",
        AccountKind.Payouts => "payouts",
        AccountKind.Expired => "expired",
        AccountKind.Used => "used",
        _ => throw new InvalidOperationException($"{kind} is not the house's own"),
    };
}
