namespace LlmGateway.Contracts;

/// <summary>What Billing has the ledger book. Each is a post of the same name.</summary>
public enum PaymentPost { TopUp, Refund, RefundFailed, Dispute, DisputeWon, Promotion }

/// <summary>
/// <c>POST /internal/posts</c> books what a payment has brought or what was taken back of it, and what a promotion gives. Repeatable under
/// its id for ever.
/// </summary>
/// <param name="Customer">Whose wallet it is.</param>
/// <param name="Net">The wallet's part, nano-dollars.</param>
/// <param name="Margin">The developer's.</param>
/// <param name="Fee">The platform's.</param>
/// <param name="Reference">The payment, refund or dispute that it stands for, as its owner knows it.</param>
public sealed record BookPayment(
    Guid Id, PaymentPost Type, Guid Organization, Guid Project, Guid Customer, Guid Wallet, bool Test, long Net, long Margin, long Fee,
    string Reference)
{
    /// <summary>Of what is taken back or comes back: the lot that the payment has made, which has the top-up's id.</summary>
    public Guid? Lot { get; init; }

    /// <summary>Refused when the wallet has less of it than what is asked.</summary>
    public bool WithoutDebt { get; init; }

    /// <summary>Of a promotion: when what it gives expires, in whole milliseconds. Null: never.</summary>
    public DateTimeOffset? ExpiresAt { get; init; }

    /// <summary>As a statement shows it.</summary>
    public string? Text { get; init; }
}

/// <summary><c>NoLot</c>: the wallet has as many lots as it may have. <c>Expired</c>: what it would give has expired.</summary>
public enum PaymentOutcome { Done, NotEnough, UnknownWallet, IdUsed, NoLot, Expired }

/// <param name="Available">When there was not enough: what there was, nano-dollars.</param>
public sealed record BookedPayment(PaymentOutcome Outcome, long Available);

/// <summary>What Billing has the ledger book of a payout. Each is a post of the same name.</summary>
public enum PayoutPost { Payout, PayoutPaid, PayoutFailed, PayoutReversed }

/// <summary>
/// <c>POST /internal/payouts</c> moves what a project has earned on its way out, or back. Repeatable under its id for ever. The answer is a
/// <see cref="BookedPayment"/>: no more is reserved than was earned.
/// </summary>
/// <param name="Amount">Nano-dollars.</param>
/// <param name="Reference">The payout, as its owner knows it.</param>
public sealed record BookPayout(Guid Id, PayoutPost Type, Guid Organization, Guid Project, bool Test, long Amount, string Reference);

/// <summary><c>GET /internal/projects/{project}/margin?test=</c>: what a project has earned, nano-dollars.</summary>
/// <param name="Margin">Not paid out, and not on its way. Below zero: what was paid out and then taken back from customers.</param>
/// <param name="InPayout">On its way.</param>
public sealed record ProjectMargin(long Margin, long InPayout);

/// <summary><c>GET /internal/wallets/{wallet}</c>: what Billing must know before it takes or gives back money.</summary>
/// <param name="Free">What no request holds, nano-dollars.</param>
/// <param name="Lots">What is left of each lot.</param>
public sealed record WalletState(bool Frozen, long Free, IReadOnlyDictionary<Guid, long> Lots)
{
    public Guid Organization { get; init; }
    public Guid Project { get; init; }
    public Guid Customer { get; init; }
    public bool Test { get; init; }

    /// <summary>As its owner sees it, nano-dollars.</summary>
    public long Balance { get; init; }

    /// <summary>What the customer owes, which its next top-up pays first; 0 or more.</summary>
    public long Owed { get; init; }
}

/// <summary><c>POST /internal/wallets/below</c>: which of these wallets have less than their mark.</summary>
public sealed record BelowQuery(IReadOnlyList<BelowMark> Marks)
{
    public const int MaxAtOnce = 500;
}

/// <param name="Mark">Nano-dollars.</param>
public sealed record BelowMark(Guid Wallet, long Mark);

public sealed record BelowAnswer(IReadOnlyList<Guid> Wallets);

/// <summary><c>PUT /internal/wallets/{wallet}/frozen</c>.</summary>
public sealed record SetFrozen(bool Frozen);

/// <summary><c>GET /internal/customers/{customer}/profile</c>: how a customer is printed.</summary>
public sealed record CustomerProfile(string ExternalId, string? Name, string? Company, string? Email);

/// <summary><c>GET /internal/projects/{project}/terms</c>: what a top-up costs there. Parts per million.</summary>
public sealed record ProjectTerms(Guid Organization, string Name, bool Active, long MarkupPpm, long PlatformFeePpm)
{
    /// <summary>With <c>?customer=</c>: whether that customer is there and active. Without: true.</summary>
    public bool CustomerActive { get; init; } = true;
}
