using System.Numerics;
using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Proxy;

/// <summary>How a slice asks the ledger: one call at a time, for all who wait.</summary>
public sealed partial class Slice
{
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
        return new(_lease.Id, ++_lease.Fence, holder, lines)
        {
            FirstSource = claim.FirstSource, Scope = claim.Scope, SaysMarks = true,
        };
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
        if (!_gaveWhileCalling)
            Refuse(refusal);
    }

    /// <summary>
    /// Requests that need more than all that is left are refused now, without a call for each. One that needs no more asks again.
    /// </summary>
    void Refuse(LeaseRefusal refusal)
    {
        var index = claim.Lines.Select((line, i) => (line.Register, i)).First(pair => pair.Register == refusal.Register).i;
        // What other sources have is not known here, so only the first learns of a payment line that is not covered.
        var isKnown = index < claim.FirstSource || claim.Sources == 1;
        // Requests that ended during the call have made idle what the ledger still counted as held.
        refusal = refusal with { Available = refusal.Available + _lease.Idle[index], Held = refusal.Held + _lease.InUse[index] };
        var first = true;
        for (var node = _waiting.First; node is not null;)
        {
            var next = node.Next;
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
}
