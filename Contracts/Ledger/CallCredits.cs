using System.Buffers;

namespace LlmGateway.Contracts;

/// <summary>
/// Call credits: each pays one call to a provider of one query type, whatever the call costs. What a customer has of a type is a balance of
/// the ledger. The texts are parts of stored ids: they must never change.
/// </summary>
public static class CallCredits
{
    /// <summary>The type of providers whose calls nobody pays for. Nobody has credits of it.</summary>
    public const string Free = "free";

    public const int MaxType = 64;

    /// <summary>Types that one customer may have.</summary>
    public const int MaxTypes = 50;

    /// <summary>Most credits that one call adds or takes. A larger amount is taken for a typing error.</summary>
    public const long MaxAmount = 1_000_000_000;

    static readonly SearchValues<char> InTypes = SearchValues.Create("abcdefghijklmnopqrstuvwxyz0123456789-_");

    public static string TypeRule => $"must be 1 to {MaxType} of a-z, 0-9, dashes and underscores";

    public static bool IsType(string type) => type.Length is > 0 and <= MaxType && !type.AsSpan().ContainsAnyExcept(InTypes);

    /// <summary>A type as accounts know it: two with the same have the same unit.</summary>
    public static Guid Denomination(Guid project, string type) => Ids.Derive(project, Name(type));

    /// <summary>A customer's balance of a type, whether it exists or not.</summary>
    public static Guid BalanceOf(Guid customer, string type) => Ids.Derive(customer, Name(type));

    /// <summary>As callers see the unit.</summary>
    public static string Name(string type) => $"query:{type}";
}

/// <summary>What a customer has of one type, as callers see it.</summary>
public sealed record CreditBalance(string Type, long Count);

/// <summary>
/// <c>POST /internal/credits/balances</c> asks for what is left in balances of credits, at most <see cref="CallCredits.MaxTypes"/>. Those
/// that are not open are absent.
/// </summary>
public sealed record CreditsQuery(IReadOnlyList<Guid> Balances);

/// <summary>The answer to a <see cref="CreditsQuery"/>.</summary>
public sealed record CreditsLeft(IReadOnlyDictionary<Guid, long> Balances);

/// <summary><c>POST /internal/credits</c>: adds credits to an open balance or takes them from it, once for each id.</summary>
/// <param name="Id">The same for every repetition of the caller's call.</param>
/// <param name="Debit">Takes all of the amount or nothing.</param>
/// <param name="Kind">Of a credit: <c>grant</c> or <c>promotion</c>.</param>
public sealed record AdjustCredits(
    Guid Id, OpenRegister Balance, bool Debit, long Amount, string Actor, string? Reason, string? Kind, DateTimeOffset? ExpiresAt);

/// <summary>What became of an <see cref="AdjustCredits"/>.</summary>
/// <param name="Available">Where there were not enough: how many there were.</param>
public sealed record AdjustedCredits(CreditsOutcome Outcome, long Available);

public enum CreditsOutcome
{
    Done,
    /// <summary>There are fewer than were to be taken.</summary>
    NotEnough,
    /// <summary>The id was used for another adjustment.</summary>
    IdUsed,
    /// <summary>The credits would have expired already.</summary>
    Expired,
    /// <summary>The balance has as many lots as it may have.</summary>
    TooManyLots,
}
