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

    /// <summary>
    /// Of what comes back of a dispute: the posts of the same payment's disputes before it. What they have taken of other lots goes back
    /// there.
    /// </summary>
    public IReadOnlyList<Guid> Undoes { get; init; } = [];

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
public sealed record BookedPayment(PaymentOutcome Outcome, long Available)
{
    /// <summary>What of it has paid what the customer owed, nano-dollars: so much less has reached the wallet.</summary>
    public long OwedPaid { get; init; }
}

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

    /// <summary>Billing has frozen it, and nobody has let it go since then.</summary>
    public bool FrozenForDispute { get; init; }

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

/// <summary>
/// <c>PUT /internal/wallets/{wallet}/frozen</c>: what Billing freezes, or lets go. What the wallet's owner has frozen stays frozen.
/// </summary>
public sealed record SetFrozen(bool Frozen);

/// <summary><c>GET /internal/customers/{customer}/profile</c>: how a customer is printed.</summary>
/// <param name="Project">The name of its project.</param>
public sealed record CustomerProfile(string ExternalId, string? Name, string? Company, string? Email, string Project);

/// <summary><c>GET /internal/projects/{project}/terms</c>: what a top-up costs there. Parts per million.</summary>
public sealed record ProjectTerms(Guid Organization, string Name, bool Active, long MarkupPpm, long PlatformFeePpm)
{
    /// <summary>With <c>?customer=</c>: whether that customer is there and active. Without: true.</summary>
    public bool CustomerActive { get; init; } = true;

    /// <summary>As its seed file says it. Null: it says nothing.</summary>
    public TopUpAllowance? TopUpLimits { get; init; }

    /// <summary>Null: the project has its name alone.</summary>
    public Branding? Branding { get; init; }
}

/// <summary>
/// How much the customers of a project may top up, as its operator says it. A member that is absent is no limit; what may be begun has one
/// always.
/// </summary>
/// <param name="PerDay">Top-ups of a customer in 24 hours.</param>
/// <param name="PerCardAndDay">Top-ups with one card in 24 hours, whoever has it.</param>
/// <param name="FirstAmount">What a new customer may top up in 24 hours, USD.</param>
/// <param name="Declines">So many declined attempts of a customer freeze its top-ups.</param>
/// <param name="FirstDays">A customer is new until its first top-up is so old.</param>
/// <param name="DeclineMinutes">Declined attempts count so long.</param>
/// <param name="BegunPerHour">Purchases that a customer may begin in an hour.</param>
public sealed record TopUpAllowance(
    int? PerDay = null, int? PerCardAndDay = null, Money? FirstAmount = null, int? Declines = null, int FirstDays = 7,
    int DeclineMinutes = 60, int BegunPerHour = TopUpAllowance.UsuallyBegunPerHour)
{
    public const int UsuallyBegunPerHour = 60;

    const int MaxCount = 1_000_000, MaxDays = 3650, MaxMinutes = 30 * 24 * 60;

    /// <summary>The first member that is nonsense, as it is written in JSON, and what it must be; null when none is.</summary>
    public (string Member, string Must)? Mistake() =>
        Count("perDay", PerDay, MaxCount) ?? Count("perCardAndDay", PerCardAndDay, MaxCount)
        ?? Positive("firstAmount", FirstAmount) ?? Count("declines", Declines, MaxCount) ?? Count("firstDays", FirstDays, MaxDays)
        ?? Count("declineMinutes", DeclineMinutes, MaxMinutes) ?? Count("begunPerHour", BegunPerHour, MaxCount);

    static (string, string)? Positive(string member, Money? amount) => amount is { Nanos: <= 0 } ? (member, "must be above 0") : null;

    static (string, string)? Count(string member, int? number, int most) =>
        number is < 1 || number > most ? (member, $"must be from 1 to {most}") : null;
}
