namespace LlmGateway.Contracts;

/// <summary>
/// <c>POST /internal/leases</c>: a proxy asks for amounts of all lines of one claim, or of none. The first call opens the lease;
/// later ones extend it and renew its expiry. The ledger reserves what a lease holds, so nothing that a proxy loses can be spent twice.
/// Idempotent by (<paramref name="Lease"/>, <paramref name="Fence"/>): a repeated call takes effect once and gets the first answer.
/// </summary>
/// <param name="Lease">Chosen by the proxy.</param>
/// <param name="Fence">Counts the calls on this lease, from 1. A call with an older fence than the ledger has seen is ignored.</param>
/// <param name="Holder">The proxy instance.</param>
public sealed record LeaseRequest(Guid Lease, long Fence, string Holder, IReadOnlyList<LeaseDemand> Lines)
{
    /// <summary>How long a lease lives after its last extension, on the database's clock.</summary>
    public const int TtlSeconds = 60;

    /// <summary>A claim is short: the customer's limits, slots of customer and key, a session's cap, quota, credits, wallet.</summary>
    public const int MaxLines = LimitLine.MaxPerCustomer + 6;

    /// <summary>
    /// Lines from this one on are the sources of the payment line, in the order in which they pay. Null for a proxy that knows no sources:
    /// each line is given whole.
    /// </summary>
    public int? FirstSource { get; init; }

    /// <summary>
    /// The holder knows marks, so that a wallet without one has none any more. One that does not leaves the mark as it is. Two versions of
    /// the proxy run side by side during an update.
    /// </summary>
    public bool SaysMarks { get; init; }

    /// <summary>Whose counters the lines are. Needed when a line has a <see cref="LeaseDemand.Counter"/>.</summary>
    public CounterScope? Scope { get; init; }
}

/// <param name="Customer">The owner of the counters that are opened.</param>
public sealed record CounterScope(Guid Organization, Guid Project, Guid Customer, bool Test);

/// <param name="Minimum">Below this the first waiting request is refused.</param>
/// <param name="First">The most that the first waiting request takes. Before it gets less, other holders are asked to return what is
/// idle.</param>
/// <param name="All">The most that all waiting requests take.</param>
/// <param name="Wanted">What the proxy would like to hold. Amounts beyond <paramref name="All"/> are granted only from plenty.</param>
/// <remarks>Of a source the amounts are what it would pay if it paid everything alone, <see cref="Idle"/> included.</remarks>
public sealed record LeaseDemand(Guid Register, long Minimum, long First, long All, long Wanted)
{
    /// <summary>Of a counter. Null for a balance.</summary>
    public CounterTerm? Counter { get; init; }

    /// <summary>Of a wallet: its owner is told when it falls below so many nano-dollars. Null: never.</summary>
    public long? LowMark { get; init; }

    /// <summary>What the proxy holds of a source and no request needs yet.</summary>
    public long Idle { get; init; }

    /// <summary>The source pays everything or nothing.</summary>
    public bool Whole { get; init; }
}

/// <summary>How far a counter may go, and when. The ledger opens it with the first claim.</summary>
/// <param name="Denomination">What is counted, where the unit alone does not say it.</param>
/// <param name="From">Claims before this instant of the ledger's clock, or from <paramref name="To"/> on, belong to another cycle.</param>
public sealed record CounterTerm(
    AccountKind Kind, Unit Unit, Guid? Denomination, long Ceiling, DateTimeOffset From, DateTimeOffset To)
{
    /// <summary>What its owner knows it by: the limit's id, or that of a session whose cap it is. For those who are told of it.</summary>
    public string? Name { get; init; }

    /// <summary>Percentages of the ceiling at which its owner is told. Null: the usual ones.</summary>
    public byte[]? Thresholds { get; init; }
}

/// <summary>The ledger's answer: <see cref="Granted"/> in the order of the lines, or the register that cannot pay.</summary>
public sealed record LeaseAnswer(IReadOnlyList<long>? Granted, LeaseRefusal? Refusal)
{
    /// <summary>
    /// Sources that have nothing more for this lease, one bit for each, the first source first. The request that asked may pass them.
    /// </summary>
    public ulong Empty { get; init; }

    /// <summary>Those of them of which nobody else holds anything. Further requests may pass them, too, for a moment.</summary>
    public ulong UsedUp { get; init; }

    /// <summary>The ledger's clock. It decides which cycle it is.</summary>
    public DateTimeOffset Now { get; init; }

    /// <summary>
    /// When something expires that the lease may have been granted from, by the ledger's clock. Nothing is admitted on the lease from then
    /// on.
    /// </summary>
    public DateTimeOffset? LotsExpireAt { get; init; }
}

/// <param name="Available">What the register could still give.</param>
public sealed record LeaseRefusal(Guid Register, RefusalReason Reason, long Available)
{
    /// <summary>What other leases hold of the register. Null from a ledger that does not say it.</summary>
    public long? Held { get; init; }

    /// <summary>Several sources were asked, and together they would suffice if no lease held any of them.</summary>
    public bool Busy { get; init; }
}

public enum RefusalReason
{
    Exhausted, Frozen, Unknown, LeaseClosed,
    /// <summary>By the ledger's clock it is not the cycle of the counter.</summary>
    CycleOver,
    /// <summary>The lease has lost its slots, because its holder was silent. It lives on for what runs; another must be opened.</summary>
    SlotsFreed,
    /// <summary>
    /// The lease may have been granted from what has expired since. It pays for what runs; anything else needs a new one.
    /// </summary>
    LotExpired,
}

/// <summary>
/// <c>POST /internal/leases/return</c>: gives back exactly what the proxy no longer needs. Idempotent by (lease, fence). The fence counts
/// the returns of a lease apart from its extensions, because the two may cross on the way.
/// </summary>
public sealed record LeaseReturn(Guid Lease, long Fence, IReadOnlyList<Amount> Lines)
{
    /// <summary>
    /// The ledger may have given the lease slots in an answer that was lost. No request runs on it, so all its slots are free, also those
    /// of a call that is still under way.
    /// </summary>
    public bool RenouncesSlots { get; init; }
}

/// <summary>
/// <c>POST /internal/heartbeat</c>: the holder lives, and what runs on its slots. The answer is <see cref="HeartbeatAnswer"/>. Of a
/// holder that has been silent for longer than a moment the slots are freed.
/// </summary>
public sealed record Heartbeat(string Holder)
{
    public static readonly TimeSpan Every = TimeSpan.FromMilliseconds(250);
}

/// <param name="Epoch">Another one than before when the holder was counted as silent meanwhile: the leases that it had then have no slots
/// any more.</param>
public sealed record HeartbeatAnswer(Guid Epoch)
{
    /// <summary>The ledger's clock.</summary>
    public DateTimeOffset Now { get; init; }
}

/// <summary>
/// <c>POST /internal/leases/renew</c>: keeps leases alive while requests run on them, or while their settlements wait.
/// </summary>
/// <param name="HandedOver">The holder renews them no more, because it ends or because the broker is away for long. What they still hold is
/// exactly what the settlements on its disk charge, so they live for <see cref="HandoverSeconds"/>.</param>
public sealed record LeaseRenewal(string Holder, IReadOnlyList<Guid> Leases, bool HandedOver = false)
{
    /// <summary>Most leases of one call. A holder of more makes several calls.</summary>
    public const int MaxLeases = 5_000;

    public const int HandoverSeconds = 24 * 60 * 60;
}

/// <summary>The answer to a <see cref="LeaseRenewal"/>.</summary>
/// <param name="Alive">The leases that live on.</param>
/// <param name="Frozen">Those of them that hold something of a frozen register. What runs on them is paid from them; nothing more may be
/// admitted on them.</param>
public sealed record RenewedLeases(IReadOnlyList<Guid> Alive, IReadOnlyList<Guid> Frozen);

/// <summary>An amount in the register's own unit.</summary>
public sealed record Amount(Guid Register, long Value);

/// <summary>
/// On the Redis channel <see cref="Channel"/>: another request needs what is idle of a register. Every proxy returns it and then says so,
/// whether it held something or not. The ledger waits for that only briefly.
/// </summary>
/// <param name="Except">The lease that asks; it is left alone.</param>
public sealed record Recall(Guid Id, Guid Register, Guid Except)
{
    public const string Channel = "llmgw:recall";

    /// <summary>Further registers.</summary>
    public IReadOnlyList<Guid> Also { get; init; } = [];
}

/// <summary>
/// On the Redis channel <see cref="Channel"/>: a holder has returned what it could. All instances of the ledger hear it, because only one
/// of them has asked.
/// </summary>
public sealed record RecallAnswer(Guid Recall, string Holder)
{
    public const string Channel = "llmgw:recall-answer";
}
