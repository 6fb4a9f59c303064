using System.Numerics;
using LlmGateway.Contracts;
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

    /// <summary>The caller holds the lock.</summary>
    void RefillAhead(long[] full)
    {
        if (_calling || _boost == 0)
            return;
        // Slots come back as soon as requests end, so a busy slice is always near the end of them.
        // Of the sources only the one that pays now runs short: an empty one stays empty, and the next is asked when its turn comes.
        var paying = claim.FirstSource + BitOperations.TrailingZeroCount(~_lease.Empty);
        for (var i = 0; i < full.Length; i++)
            _ahead |= (i < claim.FirstSource || i == paying) && claim.Lines[i].Kind != AccountKind.Slots
                && _lease.Idle[i] / (_boost / 2) < full[i];
        if (_ahead)
            StartCalling();
    }

    /// <summary>One call at a time; the caller holds the lock.</summary>
    void StartCalling()
    {
        if (_calling)
            return;
        _calling = true;
        _ = CallUntilServedAsync();
    }

    /// <summary>
    /// Asks the ledger until every waiting request is served or refused. Each round ends at least the first of them, or a request that ran
    /// has ended during it and changed what is idle. While some wait, no others begin, so there are no more of those rounds than requests
    /// that run.
    /// </summary>
    async Task CallUntilServedAsync()
    {
        await Task.Yield(); // leaves the caller's lock
        for (; ; )
        {
            LeaseRequest request;
            HeldLease lease;
            lock (_lock)
            {
                Serve();
                if (_waiting.Count == 0 && !_ahead)
                {
                    _calling = false;
                    return;
                }
                request = NextRequest();
                lease = _asked = _lease;
                _gaveWhileCalling = false;
            }
            try
            {
                Failpoint.Hit("proxy.slice.extend");
                var asked = time.GetTimestamp();
                var answer = await ledger.ExtendAsync(request);
                Failpoint.Hit("proxy.slice.extended");
                lock (_lock)
                {
                    _asked = null;
                    Accept(lease, answer, asked);
                }
            }
            catch (Exception e)
            {
                lock (_lock)
                {
                    _asked = null;
                    if (Problems.IsOutage(e) && _waiting.Count == 0 && lease == _lease)
                    {
                        // No request waits. The same question with the same fence gets the answer that was lost.
                        (lease.Fence, lease.Uncertain, _boost, _calling) = (lease.Fence - 1, true, 0, false);
                        lease.OwesSlots = claim.HasSlots;
                        return;
                    }
                    // The ledger may have granted amounts in an answer that was lost. They end with the lease.
                    Doubt(lease);
                    foreach (var waiter in _waiting)
                        waiter.Answer.TrySetException(e);
                    _waiting.Clear();
                    _calling = false;
                }
                return;
            }
        }
    }

    LeaseRequest NextRequest()
    {
        if (_lease.Fence > 0 && !_lease.Usable)
            Retire(_lease);
        _ahead = false;
        var head = _waiting.First?.Value ?? _nobody;
        var lines = new LeaseDemand[claim.Lines.Count];
        if (head != _nobody)
            _usual = head.Full;
        _boost = SliceGrowth.NextBoost(_boost, time.GetElapsedTime(_lastExtension), _waiting.Count);
        for (var i = 0; i < lines.Length; i++)
        {
            var needed = _waiting.Aggregate((Int128)0, (sum, waiter) => sum + waiter.Full[i]);
            // Sources are told what they would pay alone, because only the ledger sees what the one before has.
            var isSource = i >= claim.FirstSource;
            var idle = isSource ? 0 : _lease.Idle[i];
            var first = Math.Max(0, head.Full[i] - idle);
            var all = (long)Int128.Clamp(needed - idle, first, Math.Max(first, long.MaxValue / 2));
            var wanted = (long)Int128.Min((Int128)all + (Int128)_usual[i] * _boost, long.MaxValue);
            var line = claim.Lines[i];
            lines[i] = new(line.Register, Math.Max(0, head.Minimum[i] - idle), first, all, wanted)
            {
                Counter = line.Counter, Idle = isSource ? _lease.Idle[i] : 0, Whole = isSource && line.Unit == Unit.Credits,
                LowMark = line.LowMark,
            };
        }
        return new(_lease.Id, ++_lease.Fence, holder, lines) { FirstSource = claim.FirstSource, Scope = claim.Scope };
    }

    void Accept(HeldLease lease, LeaseAnswer answer, long asked)
    {
        if (answer.Granted is { } granted)
        {
            for (var i = 0; i < granted.Count; i++)
                lease.Idle[i] += granted[i];
            lease.Granted(answer, asked);
            lease.OwesSlots &= lease != _lease; // what was lost has come
            _lastExtension = time.GetTimestamp();
            // If the lease was retired during the call, its grant goes back and the next call asks again.
            if (lease == _lease && !_gaveWhileCalling)
                ServeFirst();
            return;
        }
        var refusal = answer.Refusal!;
        if (refusal.Reason == RefusalReason.LeaseClosed)
        {
            lease.Lost = true;
            return;
        }
        if (refusal.Reason == RefusalReason.SlotsFreed)
        {
            lease.Uncertain = true;
            Retire(lease);
            return;
        }
        // A refused extension leaves the lease in the ledger as it was, one fence lower.
        lease.Fence--;
        if (refusal.Reason == RefusalReason.LotExpired)
        {
            Retire(lease);
            return;
        }
        if (_gaveWhileCalling)
            return;
        var index = claim.Lines.Select((line, i) => (line.Register, i)).First(pair => pair.Register == refusal.Register).i;
        // What other sources have is not known here, so only the first learns of a payment line that is not covered.
        var isKnown = index < claim.FirstSource || claim.Sources == 1;
        // Requests that ended during the call have made idle what the ledger still counted as held.
        refusal = refusal with { Available = refusal.Available + _lease.Idle[index], Held = refusal.Held + _lease.InUse[index] };
        var first = true;
        for (var node = _waiting.First; node is not null;)
        {
            var next = node.Next;
            // Requests that need more than all that is left are refused now, without a call for each. One that needs no more asks again.
            var isRefused = refusal.Reason switch
            {
                RefusalReason.Frozen or RefusalReason.Unknown => true,
                RefusalReason.Exhausted => (first || isKnown) && node.Value.Minimum[index] > refusal.Available,
                _ => first,
            };
            if (isRefused)
            {
                node.Value.Answer.TrySetResult(new(null, refusal));
                _waiting.Remove(node);
            }
            first = false;
            node = next;
        }
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
