using System.Collections.Concurrent;
using System.Runtime.InteropServices;
using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Proxy;

/// <summary>
/// Stage 5: the slices of this proxy, one <see cref="Slice"/> per claim. A background loop renews leases that something depends on
/// and returns what is idle, so that other proxies and the customer's last requests can use it.
/// </summary>
public sealed class Slices(RequestGate gate, Spool spool, WalletClient wallet, TimeProvider time, ILogger<Slices> log) : BackgroundService
{
    /// <summary>A slice that was not used for this long goes back to the ledger. While this proxy drains, it goes back at once.</summary>
    static readonly TimeSpan IdleTime = TimeSpan.FromSeconds(2);

    static readonly TimeSpan Tick = TimeSpan.FromMilliseconds(500), RenewEvery = TimeSpan.FromSeconds(15);

    /// <summary>Renewals at a time, each of up to <see cref="LeaseRenewal.MaxLeases"/> leases.</summary>
    const int MaxRenewals = 4;

    /// <summary>
    /// So many slices are given back at once. Each is a call to the ledger, and each call that waits has a connection: when thousands of
    /// streams end together, the calls would take the files that callers and providers need.
    /// </summary>
    public const int ReturnsAtOnce = 256;

    readonly ConcurrentDictionary<Claim, Slice> _slices = new();
    readonly SlicesOfRegisters _ofRegisters = new();
    long _lastRenewal;

    /// <summary>
    /// Holds <paramref name="full"/> of every line. When a register is short, it holds what there is, down to <paramref name="minimum"/>.
    /// All lines or none. Throws when memory does not suffice and the ledger does not answer.
    /// </summary>
    /// <param name="full">Of a source: what it would pay if it paid everything alone.</param>
    public ValueTask<HoldAnswer> ReserveAsync(Claim claim, long[] minimum, long[] full, CancellationToken token)
    {
        for (; ; )
        {
            var slice = _slices.TryGetValue(claim, out var known) ? known : Add(claim);
            // A closed slice admits nothing. It is replaced by a new one.
            if (slice.TryReserve(minimum, full, token, out var answer))
                return answer;
            Remove(slice);
        }
    }

    /// <summary>Leases that hold something, or are being asked for or given back.</summary>
    public int Leases => _slices.Values.Sum(slice => Math.Max(1, slice.LiveLeases().Count));

    /// <summary>Gives back what has been idle for so long, and forgets slices in which nothing is left.</summary>
    public async Task GiveBackAsync(TimeSpan idleTime)
    {
        await TendAsync(_slices.Values, idleTime);
        foreach (var slice in _slices.Values)
            if (slice.TryClose())
                Remove(slice);
    }

    /// <summary>A register was frozen. What is held of it goes back now, and the ledger decides about each new request.</summary>
    public void GiveBack(Guid register) => Retire(_ofRegisters.Of([register]));

    /// <summary>
    /// The ledger has counted this proxy as silent and freed its slots. What runs is over the limit; each new request asks for a slot.
    /// </summary>
    public void SlotsFreed() => Retire(_slices.Values.Where(slice => slice.Claim.HasSlots));

    void Retire(IEnumerable<Slice> slices)
    {
        foreach (var slice in slices)
        {
            slice.Retire();
            _ = TendAsync(slice, IdleTime);
        }
    }

    /// <summary>Another request, at this proxy or another, needs what is idle of a register.</summary>
    public Task RecallAsync(Recall recall)
    {
        Failpoint.Hit("proxy.recall.received");
        return TendAsync(_ofRegisters.Of([recall.Register, .. recall.Also]), TimeSpan.Zero, recall.Except);
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        EdgeMetrics.Observe(
            "gateway.leases", "{lease}", "Leases that this proxy holds", () => _slices.Values.Sum(slice => slice.LiveLeases().Count));
        // Two loops: giving back may take long, and leases that nobody renews end.
        await await Task.WhenAny(
            Loop.RunAsync("idle slices", Tick, _ => GiveBackAsync(gate.IsOpen ? IdleTime : TimeSpan.Zero), log, time, stoppingToken),
            Loop.RunAsync(
                "lease renewal", Tick, _ => time.GetElapsedTime(_lastRenewal) > RenewEvery ? RenewAsync() : Task.CompletedTask, log, time,
                stoppingToken));
    }

    /// <summary>
    /// An orderly stop returns everything. While the broker is away, settlements stay on disk. The leases that are to pay for them are
    /// handed over to the next process, because nobody renews them until then.
    /// </summary>
    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        await base.StopAsync(cancellationToken);
        await TendAsync(_slices.Values, TimeSpan.Zero);
        await RenewAsync(slice => slice.OwedLeases(TimeSpan.Zero), handOver: true);
    }

    Task TendAsync(IEnumerable<Slice> slices, TimeSpan idleTime, Guid except = default) => Parallel.ForEachAsync(
        slices,
        new ParallelOptions { MaxDegreeOfParallelism = ReturnsAtOnce },
        async (slice, _) => await TendAsync(slice, idleTime, except));

    async Task TendAsync(Slice slice, TimeSpan idleTime, Guid except = default)
    {
        try
        {
            await slice.GiveBackIdleAsync(idleTime, except);
        }
        catch (Exception e)
        {
            // One slice that fails must not keep the others' leases from being renewed.
            log.Log(
                Problems.IsOutage(e) ? LogLevel.Warning : LogLevel.Error,
                "an idle slice could not be given back and will expire with its lease: {Message}",
                e.Message);
        }
    }

    /// <summary>
    /// Renews the leases that something depends on. Where that is only settlements that wait for the broker, the lease is handed over and
    /// forgotten: a long outage must not cost memory and a renewal for every customer who has called meanwhile.
    /// </summary>
    public async Task RenewAsync()
    {
        var asked = time.GetTimestamp();
        var handedOver = await RenewAsync(slice => slice.OwedLeases(RenewEvery), handOver: true);
        if (await RenewAsync(slice => slice.LiveLeases(), handOver: false) && handedOver)
            _lastRenewal = asked; // a failed renewal is repeated at the next tick
    }

    /// <summary>False when a part of them could not be renewed.</summary>
    async Task<bool> RenewAsync(Func<Slice, IReadOnlyList<HeldLease>> which, bool handOver)
    {
        var leases = _slices.Values.SelectMany(slice => which(slice).Select(lease => (slice, lease))).Chunk(LeaseRenewal.MaxLeases);
        var done = true;
        await Parallel.ForEachAsync(leases, new ParallelOptions { MaxDegreeOfParallelism = MaxRenewals }, async (some, _) =>
        {
            if (!await RenewAsync(some, handOver))
                Volatile.Write(ref done, false);
        });
        return done;
    }

    async Task<bool> RenewAsync((Slice Slice, HeldLease Lease)[] leases, bool handOver)
    {
        try
        {
            var asked = time.GetTimestamp();
            Failpoint.Hit("proxy.slice.renew");
            var answer = await wallet.RenewAsync(new(spool.Holder, [.. leases.Select(held => held.Lease.Id)], handOver));
            Failpoint.Hit("proxy.slice.renewed");
            var (alive, frozen) = (answer.Alive.ToHashSet(), answer.Frozen.ToHashSet());
            foreach (var (slice, lease) in leases)
            {
                slice.Renewed(lease, alive.Contains(lease.Id), frozen.Contains(lease.Id), asked);
                if (handOver)
                    slice.HandedOver(lease);
            }
            return true;
        }
        catch (Exception e)
        {
            // One part that fails must not keep the others from being renewed.
            log.Log(
                Problems.IsOutage(e) ? LogLevel.Warning : LogLevel.Error,
                "{Count} leases could not be renewed: {Message}",
                leases.Length,
                e.Message);
            return false;
        }
    }

    /// <summary>A recall finds it before it can have anything.</summary>
    Slice Add(Claim claim)
    {
        var slice = new Slice(claim, spool.Holder, wallet, spool.Delivered, time);
        _ofRegisters.Add(slice);
        var added = _slices.GetOrAdd(claim, slice);
        if (added != slice)
            _ofRegisters.Remove(slice);
        return added;
    }

    void Remove(Slice slice)
    {
        if (_slices.TryRemove(new(slice.Claim, slice)))
            _ofRegisters.Remove(slice);
    }
}

/// <summary>Which slices have a register among their lines, so that a recall of one does not look at all.</summary>
public sealed class SlicesOfRegisters
{
    readonly Dictionary<Guid, HashSet<Slice>> _slices = [];

    public void Add(Slice slice)
    {
        lock (_slices)
            foreach (var line in slice.Claim.Lines)
                (CollectionsMarshal.GetValueRefOrAddDefault(_slices, line.Register, out _) ??= []).Add(slice);
    }

    public void Remove(Slice slice)
    {
        lock (_slices)
            foreach (var line in slice.Claim.Lines)
                if (_slices.TryGetValue(line.Register, out var slices) && slices.Remove(slice) && slices.Count == 0)
                    _slices.Remove(line.Register);
    }

    /// <summary>Each once.</summary>
    public IReadOnlyCollection<Slice> Of(IEnumerable<Guid> registers)
    {
        lock (_slices)
            return registers.SelectMany(register => _slices.GetValueOrDefault(register) ?? []).ToHashSet();
    }
}
