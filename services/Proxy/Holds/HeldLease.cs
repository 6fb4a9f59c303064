using LlmGateway.Contracts;

namespace LlmGateway.Proxy;

/// <summary>
/// A lease as its holder sees it. Its slice's lock guards the amounts and fences. Renewals write <see cref="Lost"/> and the time of
/// confirmation without the lock.
/// </summary>
public sealed class HeldLease(int registers, TimeProvider time)
{
    /// <summary>
    /// Admission ends this long before the lease does, so that a slow clock or a long pause cannot admit on a lease that has ended.
    /// </summary>
    static readonly TimeSpan UseFor = TimeSpan.FromSeconds(LeaseRequest.TtlSeconds - 20);

    long _confirmedAt;

    public Guid Id { get; } = Ids.New();
    public long Fence { get; set; }
    public long ReturnFence { get; set; }

    /// <summary>What is reserved in the ledger and not held by a request, for each register.</summary>
    public long[] Idle { get; } = new long[registers];

    /// <summary>Number of requests that hold a part of it, or whose settlement has not been delivered.</summary>
    public int Dependents { get; set; }

    /// <summary>The ledger has ended the lease, or may have. Nothing more is admitted on it.</summary>
    public bool Lost { get; set; }

    public bool Usable => !Lost && Fence > 0 && time.GetElapsedTime(_confirmedAt) < UseFor;

    /// <param name="asked">When the question was sent, on the monotonic clock. The ledger's answer cannot be older.</param>
    public void Renewed(bool alive, long asked)
    {
        if (alive)
            _confirmedAt = asked;
        else
            Lost = true;
    }
}
