using LlmGateway.Contracts;

namespace LlmGateway.Proxy;

/// <summary>A lease as its holder sees it. Guarded by its slice's lock.</summary>
public sealed class HeldLease(int registers, TimeProvider time)
{
    /// <summary>Admission ends this long before the lease would, so that a slow clock or a long pause never admits on a dead lease.</summary>
    static readonly TimeSpan UseFor = TimeSpan.FromSeconds(LeaseRequest.TtlSeconds - 20);

    long _confirmedAt;

    public Guid Id { get; } = Ids.New();
    public long Fence { get; set; }
    public long ReturnFence { get; set; }

    /// <summary>Reserved in the ledger and not promised to any request.</summary>
    public long[] Idle { get; } = new long[registers];

    /// <summary>Requests that run on it, or whose settlement has not been delivered.</summary>
    public int Dependents { get; set; }

    /// <summary>The ledger has ended it, or may have: nothing more is admitted on it.</summary>
    public bool Lost { get; set; }

    public bool Usable => !Lost && Fence > 0 && time.GetElapsedTime(_confirmedAt) < UseFor;

    /// <param name="asked">When the question left, on the monotonic clock: the ledger's answer cannot be older.</param>
    public void Renewed(bool alive, long asked)
    {
        if (alive)
            _confirmedAt = asked;
        else
            Lost = true;
    }
}
