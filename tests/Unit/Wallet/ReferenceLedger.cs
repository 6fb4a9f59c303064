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
    public HashSet<Guid> Frozen { get; } = [];
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
    readonly HashSet<Guid> _corrected = [];

    /// <summary>
    /// Settled requests: what they cost by now, and of it what the wallet paid; null when no wallet was asked. Whether quota or credits
    /// have paid a part, and what each lot paid.
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
                && (before.Type, before.Of, before.Reference, before.ExpiresAt, before.Lot)
                    == (post.Type, post.Of, post.Reference, post.ExpiresAt, post.Lot);
            return isSame ? new Answer.Done(Repeated: true) : new Answer.Differs();
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
            case PostType.Refund when Refundable(post, free) == 0:
                return new Answer.Refused(wallet, RefusalReason.Exhausted, 0);
            case PostType.Refund:
                var paid = Math.Min(amount, Refundable(post, free));
                var parts = others.ConvertAll(other => other * paid / amount);
                if (post.Lot is { } lot)
                    TakeFrom(wallet, lot, paid);
                else
                    Spend(wallet, paid);
                Add(Party.Margin, -parts[0]);
                Add(Party.Fees, -parts[1]);
                Add(Party.Clearing, paid + parts.Sum());
                break;
            case PostType.Dispute:
                Spend(wallet, Math.Min(amount, free));
                Add(Party.Receivable, Math.Min(amount, free) - amount);
                Add(Party.Clearing, amount);
                break;
            case PostType.DisputeWon:
                Add(Party.Receivable, Math.Min(amount, owed));
                Add(wallet, amount - Math.Min(amount, owed));
                Add(Party.Clearing, -amount);
                break;
            case PostType.Payout:
                return Pay(post, Party.Margin, Party.Payouts);
            case PostType.PayoutPaid:
                return Pay(post, Party.Payouts, Party.Clearing);
            case PostType.PayoutFailed:
                return Pay(post, Party.Payouts, Party.Margin);
        }
        _posts.Add(post.Id, post);
        return new Answer.Done();
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
        return new Answer.Done(Repeated: !(freeze.Frozen ? Frozen.Add(freeze.Wallet) : Frozen.Remove(freeze.Wallet)));
    }

    /// <summary>Rules 4 and 5.</summary>
    Answer Apply(Extend extend, DateTimeOffset now)
    {
        var request = extend.Request;
        // A claim opens its counters, whatever becomes of it.
        foreach (var line in request.Lines.Where(line => line.Counter is not null))
            Registers.TryAdd(line.Register, (line.Counter!.Kind, line.Counter.Unit, 0));
        // Rule 10.
        if (Leases.TryGetValue(request.Lease, out var lease) && lease is { Expired: false, SlotsFreed: true })
            return new Answer.Refused(request.Lines[0].Register, RefusalReason.SlotsFreed, 0);
        // A repeated call gets the first answer and is a word from the holder like any other, unless the lease has ended.
        if (lease is { Expired: false } && lease.Fence == request.Fence)
        {
            lease.ExpiresAt = now.AddSeconds(LeaseRequest.TtlSeconds);
            return new Answer.Granted([.. request.Lines.Select(line => lease.LastGranted.GetValueOrDefault(line.Register))])
            {
                Until = lease.Until,
            };
        }
        // docs/money.md: a lease that has ended cannot be extended, whether the ledger still has it or has forgotten it.
        if (lease is null ? request.Fence != 1 : lease.Expired || request.Fence < lease.Fence)
            return new Answer.Refused(request.Lines[0].Register, RefusalReason.LeaseClosed, 0);
        if (lease?.Until <= now)
            return new Answer.Refused(request.Lines[0].Register, RefusalReason.LotExpired, 0);

        var shortage = new List<Guid>();
        foreach (var (index, line) in request.Lines.Index())
        {
            if (!Registers.TryGetValue(line.Register, out var register) || register.Kind.IsCounter() != line.Counter is not null)
                return new Answer.Refused(line.Register, RefusalReason.Unknown, 0);
            var room = Room(line);
            if (Frozen.Contains(line.Register))
                return new Answer.Refused(line.Register, RefusalReason.Frozen, room);
            var second = TimeSpan.FromSeconds(1);
            if (line.Counter is { } term && (now < term.From - second || now >= term.To + second))
                return new Answer.Refused(line.Register, RefusalReason.CycleOver, 0);
            if (index >= extend.FirstSource)
                continue;
            if (room < line.First && WithOthers(line) && !extend.Final && !extend.InUse.Contains(line.Register))
                shortage.Add(line.Register);
            else if (room < line.Minimum)
                return new Answer.Refused(line.Register, RefusalReason.Exhausted, room) { Held = OfOthers(line) };
        }
        var sources = request.Lines.Skip(extend.FirstSource).ToList();
        if (sources.Count > 0)
        {
            var (enough, last, _) = Share(sources, line => line.First);
            var asked = sources.Take(enough ? last : sources.Count).Where(WithOthers)
                .Where(line => !extend.Final && !(enough && extend.InUse.Contains(line.Register))).ToList();
            shortage.AddRange(asked.Select(line => line.Register));
            if (!enough && asked.Count == 0 && !Share(sources, line => line.Minimum).Enough)
                return new Answer.Refused(sources[^1].Register, RefusalReason.Exhausted, Room(sources[^1]))
                {
                    Held = OfOthers(sources[^1]),
                    Busy = sources.Count > 1 && Share(sources, line => line.Minimum, IfNothingWereHeld).Enough,
                };
        }
        if (shortage.Count > 0)
            return new Answer.Shortage(shortage);

        lease ??= Leases[request.Lease] = new() { HasSlots = request.Lines.Any(line => line.Counter?.Kind == AccountKind.Slots) };
        (lease.Fence, lease.ExpiresAt) = (request.Fence, now.AddSeconds(LeaseRequest.TtlSeconds));
        var granted = request.Lines.Take(extend.FirstSource).Select(line => Room(line) is var room && room < line.All
            ? room
            : line.All + Math.Min(line.Wanted - line.All, (room - line.All) / 16)).ToList();
        var (all, _, shares) = Share(sources, line => line.All, ofMany: true);
        var plenty = all;
        foreach (var (line, share) in sources.Zip(shares))
        {
            var room = Room(line);
            var amount = all ? Math.Max(0, share - line.Idle) : room;
            if (plenty && room > amount)
            {
                amount += Math.Min(line.Wanted - line.All, (room - amount) / 16);
                plenty = false;
            }
            granted.Add(amount);
        }
        foreach (var (line, amount) in request.Lines.Zip(granted))
        {
            lease.Held[line.Register] = lease.Held.GetValueOrDefault(line.Register) + amount;
            lease.LastGranted[line.Register] = amount;
        }
        if (FirstExpiry(request) is { } end && !(lease.Until <= end))
            lease.Until = end;
        return new Answer.Granted(granted) { LotsExpireAt = lease.Until };

        bool WithOthers(LeaseDemand line) => OfOthers(line) > 0;

        long OfOthers(LeaseDemand line) => Reserved(line.Register) - (lease?.Held.GetValueOrDefault(line.Register) ?? 0);

        long IfNothingWereHeld(LeaseDemand line)
        {
            var posted = Registers[line.Register].Posted;
            return line.Counter is { } counter ? Math.Max(0, counter.Ceiling - posted) : posted;
        }
    }

    long Room(LeaseDemand line) => line.Counter is { } counter
        ? Math.Max(0, counter.Ceiling - Registers[line.Register].Posted - Reserved(line.Register))
        : Available(line.Register);

    /// <summary>
    /// Rule 5: each source pays as much as it has of the part that is left unpaid. The part is a fraction of the whole, in decimals.
    /// </summary>
    /// <param name="room">What each has. Null: idle with the asker, or in the books.</param>
    /// <param name="ofMany">All who wait together: each takes its own of what is indivisible.</param>
    /// <returns>Whether they suffice, the one that pays last, and what each pays.</returns>
    (bool Enough, int Last, List<long> Shares) Share(
        List<LeaseDemand> sources, Func<LeaseDemand, long> alone, Func<LeaseDemand, long>? room = null, bool ofMany = false)
    {
        var (unpaid, shares, last) = (1m, new List<long>(), 0);
        foreach (var (index, source) in sources.Index())
        {
            var has = room?.Invoke(source) ?? source.Idle + Room(source);
            var needed = (long)Math.Ceiling(Math.Round(alone(source) * unpaid, 15));
            var pays = unpaid == 0 ? 0 : needed <= has ? needed : source.Whole && !ofMany ? 0 : has;
            shares.Add(pays);
            last = pays > 0 ? index : last;
            unpaid = unpaid == 0 || needed <= has ? 0 : pays == 0 ? unpaid : (decimal)(needed - pays) / alone(source);
        }
        return (sources.Count == 0 || unpaid == 0, last, shares);
    }

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
        foreach (var window in settlement.Windows.Where(Windows.ContainsKey))
        {
            var began = settlement.Usage.StartedAt;
            var until = (began < now ? began : now).AddHours(24);
            Windows[window] = until > Windows[window] ? until : Windows[window];
        }
        var cost = settlement.Usage.Cost.Nanos;
        var due = settlement.Due ?? cost;
        var lease = settlement.Lease is { } id ? Leases.GetValueOrDefault(id) : null;
        long? paid = settlement.Due is null ? null : 0;
        var (lots, credits) = (new Dictionary<Guid, long>(), 0L);
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
                credits += SpendCredits(charge, type, lease);
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
        var paidInKind = credits > 0 || settlement.Charges.Where(charge => charge.Denomination is null).Any(charge =>
            Registers.TryGetValue(charge.Register, out var register)
                ? register.Kind == AccountKind.Quota
                : cost == 0 && made < now.AddDays(-90));
        _requests.Add(settlement.RequestId, (cost, paid, paidInKind || (paid is not null && due != cost), lots));
        Charged += paid ?? 0;
        Absorbed += paid is null ? 0 : due - paid.Value;
        Covered += paid is null ? 0 : cost - due;
        return new Answer.Done();
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
