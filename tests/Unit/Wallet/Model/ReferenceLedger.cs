using LlmGateway.Contracts;
using LlmGateway.Wallet;

namespace LlmGateway.UnitTests.Wallet;

/// <summary>
/// A second, plain implementation of the ledger, written from the rules in docs/money.md and not from the code: no cached sums, no
/// versions, no books. Reserved amounts are added up from the leases each time, and house accounts are whatever makes the sums zero. It is
/// slow and easy to check by reading. <see cref="LedgerModelTests"/> compares the real ledger with it.
/// </summary>
sealed partial class ReferenceLedger
{
    public sealed class ModelLease
    {
        public long Fence, ReturnFence;
        public DateTimeOffset ExpiresAt;
        public bool Expired, HasSlots, SlotsFreed;
        public DateTimeOffset? Until;
        public Dictionary<Guid, long> Held = [];
        public Dictionary<Guid, long> LastGranted = [];
    }

    public Dictionary<Guid, (AccountKind Kind, Unit Unit, long Posted)> Registers { get; } = [];
    public Dictionary<Guid, ModelLease> Leases { get; } = [];
    public HashSet<(Guid Wallet, Freezer By)> Frozen { get; } = [];
    public required DateTimeOffset Opened { get; init; }
    public required DateTimeOffset Unopened { get; init; }
    public long Charged { get; private set; }
    public long Absorbed { get; private set; }
    public long Covered { get; private set; }

    /// <summary>Call credits that were spent, by type, and that were gone when they should have been.</summary>
    public Dictionary<Guid, long> Used { get; } = [];

    /// <inheritdoc cref="Used"/>
    public long Forgiven { get; private set; }

    /// <summary>What the house has in accounts that only posts move.</summary>
    public Dictionary<Party, long> House { get; } = [];

    readonly Dictionary<Guid, Post> _posts = [];
    readonly HashSet<Guid> _refusedForEver = [];
    readonly HashSet<Guid> _corrected = [];

    /// <summary>
    /// Settled requests: what they cost by now, and of it what the wallet paid; null when no wallet was asked. Whether quota or credits
    /// have paid a part or it was free, and what each lot paid.
    /// </summary>
    readonly Dictionary<Guid, (long Cost, long? Paid, bool IsCovered, Dictionary<Guid, long> Lots)> _requests = [];

    DateTimeOffset _now;

    public long Reserved(Guid register) => Leases.Values.Sum(lease => lease.Held.GetValueOrDefault(register));

    long Available(Guid register) => Registers[register].Posted - Reserved(register);

    bool IsOpenCounter(Guid register) => Registers.TryGetValue(register, out var known) && known.Kind.IsCounter();

    public Answer Apply(Command command, DateTimeOffset now)
    {
        Tick(now);
        var answer = Decide(command, now);
        Tick(now);
        return answer;
    }

    Answer Decide(Command command, DateTimeOffset now) => command switch
    {
        Open open => Apply(open.Register),
        Post post => Apply(post),
        Freeze freeze => Apply(freeze),
        Extend extend => Apply(extend, now),
        GiveBack giveBack => Apply(giveBack.Return, now),
        Expire expire => Apply(expire, now),
        FreeSlots free => Apply(free),
        OpenWindows open => Apply(open.Request, now),
        Settle settle => Apply(settle.Settlement, now),
        Rerate rerate => Apply(rerate),
        _ => throw new ArgumentException(command.ToString()),
    };

    /// <summary>Rule 1: opened once. What is open stays as it is, whatever amount another opening names.</summary>
    Answer.Done Apply(OpenRegister open) => new(Repeated: !Registers.TryAdd(open.Id, (open.Kind, open.Unit, open.Initial)));

    /// <summary>Rule 2, and the table of posts.</summary>
    Answer Apply(Post post)
    {
        if (_posts.TryGetValue(post.Id, out var before))
        {
            var isSame = before.Amounts.SequenceEqual(post.Amounts)
                && (before.Type, before.Of, before.Reference, before.ExpiresAt, before.Lot, before.WithoutDebt)
                    == (post.Type, post.Of, post.Reference, post.ExpiresAt, post.Lot, post.WithoutDebt);
            return !isSame ? new Answer.Differs()
                : _refusedForEver.Contains(post.Id) ? new Answer.Refused(post.Of.Balance!.Value, RefusalReason.Exhausted, 0)
                : new Answer.Done(Repeated: true);
        }
        if (post.Of.Balance is { } asked && !(IsWallet(asked) || IsCredits(asked)))
            return new Answer.Refused(asked, RefusalReason.Unknown, 0);
        var (wallet, amount, others) = (post.Of.Balance ?? Guid.Empty, post.Amounts[0], post.Amounts.Skip(1).ToList());
        var free = post.Of.Balance is null ? 0 : Available(wallet);
        var owed = -Of(Party.Receivable);
        if (post.ExpiresAt <= _now)
            return new Answer.NoLot(Expired: true);
        var isOwn = post.Type == PostType.Grant && post.ExpiresAt is null;
        if (post.Type is PostType.Grant or PostType.Promotion && !isOwn && OpenBesideTheLast(wallet) >= 100)
            return new Answer.NoLot(Expired: false);
        switch (post.Type)
        {
            case PostType.Grant when isOwn:
                Add(wallet, amount);
                break;
            case PostType.Grant or PostType.Promotion:
                AddLot(wallet, post.Id, amount, post.ExpiresAt, isPaid: false);
                break;
            case PostType.Debit when amount > free:
                return new Answer.Refused(wallet, RefusalReason.Exhausted, free);
            case PostType.Debit:
                Spend(wallet, amount);
                break;
            case PostType.TopUp:
                Add(Party.Receivable, Math.Min(amount, owed));
                if (amount > owed)
                    AddLot(wallet, post.Id, amount - owed, null, isPaid: true);
                Add(Party.Margin, others[0]);
                Add(Party.Fees, others[1]);
                Add(Party.Clearing, -amount - others.Sum());
                break;
            case PostType.Refund when post.WithoutDebt && Refundable(post, free) < amount:
                RefuseForEver(post);
                return new Answer.Refused(wallet, RefusalReason.Exhausted, Refundable(post, free));
            case PostType.Dispute when post.WithoutDebt && free < amount:
                RefuseForEver(post);
                return new Answer.Refused(wallet, RefusalReason.Exhausted, free);
            case PostType.Refund or PostType.Dispute:
                var paid = Math.Min(amount, post.Type == PostType.Dispute ? free : Refundable(post, free));
                var parts = SpendFirst(wallet, post.Lot, paid);
                if (post.Type == PostType.Dispute)
                    _ofDisputes.Add(post.Id, parts);
                Add(Party.Receivable, paid - amount);
                Add(Party.Margin, -others[0]);
                Add(Party.Fees, -others[1]);
                Add(Party.Clearing, amount + others.Sum());
                break;
            case PostType.RefundFailed or PostType.DisputeWon:
                Add(Party.Receivable, Math.Min(amount, owed));
                Return(wallet, post, amount - Math.Min(amount, owed));
                Add(Party.Margin, others[0]);
                Add(Party.Fees, others[1]);
                Add(Party.Clearing, -amount - others.Sum());
                break;
            case PostType.Payout:
                return Pay(post, Party.Margin, Party.Payouts);
            case PostType.PayoutPaid:
                return Pay(post, Party.Payouts, Party.Clearing);
            case PostType.PayoutFailed:
                return Pay(post, Party.Payouts, Party.Margin);
            case PostType.PlanRefunded:
                Add(Party.Margin, -amount);
                Add(Party.Fees, -others[0]);
                Add(Party.Clearing, amount + others[0]);
                break;
            case PostType.PlanPaid or PostType.PlanRestored:
                Add(Party.Clearing, -amount - others[0]);
                Add(Party.Margin, amount);
                Add(Party.Fees, others[0]);
                break;
            case PostType.PayoutReversed:
                Add(Party.Clearing, -amount);
                Add(Party.Margin, amount);
                break;
        }
        _posts.Add(post.Id, post);
        return new Answer.Done();
    }

    void RefuseForEver(Post post)
    {
        _posts.Add(post.Id, post);
        _refusedForEver.Add(post.Id);
    }

    Answer Pay(Post post, Party from, Party to)
    {
        if (post.Amounts[0] > Of(from))
            return new Answer.Refused(PostingRules.House(from, post.Of).Id, RefusalReason.Exhausted, Math.Max(0, Of(from)));
        Add(from, -post.Amounts[0]);
        Add(to, post.Amounts[0]);
        _posts.Add(post.Id, post);
        return new Answer.Done();
    }

    long Of(Party party) => House.GetValueOrDefault(party);

    void Add(Party party, long amount)
    {
        if (amount != 0)
            House[party] = Of(party) + amount;
    }

    bool IsWallet(Guid id) => Registers.TryGetValue(id, out var register) && register.Kind == AccountKind.Wallet;

    bool IsCredits(Guid id) => Registers.TryGetValue(id, out var register) && register.Kind == AccountKind.Credits;

    /// <summary>Rule 3.</summary>
    Answer Apply(Freeze freeze)
    {
        if (!IsWallet(freeze.Wallet))
            return new Answer.Refused(freeze.Wallet, RefusalReason.Unknown, 0);
        var before = IsFrozen(freeze.Wallet);
        if (freeze.Frozen)
            Frozen.Add((freeze.Wallet, freeze.By));
        else
            Frozen.RemoveWhere(one => one.Wallet == freeze.Wallet && (freeze.By == Freezer.Owner || freeze.By == one.By));
        return new Answer.Done(Repeated: IsFrozen(freeze.Wallet) == before);
    }

    bool IsFrozen(Guid wallet) => Frozen.Any(one => one.Wallet == wallet);

    /// <summary>Rule 6.</summary>
    Answer.Done Apply(LeaseReturn give, DateTimeOffset now)
    {
        if (give.RenouncesSlots)
            Leases.TryAdd(give.Lease, new() { Expired = true, ExpiresAt = now.AddSeconds(LeaseRequest.TtlSeconds) });
        if (!Leases.TryGetValue(give.Lease, out var lease) || lease.Expired || give.Fence <= lease.ReturnFence)
            return new(Repeated: true);
        lease.ReturnFence = give.Fence;
        foreach (var line in give.Lines.Where(line => line.Value > 0 && !(lease.SlotsFreed && IsSlots(line.Register))))
            lease.Held[line.Register] -= line.Value;
        if (give.RenouncesSlots)
            Free(lease);
        return new();
    }

    /// <summary>Rule 7.</summary>
    Answer.Done Apply(Expire expire, DateTimeOffset now)
    {
        if (!Leases.TryGetValue(expire.LeaseId, out var lease) || lease.Expired || lease.ExpiresAt > now)
            return new(Repeated: true);
        lease.Expired = true;
        lease.Held.Clear();
        return new();
    }

    public bool IsSettled(Guid request) => _requests.ContainsKey(request);

    /// <summary>Rules 8 and 11.</summary>
    Answer Apply(Settlement settlement, DateTimeOffset now)
    {
        if (_requests.ContainsKey(settlement.RequestId))
            return new Answer.Done(Repeated: true);
        // The first twelve digits of a request's id are milliseconds since 1970.
        var made = DateTimeOffset.FromUnixTimeMilliseconds(Convert.ToInt64($"{settlement.RequestId:N}"[..12], 16));
        if (made < Opened || made >= Unopened)
            return new Answer.Stale();
        KeepOpen(settlement, now);
        var cost = settlement.Usage.Cost.Nanos;
        var due = settlement.Due ?? cost;
        var lease = settlement.Lease is { } id ? Leases.GetValueOrDefault(id) : null;
        long? paid = settlement.Due is null ? null : 0;
        var lots = new Dictionary<Guid, long>();
        foreach (var charge in settlement.Charges)
        {
            var held = lease?.Held.GetValueOrDefault(charge.Register) ?? 0;
            if (IsOpenCounter(charge.Register))
            {
                if (held > 0)
                    lease!.Held[charge.Register] -= Math.Min(held, charge.Value - charge.Beyond);
                Add(charge.Register, charge.Value);
                continue;
            }
            if (charge.Denomination is { } type)
            {
                SpendCredits(charge, type, lease);
                continue;
            }
            if (!Registers.ContainsKey(charge.Register) && made < now.AddDays(-90))
                continue; // a counter that is deleted
            var ofMoney = !Registers.TryGetValue(charge.Register, out var register) || register.Unit == Unit.Usd;
            if (ofMoney)
                paid ??= 0;
            if (!Registers.ContainsKey(charge.Register))
                continue;
            var owed = ofMoney ? Math.Min(charge.Value, due - paid!.Value) : charge.Value;
            held = Math.Min(owed, held);
            var free = Math.Min(owed - held, Available(charge.Register));
            if (held > 0)
                lease!.Held[charge.Register] -= held;
            var spent = Spend(charge.Register, held + free, held, lease?.Until);
            if (ofMoney)
            {
                paid += held + free;
                foreach (var (lot, part) in spent)
                    lots[lot] = lots.GetValueOrDefault(lot) + part;
            }
        }
        var isCovered = settlement.Due is not null || settlement.Charges.Any(charge => charge.Denomination is not null
            || (Registers.TryGetValue(charge.Register, out var register)
                ? register.Kind == AccountKind.Quota
                : cost == 0 && made < now.AddDays(-90)));
        _requests.Add(settlement.RequestId, (cost, paid, isCovered, lots));
        Charged += paid ?? 0;
        Absorbed += paid is null ? 0 : due - paid.Value;
        Covered += paid is null ? 0 : cost - due;
        return new Answer.Done();
    }

    void KeepOpen(Settlement settlement, DateTimeOffset now)
    {
        foreach (var window in settlement.Windows.Where(Windows.ContainsKey))
        {
            var began = settlement.Usage.StartedAt;
            var until = (began < now ? began : now).AddHours(24);
            Windows[window] = until > Windows[window] ? until : Windows[window];
        }
    }

    /// <summary>
    /// Rule 9: the wallet ends up with having paid the new cost, but no more than it can and not less than that; of a batch no more than
    /// it has paid.
    /// </summary>
    Answer.Done Apply(Rerate rerate)
    {
        if (_corrected.Contains(rerate.Movement!.Value))
            return new(Repeated: true);
        var (cost, paid, isCovered, lots) = _requests[rerate.RequestId];
        if (cost == rerate.Cost)
            return new();
        _corrected.Add(rerate.Movement!.Value);
        if (isCovered)
        {
            Covered += rerate.Cost - cost;
            _requests[rerate.RequestId] = (rerate.Cost, paid, true, lots);
            return new();
        }
        var hasWallet = rerate.Wallet is { } id && Registers.ContainsKey(id);
        if (cost == 0)
            paid = hasWallet ? 0 : null; // a request that was free, perhaps by mistake
        _requests[rerate.RequestId] = (rerate.Cost, paid, false, lots);
        if (paid is not { } before)
            return new();
        var after = rerate.Cost < cost
            ? Math.Min(before, rerate.Cost)
            : before + (hasWallet && !rerate.OfBatch ? Math.Min(rerate.Cost - cost, Available(rerate.Wallet!.Value)) : 0);
        if (after > before)
            foreach (var (lot, part) in Spend(rerate.Wallet!.Value, after - before))
                lots[lot] = lots.GetValueOrDefault(lot) + part;
        if (after < before)
            GiveBack(rerate.Wallet!.Value, before - after, before, lots);
        Charged += after - before;
        Absorbed += rerate.Cost - cost - (after - before);
        _requests[rerate.RequestId] = (rerate.Cost, after, false, lots);
        return new();
    }

    void Add(Guid register, long amount)
    {
        var (kind, unit, posted) = Registers[register];
        Registers[register] = (kind, unit, posted + amount);
    }
}
