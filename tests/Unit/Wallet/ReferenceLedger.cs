using LlmGateway.Contracts;
using LlmGateway.Wallet;

namespace LlmGateway.UnitTests.Wallet;

/// <summary>
/// A second, plain implementation of the ledger: no cached sums, no versions, no books. Reserved amounts are added up from the leases each
/// time, and house accounts are whatever makes the sums zero. It is slow and easy to check by reading. <see cref="LedgerModelTests"/>
/// compares the real ledger with it.
/// </summary>
sealed class ReferenceLedger
{
    public sealed class ModelLease
    {
        public long Fence, ReturnFence;
        public DateTimeOffset ExpiresAt;
        public bool Expired;
        public Dictionary<Guid, long> Held = [];
        public Dictionary<Guid, long> LastGranted = [];
    }

    public Dictionary<Guid, (AccountKind Kind, Unit Unit, long Posted)> Registers { get; } = [];
    public Dictionary<Guid, ModelLease> Leases { get; } = [];
    public HashSet<Guid> Frozen { get; } = [];
    public long Charged { get; private set; }
    public long Absorbed { get; private set; }

    readonly HashSet<Guid> _done = [];

    /// <summary>Settled requests: what they cost by now, and of it what the wallet paid; null when no wallet was asked.</summary>
    readonly Dictionary<Guid, (long Cost, long? Paid)> _requests = [];

    public long Reserved(Guid register) => Leases.Values.Sum(lease => lease.Held.GetValueOrDefault(register));

    long Available(Guid register) => Registers[register].Posted - Reserved(register);

    public Answer Apply(Command command, DateTimeOffset now) => command switch
    {
        Open open => Apply(open.Register),
        Adjust adjust => Apply(adjust),
        Freeze freeze => Apply(freeze),
        Extend extend => Apply(extend, now),
        GiveBack giveBack => Apply(giveBack.Return),
        Expire expire => Apply(expire, now),
        Settle settle => Apply(settle.Settlement),
        Rerate rerate => Apply(rerate),
        _ => throw new ArgumentException(command.ToString()),
    };

    public void Exists(OpenRegister open) => Registers.TryAdd(open.Id, (open.Kind, open.Unit, 0));

    Answer.Done Apply(OpenRegister open)
    {
        if (open.Initial == 0 || !_done.Add(Ids.Derive(open.Id, "initial")))
            return new(Repeated: true);
        Add(open.Id, open.Initial);
        return new();
    }

    Answer Apply(Adjust adjust)
    {
        if (_done.Contains(adjust.Id))
            return new Answer.Done(Repeated: true);
        if (!Registers.TryGetValue(adjust.Wallet, out var register) || register.Kind != AccountKind.Wallet)
            return new Answer.Refused(adjust.Wallet, LeaseRefusalReason.Unknown, 0);
        if (Available(adjust.Wallet) + adjust.Amount < 0)
            return new Answer.Refused(adjust.Wallet, LeaseRefusalReason.Exhausted, Available(adjust.Wallet));
        _done.Add(adjust.Id);
        Add(adjust.Wallet, adjust.Amount);
        return new Answer.Done();
    }

    Answer Apply(Freeze freeze)
    {
        if (!Registers.TryGetValue(freeze.Wallet, out var register) || register.Kind != AccountKind.Wallet)
            return new Answer.Refused(freeze.Wallet, LeaseRefusalReason.Unknown, 0);
        return new Answer.Done(Repeated: !(freeze.Frozen ? Frozen.Add(freeze.Wallet) : Frozen.Remove(freeze.Wallet)));
    }

    Answer Apply(Extend extend, DateTimeOffset now)
    {
        var request = extend.Request;
        // A repeated call gets the first answer and is a word from the holder like any other, unless the lease has ended.
        if (Leases.TryGetValue(request.Lease, out var lease) && !lease.Expired && lease.Fence == request.Fence)
        {
            lease.ExpiresAt = now.AddSeconds(LeaseRequest.TtlSeconds);
            return new Answer.Granted([.. request.Lines.Select(line => lease.LastGranted.GetValueOrDefault(line.Register))]);
        }
        // docs/money.md: a lease that has ended cannot be extended, whether the ledger still has it or has forgotten it.
        if (lease is null ? request.Fence != 1 : lease.Expired || request.Fence < lease.Fence)
            return new Answer.Refused(request.Lines[0].Register, LeaseRefusalReason.LeaseClosed, 0);

        Answer? shortage = null;
        foreach (var line in request.Lines)
        {
            if (!Registers.ContainsKey(line.Register))
                return new Answer.Refused(line.Register, LeaseRefusalReason.Unknown, 0);
            var available = Available(line.Register);
            if (Frozen.Contains(line.Register))
                return new Answer.Refused(line.Register, LeaseRefusalReason.Frozen, available);
            var withOthers = Reserved(line.Register) - (lease?.Held.GetValueOrDefault(line.Register) ?? 0) > 0;
            if (available < line.First && withOthers && !extend.Final)
                shortage ??= new Answer.Shortage(line.Register);
            else if (available < line.Minimum)
                return new Answer.Refused(line.Register, LeaseRefusalReason.Exhausted, available);
        }
        if (shortage is not null)
            return shortage;

        lease ??= Leases[request.Lease] = new();
        (lease.Fence, lease.ExpiresAt) = (request.Fence, now.AddSeconds(LeaseRequest.TtlSeconds));
        var granted = new List<long>();
        foreach (var line in request.Lines)
        {
            var available = Available(line.Register);
            var amount = available < line.All ? available : line.All + Math.Min(line.Wanted - line.All, (available - line.All) / 16);
            lease.Held[line.Register] = lease.Held.GetValueOrDefault(line.Register) + amount;
            lease.LastGranted[line.Register] = amount;
            granted.Add(amount);
        }
        return new Answer.Granted(granted);
    }

    Answer.Done Apply(LeaseReturn give)
    {
        if (!Leases.TryGetValue(give.Lease, out var lease) || lease.Expired || give.Fence <= lease.ReturnFence)
            return new(Repeated: true);
        lease.ReturnFence = give.Fence;
        foreach (var line in give.Lines)
            lease.Held[line.Register] -= line.Value;
        return new();
    }

    Answer.Done Apply(Expire expire, DateTimeOffset now)
    {
        if (!Leases.TryGetValue(expire.LeaseId, out var lease) || lease.Expired || lease.ExpiresAt > now)
            return new(Repeated: true);
        lease.Expired = true;
        lease.Held.Clear();
        return new();
    }

    Answer.Done Apply(Settlement settlement)
    {
        if (!_done.Add(settlement.RequestId))
            return new(Repeated: true);
        var lease = settlement.Lease is { } id ? Leases.GetValueOrDefault(id) : null;
        _requests[settlement.RequestId] = (settlement.Usage.Cost.Nanos, null);
        foreach (var charge in settlement.Charges)
        {
            var held = Math.Min(charge.Value, lease?.Held.GetValueOrDefault(charge.Register) ?? 0);
            var free = Math.Min(charge.Value - held, Available(charge.Register));
            if (held > 0)
                lease!.Held[charge.Register] -= held;
            Add(charge.Register, -held - free);
            if (Registers[charge.Register].Unit != Unit.Usd)
                continue;
            Charged += held + free;
            Absorbed += settlement.Usage.Cost.Nanos - held - free;
            _requests[settlement.RequestId] = (settlement.Usage.Cost.Nanos, held + free);
        }
        return new();
    }

    /// <summary>
    /// The wallet ends up with having paid the new cost, but no more than it can and not less than that; of a batch no more than it has
    /// paid.
    /// </summary>
    Answer.Done Apply(Rerate rerate)
    {
        if (_done.Contains(rerate.Movement!.Value))
            return new(Repeated: true);
        var (cost, paid) = _requests[rerate.RequestId];
        if (cost == rerate.Cost)
            return new();
        _done.Add(rerate.Movement!.Value);
        var hasWallet = rerate.Wallet is { } id && Registers.ContainsKey(id);
        if (paid is null && cost == 0 && hasWallet)
            paid = 0; // a request that was free by mistake
        _requests[rerate.RequestId] = (rerate.Cost, paid);
        if (paid is not { } before)
            return new();
        var after = rerate.Cost < cost
            ? Math.Min(before, rerate.Cost)
            : before + (hasWallet && !rerate.OfBatch ? Math.Min(rerate.Cost - cost, Available(rerate.Wallet!.Value)) : 0);
        if (after != before)
            Add(rerate.Wallet!.Value, before - after);
        Charged += after - before;
        Absorbed += rerate.Cost - cost - (after - before);
        _requests[rerate.RequestId] = (rerate.Cost, after);
        return new();
    }

    void Add(Guid register, long amount)
    {
        var (kind, unit, posted) = Registers[register];
        Registers[register] = (kind, unit, posted + amount);
    }
}
