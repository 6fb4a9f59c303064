using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Proxy;

public sealed partial class Slice
{
    /// <summary>
    /// Returns what is idle when the slice has not been used for <paramref name="idleTime"/>, and what retired leases still hold.
    /// </summary>
    /// <param name="except">A lease that is just asking for more; it is left alone.</param>
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
        await Task.Yield(); // leaves the caller's lock
        await before.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ContinueOnCapturedContext);
        while (NextReturn(idleTime, except) is var (lease, give))
        {
            try
            {
                Failpoint.Hit("proxy.slice.return");
                await ledger.ReturnAsync(give);
                Failpoint.Hit("proxy.slice.returned");
                lock (_lock)
                    lease.OwesSlots &= !give.RenouncesSlots;
            }
            catch
            {
                // It is unknown whether the amounts went back. Nothing more is admitted on the lease; what it still holds ends with it in
                // the ledger.
                lock (_lock)
                    Doubt(lease);
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
            // A call for more may be under way. Nobody may be admitted on slots that it brings.
            if (lease.OwesSlots)
                Retire(lease);
            var give = new LeaseReturn(
                lease.Id, ++lease.ReturnFence, [.. claim.Lines.Select((line, i) => new Amount(line.Register, lease.Idle[i]))])
            {
                RenouncesSlots = lease.OwesSlots && lease.Running == 0,
            };
            Array.Clear(lease.Idle);
            _gaveWhileCalling = _calling;
            _boost = 0;
            return (lease, give);
        }
    }

    /// <summary>A lease with something to give back; the caller holds the lock.</summary>
    HeldLease? FindIdle(TimeSpan idleTime, Guid except)
    {
        _retired.RemoveAll(old => old.IsDone && old != _asked);
        var unused = (_lease.IsOver || time.GetElapsedTime(_lastUse) >= idleTime)
            && !_lease.Lost && _lease.Id != except && _lease.HasSomethingToReturn;
        return _retired.Find(old => old.HasSomethingToReturn) ?? (unused ? _lease : null);
    }
}
