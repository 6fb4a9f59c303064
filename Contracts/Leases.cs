namespace LlmGateway.Contracts;

/// <summary>
/// <c>POST /internal/leases</c>: a proxy asks for amounts of one charge vector, all registers or none. The first call opens the lease, later ones
/// extend it and renew its expiry. What a lease holds is reserved in the ledger, so that nothing a proxy loses can be spent twice.
/// Idempotent by (<paramref name="Lease"/>, <paramref name="Fence"/>): a repeated call gets the first answer's effect once.
/// </summary>
/// <param name="Lease">Chosen by the proxy.</param>
/// <param name="Fence">Counts the calls on this lease from 1; an older one than the ledger has seen is ignored.</param>
/// <param name="Holder">The proxy instance.</param>
public sealed record LeaseRequest(Guid Lease, long Fence, string Holder, IReadOnlyList<LeaseDemand> Lines)
{
    /// <summary>How long a lease lives after its last extension, on the database's clock.</summary>
    public const int TtlSeconds = 60;

    /// <summary>A charge vector is short: wallet, session cap, a few limits.</summary>
    public const int MaxLines = 8;
}

/// <param name="Minimum">Below this the first waiting request is refused.</param>
/// <param name="First">What the first waiting request takes at most. Before it gets less, other holders are asked to give back what lies idle with them.</param>
/// <param name="All">What all waiting requests take at most.</param>
/// <param name="Wanted">What the proxy would like to hold; granted beyond <paramref name="All"/> only from plenty.</param>
public sealed record LeaseDemand(Guid Register, long Minimum, long First, long All, long Wanted);

/// <summary>What the ledger answers: either <see cref="Granted"/> in the order of the lines, or the register that cannot pay.</summary>
public sealed record LeaseAnswer(IReadOnlyList<long>? Granted, LeaseRefusal? Refusal);

/// <param name="Available">What the register could still give.</param>
public sealed record LeaseRefusal(Guid Register, LeaseRefusalReason Reason, long Available);

public enum LeaseRefusalReason { Exhausted, Frozen, Unknown, LeaseClosed }

/// <summary>
/// <c>POST /internal/leases/return</c>: gives back exactly what the proxy no longer needs. Idempotent by (lease, fence); the fence counts the returns of
/// a lease, apart from its extensions, because the two may cross on the way.
/// </summary>
public sealed record LeaseReturn(Guid Lease, long Fence, IReadOnlyList<Amount> Lines);

/// <summary><c>POST /internal/leases/renew</c>: keeps leases alive while requests run on them. Answers with the ids that still are.</summary>
public sealed record LeaseRenewal(string Holder, IReadOnlyList<Guid> Leases);

/// <summary>An amount in the register's own unit.</summary>
public sealed record Amount(Guid Register, long Value);

/// <summary>
/// On the Redis channel <see cref="Channel"/>: another request needs what lies idle of a register. Every proxy gives it back, then says so with
/// <c>POST /internal/recalls</c>, holds or not; the ledger waits for that only briefly.
/// </summary>
/// <param name="Except">The lease that asks.</param>
public sealed record Recall(Guid Id, Guid Register, Guid Except)
{
    public const string Channel = "llmgw:recall";
}

/// <summary>A holder has given back what it could.</summary>
public sealed record RecallAnswer(Guid Recall, string Holder);
