using System.Text.Json.Serialization;

namespace LlmGateway.Contracts;

/// <summary>
/// What an account of the ledger is for. The number is stored, so it must never change. Registers come first: a customer's balances, which
/// count down, and its counters, which count up to a ceiling that each claim names.
/// </summary>
public enum AccountKind
{
    /// <summary>A customer's prepaid money.</summary>
    Wallet = 0,
    /// <summary>What a family of sessions may still spend. It counts down; new ones are a <see cref="Cap"/>.</summary>
    SessionCap = 1,
    /// <summary>What a family of sessions has spent.</summary>
    Cap = 2,
    /// <summary>What was used in one cycle of a limit.</summary>
    Limit = 3,
    /// <summary>What was used of a plan's quota in one cycle.</summary>
    Quota = 4,
    /// <summary>Requests that run. Nothing is ever spent of it.</summary>
    Slots = 5,
    /// <summary>Client sessions that were opened in one cycle of a limit.</summary>
    Windows = 6,
    /// <summary>Call credits of one type. A balance.</summary>
    Credits = 7,

    /// <summary>Credit that an organization has granted. Its balance is minus what was granted.</summary>
    Grant = 100,
    /// <summary>What providers are owed for served requests.</summary>
    ProviderCost = 101,
    /// <summary>Cost that the operator bears, because a register could not pay it.</summary>
    Absorbed = 102,
    /// <summary>The other side of limits such as session caps.</summary>
    Limits = 103,
    /// <summary>Cost that quota or call credits paid.</summary>
    Covered = 104,
    /// <summary>Money on its way from or to Stripe. It is zero when nothing is.</summary>
    Clearing = 105,
    /// <summary>What the developer earned and was not yet paid.</summary>
    Margin = 106,
    /// <summary>The platform's fees.</summary>
    Fees = 107,
    /// <summary>What a customer owes, because its wallet could not pay it back.</summary>
    Receivable = 108,
    /// <summary>Payouts on their way.</summary>
    Payouts = 109,
    /// <summary>Balance that expired.</summary>
    Expired = 110,
    /// <summary>Call credits that were spent.</summary>
    Used = 111,
}

/// <summary>The two families of registers.</summary>
public static class AccountKinds
{
    /// <summary>
    /// Counters count up, are permissions and have no entries; how far they may go comes with each claim. All other registers are balances,
    /// which count down and have entries.
    /// </summary>
    public static bool IsCounter(this AccountKind kind) => kind is >= AccountKind.Cap and <= AccountKind.Windows;
}

/// <summary>
/// The unit of an account. Transfers never mix units. Amounts of <see cref="Usd"/> and <see cref="UsdLimit"/> are nano-dollars.
/// </summary>
public enum Unit
{
    Usd = 0,
    /// <summary>Permission to spend, not money.</summary>
    UsdLimit = 1,
    Tokens = 2,
    Requests = 3,
    /// <summary>Client sessions that are open for a day after their last message.</summary>
    Windows = 4,
    /// <summary>Calls of one type, which the account's denomination names.</summary>
    Credits = 5,
    /// <summary>Requests that run at the same time.</summary>
    Slots = 6,
}

/// <summary>One register of a credential.</summary>
public sealed record RegisterRef(Guid Id, AccountKind Kind, Unit Unit);

/// <summary>Ledger entry types as callers see them. The number is stored, so it must never change.</summary>
public enum EntryType
{
    Usage = 0,
    Grant = 1,
    Adjustment = 2,
    TopUp = 3,
    Bonus = 4,
    Refund = 5,
    Dispute = 6,
    Reversal = 7,
    Expiry = 8,
    Limit = 9,
    Absorbed = 10,
    Covered = 11,
    Payout = 12,
}

/// <summary>
/// <c>POST /internal/registers</c> opens the registers that do not exist yet, each with its first amount. What is open stays as it
/// is, whatever amount another opening names, and also where the first one named none.
/// </summary>
public sealed record OpenRegisters(IReadOnlyList<OpenRegister> Registers);

/// <param name="Owner">The customer.</param>
/// <param name="Initial">First amount, from the organization's grant account (<see cref="Unit.Usd"/>), the credits' grant account or the
/// project's limits account.</param>
public sealed record OpenRegister(
    Guid Id, AccountKind Kind, Unit Unit, Guid Organization, Guid Project, Guid Owner, bool Test, long Initial)
{
    /// <inheritdoc cref="LeaseDemand.LowMark"/>
    public long? LowMark { get; init; }

    /// <summary>Of call credits: their type, see <see cref="CallCredits.Denomination"/>.</summary>
    public Guid? Denomination { get; init; }
}

/// <summary>
/// <c>POST /internal/wallets/summaries</c> asks for the balances of many customers at once, at most <see cref="MaxIds"/>.
/// </summary>
public sealed record WalletSummariesQuery(IReadOnlyList<Guid> Wallets, bool WithLedger = false)
{
    public const int MaxIds = 200;
}

/// <param name="Spent">Lifetime usage. <paramref name="ToppedUp"/> are lifetime top-ups.</param>
public sealed record WalletSummary(
    Guid Id, Money Balance, bool Frozen, Money Spent, Money ToppedUp, IReadOnlyList<LedgerLine>? RecentLedger)
{
    /// <summary>What the customer owes, which its next top-up pays first.</summary>
    public Money Owed { get; init; }
}

/// <summary><c>POST /internal/counters</c> asks for the state of counters, at most <see cref="MaxIds"/>.</summary>
public sealed record CountersQuery(IReadOnlyList<Guid> Counters)
{
    public const int MaxIds = 200;
}

/// <summary>In the counter's unit. <paramref name="Held"/> is what requests that run may use.</summary>
public sealed record CounterState(Guid Id, long Used, long Held);

/// <summary>
/// <c>POST /internal/counters/openings</c>: what requests since the cycle's edge have used while no limit asked a counter is counted on it.
/// Asked again, it adds what is new. Once asked it is owed: the ledger does it, also when the caller has gone or it takes long.
/// </summary>
public sealed record OpenCounters(CounterScope Scope, IReadOnlyList<CounterOpening> Counters)
{
    /// <summary>Only to be remembered: the limits are about to be there.</summary>
    public bool Later { get; init; }
}

/// <param name="Only">Null counts every request of the customer.</param>
public sealed record CounterOpening(Guid Register, CounterTerm Term, Selector? Only);

/// <summary>
/// One line of a register's statement. Of a movement that a customer owes for, or that has paid what it owed, all may be beside the
/// balance: then the amount is 0.
/// </summary>
public sealed record LedgerLine(string Id, string Type, Money Amount, Money BalanceAfter, DateTimeOffset CreatedAt, string? Description)
{
    /// <summary>What the customer owes for it, because its wallet could not give it. Null: nothing.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public Money? Owed { get; init; }

    /// <summary>What of it has paid what the customer owed, before the rest reached the wallet. Null: nothing.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public Money? OwedPaid { get; init; }

    /// <summary>What it stands for outside the ledger: a payment, refund, dispute or promotion. Null: nothing.</summary>
    public string? Reference { get; init; }
}
