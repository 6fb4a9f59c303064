using System.Collections.Concurrent;
using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Proxy;

/// <summary>
/// Stage 5: what this proxy holds of customers' registers, one <see cref="Slice"/> per charge vector. A background loop keeps leases alive while
/// something depends on them, and gives back what lies idle, so that another proxy, or the customer's last request, finds it.
/// </summary>
public sealed class Slices(Intake intake, Spool spool, WalletClient wallet, TimeProvider time, ILogger<Slices> log) : BackgroundService
{
    /// <summary>A slice that nobody used for this long goes back to the ledger; while this proxy drains, at once.</summary>
    static readonly TimeSpan IdleTime = TimeSpan.FromSeconds(2);

    static readonly TimeSpan Tick = TimeSpan.FromMilliseconds(500), RenewEvery = TimeSpan.FromSeconds(15);

    readonly ConcurrentDictionary<IReadOnlyList<RegisterRef>, Slice> _slices = new(new SameRegisters());
    long _lastRenewal;

    /// <summary>
    /// Reserves <paramref name="full"/> of every register, or, when some register is short, as much as it can give down to <paramref name="minimum"/>.
    /// All registers or none. Throws when the ledger does not answer and memory does not suffice.
    /// </summary>
    public ValueTask<Reservation> ReserveAsync(IReadOnlyList<RegisterRef> registers, long[] minimum, long[] full, CancellationToken token)
    {
        for (; ; )
        {
            var slice = _slices.GetOrAdd(registers, static (registers, self) => self.New(registers), this);
            // A slice that was just given back for good takes no one; the next one does.
            if (slice.TryReserve(minimum, full, token, out var reservation))
                return reservation;
            _slices.TryRemove(new(registers, slice));
        }
    }

    /// <summary>Leases that hold something, or are just being asked for or given back.</summary>
    public int Leases => _slices.Values.Sum(slice => Math.Max(1, slice.LiveLeases().Count));

    /// <summary>Gives back what has been idle for so long, and forgets slices in which nothing is left.</summary>
    public async Task GiveBackAsync(TimeSpan idleTime)
    {
        await Task.WhenAll(_slices.Values.Select(slice => TendAsync(slice, idleTime)));
        foreach (var (key, slice) in _slices)
            if (slice.TryClose())
                _slices.TryRemove(new(key, slice));
    }

    /// <summary>A register was frozen: what is held of it goes back now, and the ledger decides about each new request.</summary>
    public void GiveBack(Guid register)
    {
        foreach (var slice in _slices.Values)
            if (slice.Registers.Any(own => own.Id == register))
            {
                slice.Retire();
                _ = TendAsync(slice, IdleTime);
            }
    }

    /// <summary>Another request, here or at another proxy, needs what lies idle of a register.</summary>
    public async Task RecallAsync(Recall recall)
    {
        Failpoint.Hit("proxy.recall.received");
        var holding = _slices.Values.Where(slice => slice.Registers.Any(own => own.Id == recall.Register));
        await Task.WhenAll(holding.Select(slice => TendAsync(slice, TimeSpan.Zero, recall.Except)));
        try
        {
            Failpoint.Hit("proxy.recall.returned");
            await wallet.AnswerAsync(new(recall.Id, spool.Holder));
        }
        catch (Exception e) when (Problems.IsOutage(e))
        {
            log.LogDebug("a recall could not be answered: {Message}", e.Message);
        }
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Tick, time);
        while (await timer.WaitForNextTickAsync(stoppingToken))
        {
            await GiveBackAsync(intake.IsOpen ? IdleTime : TimeSpan.Zero);
            if (time.GetElapsedTime(_lastRenewal) > RenewEvery)
                await RenewAsync();
        }
    }

    /// <summary>An orderly stop leaves nothing reserved.</summary>
    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        await base.StopAsync(cancellationToken);
        await Task.WhenAll(_slices.Values.Select(slice => TendAsync(slice, TimeSpan.Zero)));
    }

    async Task TendAsync(Slice slice, TimeSpan idleTime, Guid except = default)
    {
        try
        {
            await slice.GiveBackIdleAsync(idleTime, except);
        }
        catch (Exception e) when (Problems.IsOutage(e))
        {
            log.LogWarning("an idle slice could not be given back and will expire with its lease: {Message}", e.Message);
        }
    }

    async Task RenewAsync()
    {
        var leases = _slices.Values.SelectMany(slice => slice.LiveLeases()).ToDictionary(lease => lease.Id);
        if (leases.Count == 0)
            return;
        try
        {
            var asked = time.GetTimestamp();
            Failpoint.Hit("proxy.slice.renew");
            var alive = (await wallet.RenewAsync(new(spool.Holder, [.. leases.Keys]))).ToHashSet();
            Failpoint.Hit("proxy.slice.renewed");
            foreach (var (id, lease) in leases)
                lease.Renewed(alive.Contains(id), asked);
            _lastRenewal = asked; // a failed renewal is repeated at the next tick, so that the ledger hears of us as soon as it is back
        }
        catch (Exception e) when (Problems.IsOutage(e))
        {
            log.LogWarning("leases could not be renewed: {Message}", e.Message);
        }
    }

    Slice New(IReadOnlyList<RegisterRef> registers) => new(registers, spool.Holder, wallet, time);

    /// <summary>Vectors of the same registers in the same order are one.</summary>
    sealed class SameRegisters : IEqualityComparer<IReadOnlyList<RegisterRef>>
    {
        public bool Equals(IReadOnlyList<RegisterRef>? a, IReadOnlyList<RegisterRef>? b)
        {
            if (a?.Count != b?.Count)
                return false;
            for (var i = 0; i < a?.Count; i++)
                if (a[i].Id != b![i].Id)
                    return false;
            return true;
        }

        public int GetHashCode(IReadOnlyList<RegisterRef> registers) => registers[0].Id.GetHashCode();
    }
}

/// <summary>A reservation, or the reason why there is none.</summary>
public readonly record struct Reservation(Hold? Hold, LeaseRefusal? Refusal);

/// <summary>What one running request holds: an amount of each register of its vector. Must be ended by <see cref="Settle"/> exactly once.</summary>
public sealed class Hold(Slice slice, HeldLease lease, long[] amounts)
{
    int _settled;

    public Guid Lease => lease.Id;

    public IReadOnlyList<RegisterRef> Registers => slice.Registers;

    /// <summary>Reserved per register, in the order of <see cref="Registers"/>.</summary>
    public long[] Amounts => amounts;

    /// <summary>Ends the hold: <paramref name="used"/> of each register goes to the ledger with the settlement, the rest is free for the next request. Never above what was held.</summary>
    public void Settle(long used)
    {
        if (Interlocked.Exchange(ref _settled, 1) != 0)
            throw new InvalidOperationException($"a hold on lease {lease.Id:N} was settled twice");
        slice.Release(lease, amounts, used);
    }

    /// <summary>The settlement has left this process for good: the lease need not be kept alive for it any longer.</summary>
    public void Delivered() => slice.Delivered(lease);

    /// <summary>Ends the hold of a request that costs nothing.</summary>
    public void Void()
    {
        Settle(0);
        Delivered();
    }
}
