using LlmGateway.Contracts;

namespace LlmGateway.Proxy;

/// <summary>What one running request holds of each line of its claim. <see cref="Settle"/> must end it exactly once.</summary>
public sealed class Hold(Slice slice, HeldLease lease, long[] amounts)
{
    int _settled;

    public Guid Lease => lease.Id;

    public Claim Claim => slice.Claim;

    /// <summary>The held amount of each line.</summary>
    public long[] Amounts => amounts;

    /// <summary>
    /// Ends the hold. What was <paramref name="used"/> of each line goes to the ledger with the settlement, and the rest of what was held
    /// is free for the next request.
    /// </summary>
    public void Settle(ReadOnlySpan<long> used)
    {
        if (Interlocked.Exchange(ref _settled, 1) != 0)
            throw new InvalidOperationException($"a hold on lease {lease.Id:N} was settled twice");
        slice.Release(lease, amounts, used);
    }

    /// <summary>The settlement is the spool's record of this number. The lease is kept alive until that is delivered.</summary>
    public void Spooled(long record) => slice.Spooled(lease, record);

    /// <summary>No settlement is on its way, so the lease need not be kept alive for one.</summary>
    public void Delivered() => Spooled(0);

    /// <summary>Ends the hold of a request that costs nothing.</summary>
    public void Void()
    {
        Span<long> nothing = stackalloc long[amounts.Length];
        nothing.Clear();
        Settle(nothing);
        Delivered();
    }
}

/// <summary>The hold that a request asked for, or the ledger's reason why it gets none.</summary>
public readonly record struct HoldAnswer(Hold? Hold, LeaseRefusal? Refusal);
