using LlmGateway.ServiceDefaults;

namespace LlmGateway.Proxy;

/// <summary>
/// The part of one claim that this proxy has leased. Requests are admitted from memory while it lasts. When it does not last, one
/// call to the ledger at a time asks for what all waiting requests need, and for more when the call before was recent. A busy slice is
/// refilled before it is empty, so that no request waits.
/// </summary>
public sealed partial class Slice(
    Claim claim, string holder, ILeaseLedger ledger, DeliveryMark delivered, TimeProvider time)
{
    /// <summary>Most requests that wait for one call to the ledger. Further ones get a 503.</summary>
    const int MaxWaiting = 10_000;

    /// <summary>How long a source counts as used up after the ledger has said so.</summary>
    static readonly TimeSpan UsedUpFor = TimeSpan.FromSeconds(1);

    readonly Lock _lock = new();
    /// <summary>The last return. Returns of a lease are numbered and must arrive in order, so each waits for the one before.</summary>
    Task _returns = Task.CompletedTask;
    readonly LinkedList<Waiter> _waiting = [];
    readonly List<HeldLease> _retired = [];
    HeldLease _lease = new(claim.Lines.Count, time, delivered);
    readonly Waiter _nobody = new(new long[claim.Lines.Count], new long[claim.Lines.Count]);
    /// <summary>What the last request that had to wait asked for.</summary>
    long[] _usual = new long[claim.Lines.Count];
    bool _calling, _closed;
    /// <summary>The lease that a call is under way for. What it brings must find its lease, also when that is retired meanwhile.</summary>
    HeldLease? _asked;
    /// <summary>Idle amounts were returned during a call to the ledger. The call's answer assumed them, so it is not final.</summary>
    bool _gaveWhileCalling;
    int _boost;
    /// <summary>The next call is for coming requests; none is waiting.</summary>
    bool _ahead;
    long _lastExtension, _lastUse = time.GetTimestamp();

    public Claim Claim => claim;

    /// <summary>False when the slice is closed.</summary>
    public bool TryReserve(long[] minimum, long[] full, CancellationToken token, out ValueTask<HoldAnswer> answer)
    {
        Waiter waiter;
        lock (_lock)
        {
            answer = default;
            if (_closed)
                return false;
            _lastUse = time.GetTimestamp();
            if (_waiting.Count == 0 && _lease.Usable && TryTake(full) is { } hold)
            {
                answer = new(new HoldAnswer(hold, null));
                RefillAhead(full);
                return true;
            }
            if (_waiting.Count >= MaxWaiting)
                throw new ProblemException(Problems.Unavailable);
            waiter = new(minimum, full);
            _waiting.AddLast(waiter);
            StartCalling();
        }
        answer = new(WaitAsync(waiter, token));
        return true;
    }

    public void Release(HeldLease lease, long[] amounts, ReadOnlySpan<long> used)
    {
        lock (_lock)
        {
            for (var i = 0; i < amounts.Length; i++)
            {
                if (used[i] < 0 || (used[i] > amounts[i] && claim.Lines[i].Counter is null))
                    throw new InvalidOperationException($"settling {used[i]} of a hold of {amounts[i]}");
                lease.Idle[i] += amounts[i] - Math.Min(used[i], amounts[i]);
                lease.InUse[i] -= amounts[i];
            }
            _lastUse = time.GetTimestamp();
        }
    }

    public void Spooled(HeldLease lease, long record)
    {
        lock (_lock)
        {
            lease.LastRecord = Math.Max(lease.LastRecord, record);
            lease.Running--;
        }
    }

    /// <param name="frozen">The lease holds something of a frozen register.</param>
    /// <param name="asked">When the renewal was sent, on the monotonic clock.</param>
    public void Renewed(HeldLease lease, bool alive, bool frozen, long asked)
    {
        lock (_lock)
        {
            lease.Renewed(alive, asked);
            if (frozen)
                Retire(lease);
        }
    }

    /// <summary>Admits nothing more on the current lease, so that the ledger decides about every new request.</summary>
    public void Retire()
    {
        lock (_lock)
            Retire(_lease);
    }

    /// <summary>Leases that something depends on.</summary>
    public IReadOnlyList<HeldLease> LiveLeases()
    {
        lock (_lock)
            return [
                .. _retired.Append(_lease).Where(lease => !lease.Lost && lease.Fence > 0 && (lease.HasDependents || !lease.IsIdleEmpty))
            ];
    }

    /// <summary>
    /// Owed leases, once the slice was not used for so long; nothing more is admitted on them. None while the ledger may still change them.
    /// </summary>
    public IReadOnlyList<HeldLease> OwedLeases(TimeSpan idleTime)
    {
        lock (_lock)
        {
            if (_calling || !_returns.IsCompleted || time.GetElapsedTime(_lastUse) < idleTime)
                return [];
            if (_lease.IsOwed)
                Retire(_lease);
            return _retired.FindAll(lease => lease.IsOwed);
        }
    }

    /// <summary>The lease lives without this proxy until its settlements are booked.</summary>
    public void HandedOver(HeldLease lease)
    {
        lock (_lock)
            _retired.Remove(lease);
    }

    /// <summary>Closes the slice when nothing is left in it.</summary>
    public bool TryClose()
    {
        lock (_lock)
            return _closed = _closed
                || (!_calling && _returns.IsCompleted && _waiting.Count == 0 && _retired.Count == 0
                && _lease.IsDone);
    }

    static async Task<HoldAnswer> WaitAsync(Waiter waiter, CancellationToken token)
    {
        await using var cancelled = token.UnsafeRegister(static state => ((Waiter)state!).Answer.TrySetCanceled(), waiter);
        return await waiter.Answer.Task;
    }

    /// <summary>Serves waiting requests in order, as long as each can have all it may need.</summary>
    void Serve()
    {
        while (_waiting.First is { } node)
        {
            if (!node.Value.Answer.Task.IsCompleted)
            {
                if (!_lease.Usable || TryTake(node.Value.Full) is not { } hold)
                    return;
                Give(node.Value, hold);
            }
            _waiting.RemoveFirst();
        }
    }

    /// <summary>After a grant the first request in line gets at least its minimum, even if nothing else is left.</summary>
    void ServeFirst()
    {
        if (_waiting.First is not { } node)
            return;
        var (needed, idle) = (node.Value.Minimum, _lease.Idle);
        Span<long> take = stackalloc long[idle.Length];
        if (!claim.Covers(idle, needed, _lease.Empty, take))
            return;
        if (!node.Value.Answer.Task.IsCompleted)
            Give(
                node.Value,
                TryTake(node.Value.Full, _lease.Empty) ?? Take([.. node.Value.Full.Select((full, i) => Math.Min(full, idle[i]))]));
        _waiting.RemoveFirst();
    }

    static void Give(Waiter waiter, Hold hold)
    {
        // If the caller has just left, the amounts go back.
        if (!waiter.Answer.TrySetResult(new(hold, null)))
            hold.Void();
    }

    Hold? TryTake(long[] full) => TryTake(full, UsedUpNow);

    /// <summary>Takes what a request needs from what is idle. Null when that does not suffice.</summary>
    /// <param name="passable">Sources that may be passed, one bit for each.</param>
    Hold? TryTake(long[] full, ulong passable)
    {
        Span<long> take = stackalloc long[full.Length];
        if (!claim.Covers(_lease.Idle, full, passable, take))
            return null;
        if (claim.Sources <= 1)
            return Take(full);
        full.AsSpan(0, claim.FirstSource).CopyTo(take);
        return Take(take.ToArray());
    }

    /// <summary>What the ledger said a moment ago of sources that are used up. Other holders may have given back something since.</summary>
    ulong UsedUpNow =>
        _lease.UsedUp != 0 && time.GetElapsedTime(_lease.UsedUpSince) < UsedUpFor ? _lease.UsedUp : 0;

    Hold Take(long[] amounts)
    {
        for (var i = 0; i < amounts.Length; i++)
        {
            _lease.Idle[i] -= amounts[i];
            _lease.InUse[i] += amounts[i];
        }
        _lease.Running++;
        return new(this, _lease, amounts);
    }

    /// <summary>Admits nothing more on a lease. It stays alive for its dependents, and its idle part goes back.</summary>
    void Retire(HeldLease lease)
    {
        if (lease != _lease)
            return;
        _retired.Add(lease);
        _lease = new(claim.Lines.Count, time, delivered);
    }

    /// <summary>The ledger may hold more of the lease than is known here. That ends with the lease.</summary>
    void Doubt(HeldLease lease)
    {
        lease.Uncertain = true;
        lease.OwesSlots = claim.HasSlots;
        Retire(lease);
    }
}
