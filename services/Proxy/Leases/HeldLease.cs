using LlmGateway.Contracts;

namespace LlmGateway.Proxy;

/// <summary>A lease as its holder sees it. Its slice's lock guards all of it.</summary>
public sealed class HeldLease(int registers, TimeProvider time, DeliveryMark delivered)
{
    /// <summary>
    /// Admission ends this long before the lease does, so that a slow clock or a long pause cannot admit on a lease that has ended.
    /// </summary>
    static readonly TimeSpan UseFor = TimeSpan.FromSeconds(LeaseRequest.TtlSeconds - 20);

    long _confirmedAt, _leftSince;
    TimeSpan? _left;

    public Guid Id { get; } = Ids.New();
    public long Fence { get; set; }
    public long ReturnFence { get; set; }

    /// <summary>What is reserved in the ledger and not held by a request, for each register.</summary>
    public long[] Idle { get; } = new long[registers];

    /// <summary>What running requests hold, for each register.</summary>
    public long[] InUse { get; } = new long[registers];

    /// <inheritdoc cref="LeaseAnswer.Empty"/>
    public ulong Empty { get; private set; }

    /// <inheritdoc cref="LeaseAnswer.UsedUp"/>
    public ulong UsedUp { get; private set; }

    /// <summary>When <see cref="UsedUp"/> was asked for.</summary>
    public long UsedUpSince { get; private set; }

    /// <summary>Number of requests that hold a part of it, and of settlements that are not on disk.</summary>
    public int Running { get; set; }

    /// <summary>The spool's number of the last settlement that is to be paid from it.</summary>
    public long LastRecord { get; set; }

    /// <summary>A call was not answered, so the ledger may hold more of it than is known here.</summary>
    public bool Uncertain { get; set; }

    /// <summary>
    /// It may have slots in the ledger that nobody here knows of. They are given back when no request runs on it any more.
    /// </summary>
    public bool OwesSlots { get; set; }

    /// <summary>The ledger has ended the lease, or may have. Nothing more is admitted on it.</summary>
    public bool Lost { get; set; }

    public bool Usable => !Lost && Fence > 0 && !IsOver && time.GetElapsedTime(_confirmedAt) < UseFor;

    /// <summary>Something has expired that it may have been granted from. What is idle of it goes back.</summary>
    public bool IsOver => _left is { } left && time.GetElapsedTime(_leftSince) >= left;

    /// <summary>Requests, or settlements on their way, are to be paid from it.</summary>
    public bool HasDependents => Running > 0 || LastRecord > delivered.Count;

    /// <summary>It holds in the ledger exactly what settlements on disk charge.</summary>
    public bool IsOwed => !Lost && !Uncertain && Running == 0 && IsIdleEmpty && HasDependents;

    public bool HasSomethingToReturn => !IsIdleEmpty || (OwesSlots && Running == 0);

    /// <summary>Nothing is left of it.</summary>
    public bool IsDone => Lost || (!HasDependents && IsIdleEmpty && !OwesSlots);

    public bool IsIdleEmpty => Array.TrueForAll(Idle, amount => amount == 0);

    /// <summary>The lease was granted, and lasts until something expires. The ledger's clock says how long that is.</summary>
    /// <param name="asked">When the question was sent: the ledger has read its clock later.</param>
    public void Granted(LeaseAnswer answer, long asked)
    {
        (Empty, UsedUp, UsedUpSince) = (answer.Empty, answer.UsedUp, asked);
        (_left, _leftSince) = (answer.LotsExpireAt - answer.Now, asked);
        Renewed(alive: true, asked);
    }

    /// <param name="asked">When the question was sent, on the monotonic clock. The ledger's answer cannot be older.</param>
    public void Renewed(bool alive, long asked)
    {
        if (alive)
            _confirmedAt = asked;
        else
            Lost = true;
    }
}
