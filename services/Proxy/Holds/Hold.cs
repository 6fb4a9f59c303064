using LlmGateway.Contracts;

namespace LlmGateway.Proxy;

/// <summary>What one running request holds of each register of its charge vector. <see cref="Settle"/> must end it exactly once.</summary>
public sealed class Hold(Slice slice, HeldLease lease, long[] amounts)
{
    int _settled;

    public Guid Lease => lease.Id;

    public IReadOnlyList<RegisterRef> Registers => slice.Registers;

    /// <summary>The held amount of each register, in the order of <see cref="Registers"/>.</summary>
    public long[] Amounts => amounts;

    /// <summary>
    /// Ends the hold. <paramref name="used"/> of each register goes to the ledger with the settlement, and the rest is free for the next
    /// request. It throws when more is used than was held.
    /// </summary>
    public void Settle(long used)
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
        Settle(0);
        Delivered();
    }
}

/// <summary>The hold that a request asked for, or the ledger's reason why it gets none.</summary>
public readonly record struct HoldAnswer(Hold? Hold, LeaseRefusal? Refusal);
