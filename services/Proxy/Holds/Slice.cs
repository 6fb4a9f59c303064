using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Proxy;

/// <summary>
/// What this proxy holds of one charge vector. Requests are admitted from memory while it lasts; when it does not, one call to the ledger at a time
/// asks for what all waiting requests need, and for more when the last call was just now. A busy slice is refilled before it is empty, so that nobody waits.
/// </summary>
public sealed class Slice(IReadOnlyList<RegisterRef> registers, string holder, WalletClient wallet, TimeProvider time)
{
    /// <summary>Requests that may wait for one call to the ledger; more are told to come back.</summary>
    const int MaxWaiting = 10_000;

    /// <summary>A busy slice grows from and to so many times the usual request, as long as the ledger has plenty.</summary>
    const int LeastBoost = 4, MaxBoost = 16 * 1024;

    /// <summary>What a slice grows by: what it lasted too short by, within bounds. Only doubled, a busy wallet would take a dozen calls to the ledger, and wait for each.</summary>
    const int MinGrowth = 2, MaxGrowth = 16;

    /// <summary>A slice that lasts less than <see cref="TooShort"/> grows, so that a pause of the ledger is not felt; one that lasts longer than <see cref="Quiet"/> starts small again.</summary>
    static readonly TimeSpan TooShort = TimeSpan.FromMilliseconds(500), Quiet = TimeSpan.FromSeconds(2);

    readonly Lock _lock = new();
    /// <summary>Returns of a lease are counted, so they must arrive in order: each waits for the one before.</summary>
    Task _returns = Task.CompletedTask;
    readonly LinkedList<Waiter> _waiting = [];
    readonly List<HeldLease> _retired = [];
    HeldLease _lease = new(registers.Count, time);
    readonly Waiter _nobody = new(new long[registers.Count], new long[registers.Count]);
    /// <summary>What the last request that had to wait asked for.</summary>
    long[] _usual = new long[registers.Count];
    bool _calling, _closed;
    /// <summary>Idle amounts went back while a call was under way: its answer counted on them and is not final.</summary>
    bool _gaveWhileCalling;
    int _boost;
    /// <summary>The next call is for what comes, not for who waits.</summary>
    bool _ahead;
    long _lastExtension, _lastUse = time.GetTimestamp();

    public IReadOnlyList<RegisterRef> Registers => registers;

    /// <summary>False when the slice has been closed for good.</summary>
    public bool TryReserve(long[] minimum, long[] full, CancellationToken token, out ValueTask<HoldAnswer> answer)
    {
        Waiter waiter;
        lock (_lock)
        {
            answer = default;
            if (_closed)
                return false;
            _lastUse = time.GetTimestamp();
            if (_waiting.Count == 0 && _lease.Usable && Covers(_lease.Idle, full))
            {
                answer = new(new HoldAnswer(Take(full), null));
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

    public void Release(HeldLease lease, long[] amounts, long used)
    {
        lock (_lock)
        {
            for (var i = 0; i < amounts.Length; i++)
            {
                if (used < 0 || used > amounts[i])
                    throw new InvalidOperationException($"settling {used} of a hold of {amounts[i]}");
                lease.Idle[i] += amounts[i] - used;
            }
            _lastUse = time.GetTimestamp();
        }
    }

    public void Delivered(HeldLease lease)
    {
        lock (_lock)
            lease.Dependents--;
    }

    /// <summary>Gives back what is idle when the slice has not been used for <paramref name="idleTime"/>, and what retired leases still hold.</summary>
    /// <param name="except">A lease that asks for more itself right now.</param>
    public Task GiveBackIdleAsync(TimeSpan idleTime, Guid except = default)
    {
        lock (_lock)
        {
            return _returns.IsCompleted && FindIdle(idleTime, except) is null
                ? Task.CompletedTask
                : _returns = GiveBackAfterAsync(_returns, idleTime, except);
        }
    }

    async Task GiveBackAfterAsync(Task before, TimeSpan idleTime, Guid except)
    {
        await Task.Yield(); // out of the caller's lock
        await before.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        while (NextReturn(idleTime, except) is var (lease, give))
        {
            try
            {
                Failpoint.Hit("proxy.slice.return");
                await wallet.ReturnAsync(give);
                Failpoint.Hit("proxy.slice.returned");
            }
            catch
            {
                // Whether it went back is not known: admit nothing more on the lease; what it still holds expires in the ledger.
                lock (_lock)
                    Retire(lease);
                throw;
            }
        }
    }

    (HeldLease Lease, LeaseReturn Return)? NextReturn(TimeSpan idleTime, Guid except)
    {
        lock (_lock)
        {
            if (FindIdle(idleTime, except) is not { } lease)
                return null;
            var give = new LeaseReturn(lease.Id, ++lease.ReturnFence, [.. registers.Select((register, i) => new Amount(register.Id, lease.Idle[i]))]);
            Array.Clear(lease.Idle);
            _gaveWhileCalling = _calling;
            _boost = 0;
            return (lease, give);
        }
    }

    /// <summary>A lease with something to give back; the caller holds the lock.</summary>
    HeldLease? FindIdle(TimeSpan idleTime, Guid except)
    {
        _retired.RemoveAll(old => old.Lost || (old.Dependents == 0 && IsEmpty(old.Idle)));
        var unused = time.GetElapsedTime(_lastUse) >= idleTime && !_lease.Lost && _lease.Id != except && !IsEmpty(_lease.Idle);
        return _retired.Find(old => !IsEmpty(old.Idle)) ?? (unused ? _lease : null);
    }

    /// <summary>Admits nothing more on what is held now: the ledger decides about every new request.</summary>
    public void Retire()
    {
        lock (_lock)
            Retire(_lease);
    }

    /// <summary>Leases that something depends on.</summary>
    public IReadOnlyList<HeldLease> LiveLeases()
    {
        lock (_lock)
            return [.. _retired.Append(_lease).Where(lease => !lease.Lost && lease.Fence > 0 && (lease.Dependents > 0 || !IsEmpty(lease.Idle)))];
    }

    /// <summary>Closes the slice when nothing is left in it.</summary>
    public bool TryClose()
    {
        lock (_lock)
            return _closed = _closed || (!_calling && _returns.IsCompleted && _waiting.Count == 0 && _retired.Count == 0 && (_lease.Lost || (_lease.Dependents == 0 && IsEmpty(_lease.Idle))));
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
        for (var i = 0; i < full.Length; i++)
            _ahead |= _lease.Idle[i] / (_boost / 2) < full[i];
        if (_ahead)
            StartCalling();
    }

    /// <summary>One call at a time; the caller holds the lock.</summary>
    void StartCalling()
    {
        if (_calling)
            return;
        _calling = true;
        _ = Task.Run(CallUntilServedAsync);
    }

    /// <summary>Asks the ledger until every waiting request is served or refused. Each round ends at least the first of them.</summary>
    async Task CallUntilServedAsync()
    {
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
                lease = _lease;
                _gaveWhileCalling = false;
            }
            try
            {
                Failpoint.Hit("proxy.slice.extend");
                var asked = time.GetTimestamp();
                var answer = await wallet.ExtendAsync(request);
                Failpoint.Hit("proxy.slice.extended");
                lock (_lock)
                    Accept(lease, answer, asked);
            }
            catch (Exception e)
            {
                lock (_lock)
                {
                    if (Problems.IsOutage(e) && _waiting.Count == 0 && lease == _lease)
                    {
                        // Nobody needs it yet. The same question again, by its fence, gets the answer that was not heard.
                        (lease.Fence, _boost, _calling) = (lease.Fence - 1, 0, false);
                        return;
                    }
                    // The ledger may have granted what we never heard of: leave that to the lease's expiry.
                    Retire(lease);
                    foreach (var waiter in _waiting)
                        waiter.Answer.TrySetException(e);
                    _waiting.Clear();
                    _calling = false;
                }
                return;
            }
        }
    }

    /// <summary>How many usual requests the next call asks for beyond those that wait.</summary>
    /// <param name="lasted">Since the last call was answered.</param>
    public static int NextBoost(int boost, TimeSpan lasted, int waiting) =>
        lasted > Quiet ? 0 : lasted > TooShort ? boost : Math.Clamp(boost * (int)Math.Clamp(TooShort / lasted, MinGrowth, MaxGrowth), Math.Max(LeastBoost, waiting), MaxBoost);

    LeaseRequest NextRequest()
    {
        if (_lease.Fence > 0 && !_lease.Usable)
            Retire(_lease);
        _ahead = false;
        var head = _waiting.First?.Value ?? _nobody;
        var lines = new LeaseDemand[registers.Count];
        if (head != _nobody)
            _usual = head.Full;
        _boost = NextBoost(_boost, time.GetElapsedTime(_lastExtension), _waiting.Count);
        for (var i = 0; i < lines.Length; i++)
        {
            var needed = _waiting.Aggregate((Int128)0, (sum, waiter) => sum + waiter.Full[i]);
            var idle = _lease.Idle[i];
            var first = Math.Max(0, head.Full[i] - idle);
            var all = (long)Int128.Clamp(needed - idle, first, long.MaxValue / 2);
            var wanted = (long)Int128.Min((Int128)all + (Int128)_usual[i] * _boost, long.MaxValue);
            lines[i] = new(registers[i].Id, Math.Max(0, head.Minimum[i] - idle), first, all, wanted);
        }
        return new(_lease.Id, ++_lease.Fence, holder, lines);
    }

    void Accept(HeldLease lease, LeaseAnswer answer, long asked)
    {
        if (answer.Granted is { } granted)
        {
            for (var i = 0; i < granted.Count; i++)
                lease.Idle[i] += granted[i];
            lease.Renewed(alive: true, asked);
            _lastExtension = time.GetTimestamp();
            // Retired while the call was under way: what it brought goes back, and the next call asks anew.
            if (lease == _lease && !_gaveWhileCalling)
                ServeFirst();
            return;
        }
        var refusal = answer.Refusal!;
        if (refusal.Reason == LeaseRefusalReason.LeaseClosed)
        {
            lease.Lost = true;
            return;
        }
        // A refused extension leaves the lease as the ledger knew it, one fence back.
        lease.Fence--;
        if (_gaveWhileCalling)
            return;
        var index = registers.Select((register, i) => (register.Id, i)).First(pair => pair.Id == refusal.Register).i;
        var first = true;
        for (var node = _waiting.First; node is not null;)
        {
            var next = node.Next;
            // Those who need more than everything that is left are told now, without a call each.
            if (first || refusal.Reason != LeaseRefusalReason.Exhausted || node.Value.Minimum[index] - _lease.Idle[index] > refusal.Available)
            {
                node.Value.Answer.TrySetResult(new(null, refusal with { Available = refusal.Available + _lease.Idle[index] }));
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
                if (!_lease.Usable || !Covers(_lease.Idle, node.Value.Full))
                    return;
                Give(node.Value, node.Value.Full);
            }
            _waiting.RemoveFirst();
        }
    }

    /// <summary>After a grant the first one in line gets at least its minimum, even when that is all there is.</summary>
    void ServeFirst()
    {
        if (_waiting.First is not { } node || !Covers(_lease.Idle, node.Value.Minimum))
            return;
        if (!node.Value.Answer.Task.IsCompleted)
            Give(node.Value, [.. node.Value.Full.Select((full, i) => Math.Min(full, _lease.Idle[i]))]);
        _waiting.RemoveFirst();
    }

    void Give(Waiter waiter, long[] amounts)
    {
        var hold = Take(amounts);
        // The caller may have left this very moment: then nothing was taken after all.
        if (!waiter.Answer.TrySetResult(new(hold, null)))
            hold.Void();
    }

    Hold Take(long[] amounts)
    {
        for (var i = 0; i < amounts.Length; i++)
            _lease.Idle[i] -= amounts[i];
        _lease.Dependents++;
        return new(this, _lease, amounts);
    }

    /// <summary>Admits nothing more on a lease; it stays alive for what depends on it, and its idle part goes back.</summary>
    void Retire(HeldLease lease)
    {
        if (lease != _lease)
            return;
        _retired.Add(lease);
        _lease = new(registers.Count, time);
    }

    static bool Covers(long[] idle, long[] needed)
    {
        for (var i = 0; i < idle.Length; i++)
            if (idle[i] < needed[i])
                return false;
        return true;
    }

    static bool IsEmpty(long[] amounts) => Array.TrueForAll(amounts, amount => amount == 0);

    sealed class Waiter(long[] minimum, long[] full)
    {
        public long[] Minimum => minimum;
        public long[] Full => full;
        public TaskCompletionSource<HoldAnswer> Answer { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
