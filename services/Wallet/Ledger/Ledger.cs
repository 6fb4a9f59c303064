using LlmGateway.Contracts;

namespace LlmGateway.Wallet;

/// <summary>
/// Applies commands to the ledger. It has no I/O, no clock and no randomness, so the same book and command always give the same result. A
/// refused command changes nothing. Every call keeps three invariants and throws on a breach. The entries of a movement sum to zero per
/// unit. A register never falls below what is reserved of it. A lease never returns more than it holds.
/// </summary>
public static class Ledger
{
    /// <summary>
    /// What is left after the need of now is divided by this. A lease gets at most that share beyond its need, so that other holders find
    /// something, too.
    /// </summary>
    const int PlentyDivisor = 16;

    public static Answer Apply(Book book, Command command) => command switch
    {
        Open open => Apply(book, open),
        Adjust adjust => Apply(book, adjust),
        Freeze freeze => Apply(book, freeze),
        Extend extend => Apply(book, extend),
        GiveBack giveBack => Apply(book, giveBack),
        Expire expire => Apply(book, expire),
        Settle settle => Apply(book, settle),
        Rerate rerate => Apply(book, rerate),
        _ => throw new InvalidOperationException($"unknown command {command.GetType().Name}"),
    };

    static Answer.Done Apply(Book book, Open open)
    {
        if (!book.Created.Remove(open.Register.Id))
            return new Answer.Done(Repeated: true);
        if (open.Register.Initial <= 0)
            return new Answer.Done();
        var id = open.Movement!.Value;
        var type = open.Register.Unit == Unit.Usd ? EntryType.Grant : EntryType.Limit;
        book.Transfers.Add(new(id, type, "initial amount"));
        Move(book, id, type, from: book.Accounts[open.Source.Id], to: book.Accounts[open.Register.Id], open.Register.Initial);
        return new Answer.Done();
    }

    static Answer Apply(Book book, Adjust adjust)
    {
        var movement = new Transfer(adjust.Id, adjust.Type, adjust.Description, adjust.Wallet, adjust.Amount);
        if (book.Moved.TryGetValue(adjust.Id, out var before))
            return before.IsAskedAgainBy(movement) ? new Answer.Done(Repeated: true) : new Answer.Differs();
        if (book.Find(adjust.Wallet) is not { Kind: AccountKind.Wallet } wallet)
            return new Answer.Refused(adjust.Wallet, LeaseRefusalReason.Unknown, 0);
        if (wallet.Available + adjust.Amount < 0)
            return new Answer.Refused(adjust.Wallet, LeaseRefusalReason.Exhausted, wallet.Available);
        book.Moved.Add(adjust.Id, movement);
        book.Transfers.Add(movement);
        MoveEitherWay(
            book, adjust.Id, adjust.Type, book.Accounts[HouseAccounts.Grant(adjust.Organization, adjust.Test)], wallet, adjust.Amount);
        return new Answer.Done();
    }

    static Answer Apply(Book book, Freeze freeze)
    {
        if (book.Find(freeze.Wallet) is not { Kind: AccountKind.Wallet } wallet)
            return new Answer.Refused(freeze.Wallet, LeaseRefusalReason.Unknown, 0);
        var repeated = wallet.Frozen == freeze.Frozen;
        wallet.Frozen = freeze.Frozen;
        return new Answer.Done(repeated);
    }

    static Answer Apply(Book book, Extend extend)
    {
        var request = extend.Request;
        var lease = book.Leases.GetValueOrDefault(request.Lease);
        if (lease is { Expired: false } && request.Fence == lease.Fence)
        {
            // The holder counts the lease's time from its last question, so a repeated one renews the lease, too.
            lease.ExpiresAt = book.Now.AddSeconds(LeaseRequest.TtlSeconds);
            return new Answer.Granted([.. request.Lines.Select(line => lease.Lines.GetValueOrDefault(line.Register)?.LastGranted ?? 0)]);
        }
        // An unknown lease is opened by its first call. A later one means that it has ended and was deleted.
        if (lease is null ? request.Fence > 1 : lease.Expired || request.Fence < lease.Fence)
            return new Answer.Refused(request.Lines[0].Register, LeaseRefusalReason.LeaseClosed, 0);

        if (Obstacle(book, extend, lease) is { } obstacle)
            return obstacle;
        if (lease is null)
            book.Leases.Add(request.Lease, lease = new() { Id = request.Lease, Holder = request.Holder });
        lease.Fence = request.Fence;
        lease.ExpiresAt = book.Now.AddSeconds(LeaseRequest.TtlSeconds);
        var granted = new long[request.Lines.Count];
        for (var i = 0; i < granted.Length; i++)
        {
            var line = request.Lines[i];
            var account = book.Accounts[line.Register];
            granted[i] = account.Available >= line.All
                ? line.All + Math.Clamp(line.Wanted - line.All, 0, (account.Available - line.All) / PlentyDivisor)
                : account.Available;
            if (!lease.Lines.TryGetValue(line.Register, out var leased))
                lease.Lines.Add(line.Register, leased = new());
            leased.Granted += granted[i];
            leased.LastGranted = granted[i];
            Reserve(account, granted[i]);
        }
        return new Answer.Granted(granted);
    }

    /// <summary>The reason why a lease cannot be extended, or null. It is extended for all registers or none.</summary>
    static Answer? Obstacle(Book book, Extend extend, Lease? lease)
    {
        Answer? shortage = null;
        foreach (var line in extend.Request.Lines)
        {
            if (book.Find(line.Register) is not { } account)
                return new Answer.Refused(line.Register, LeaseRefusalReason.Unknown, 0);
            if (account.Frozen)
                return new Answer.Refused(line.Register, LeaseRefusalReason.Frozen, account.Available);
            var others = account.Reserved - (lease?.Lines.GetValueOrDefault(line.Register)?.Outstanding ?? 0);
            if (account.Available < line.First && !extend.Final && others > 0)
                shortage ??= new Answer.Shortage(line.Register);
            else if (account.Available < line.Minimum)
                return new Answer.Refused(line.Register, LeaseRefusalReason.Exhausted, account.Available);
        }
        return shortage;
    }

    static Answer.Done Apply(Book book, GiveBack giveBack)
    {
        var request = giveBack.Return;
        if (!book.Leases.TryGetValue(request.Lease, out var lease) || lease.Expired || request.Fence <= lease.ReturnFence)
            return new Answer.Done(Repeated: true);
        foreach (var line in request.Lines)
            if (line.Value < 0 || line.Value > (lease.Lines.GetValueOrDefault(line.Register)?.Outstanding ?? 0))
                throw new InvalidOperationException(
                    $"lease {request.Lease:N} gives back {line.Value} of {line.Register:N}, more than it holds");
        lease.ReturnFence = request.Fence;
        foreach (var line in request.Lines)
        {
            lease.Lines[line.Register].Returned += line.Value;
            Reserve(book.Accounts[line.Register], -line.Value);
        }
        return new Answer.Done();
    }

    static Answer.Done Apply(Book book, Expire expire)
    {
        if (!book.Leases.TryGetValue(expire.LeaseId, out var lease) || lease.Expired || lease.ExpiresAt > book.Now)
            return new Answer.Done(Repeated: true);
        lease.Expired = true;
        foreach (var (register, line) in lease.Lines)
        {
            Reserve(book.Accounts[register], -line.Outstanding);
            line.Returned += line.Outstanding;
        }
        return new Answer.Done();
    }

    /// <summary>
    /// Every register pays what it can of its charge, and those of money together no more than the request cost. The provider is owed the
    /// cost all the same, so the house bears what they could not pay: once, whatever their number. A register that is not known is money
    /// that nobody has. Where no month is open for a request, it may have been booked in one that is gone; it is kept for a person.
    /// </summary>
    static Answer Apply(Book book, Settle settle)
    {
        var settlement = settle.Settlement;
        var usage = settlement.Usage;
        if (book.Known.Contains(settlement.RequestId))
            return new Answer.Done(Repeated: true);
        if (book.MonthOf(settlement.RequestId) is null)
        {
            var reason = settlement.RequestId < Ids.FirstAt(book.Now) ? StaleSettlement.TooOld : StaleSettlement.TooNew;
            book.Stale.Add(new(settlement.RequestId, settle.Record, reason));
            return new Answer.Stale();
        }
        book.Known.Add(settlement.RequestId);
        var lease = settlement.Lease is { } leaseId ? book.Leases.GetValueOrDefault(leaseId) : null;
        var (unpaid, ofMoney) = (usage.Cost.Nanos, false);
        foreach (var charge in settlement.Charges)
        {
            var account = book.Find(charge.Register);
            var line = lease?.Lines.GetValueOrDefault(charge.Register);
            if (account is { Unit: not Unit.Usd })
            {
                var limits = book.Accounts[HouseAccounts.Limits(usage.Project, account.Unit, usage.Test)];
                Move(book, settlement.RequestId, EntryType.Limit, account, limits, Pay(account, line, charge.Value));
                continue;
            }
            ofMoney = true;
            if (account is null)
                continue;
            var paid = Pay(account, line, Math.Min(charge.Value, unpaid));
            Move(book, settlement.RequestId, EntryType.Usage, account, ProviderCost(book, usage), paid);
            account.Spent += paid;
            unpaid -= paid;
        }
        var charged = ofMoney ? usage.Cost.Nanos - unpaid : 0;
        var absorbed = ofMoney ? unpaid : 0;
        if (absorbed > 0)
        {
            var house = book.Accounts[HouseAccounts.Absorbed(usage.Project, usage.Test)];
            Move(book, settlement.RequestId, EntryType.Absorbed, house, ProviderCost(book, usage), absorbed);
        }
        book.Usages.Add(new(settlement.RequestId, usage, charged, absorbed));
        return new Answer.Done();
    }

    static Account ProviderCost(Book book, UsageRecord usage) =>
        book.Accounts[HouseAccounts.ProviderCost(usage.Project, usage.Test)];

    /// <summary>
    /// Moves the difference between the old and the new cost of a request. An increase is taken from the wallet as far as it can pay, and
    /// the house bears the rest. The house bears all of it for a batch, which was charged its bound. A decrease goes back first to the
    /// house for what it bore, then to the wallet. A request that was charged to nobody has only its record corrected. Limits do not
    /// change, because they limited what could be spent at that time. A request whose month has been dropped is unknown.
    /// </summary>
    static Answer Apply(Book book, Rerate rerate)
    {
        var id = rerate.Movement!.Value;
        if (book.Known.Contains(id))
            return new Answer.Done(Repeated: true);
        if (!book.Rated.TryGetValue(rerate.RequestId, out var rated))
            return new Answer.Refused(rerate.RequestId, LeaseRefusalReason.Unknown, 0);
        var (oldCost, paid, borne) = rated;
        var difference = rerate.Cost - oldCost;
        if (difference == 0)
            return new Answer.Done();
        var wallet = rerate.Wallet is { } walletId ? book.Find(walletId) : null;
        long charged = 0, absorbed = 0;
        if (paid + borne == oldCost && (wallet is not null || oldCost > 0))
        {
            charged = difference > 0 ? Math.Min(difference, rerate.OfBatch ? 0 : wallet?.Available ?? 0) : Math.Min(0, difference + borne);
            absorbed = difference - charged;
        }
        book.Known.Add(id);
        book.Transfers.Add(
            new(
                id,
                EntryType.Adjustment,
                $"{(rerate.OfBatch ? "actual cost" : "new price")} of {Ids.Show(Ids.Request, rerate.RequestId)}"));
        var cost = book.Accounts[HouseAccounts.ProviderCost(rerate.Project, rerate.Test)];
        MoveEitherWay(book, id, EntryType.Absorbed, book.Accounts[HouseAccounts.Absorbed(rerate.Project, rerate.Test)], cost, absorbed);
        if (charged != 0)
        {
            MoveEitherWay(book, id, EntryType.Adjustment, wallet!, cost, charged);
            wallet!.Spent += charged;
        }
        book.Corrections.Add(new(id, rerate.Rerating, rerate.RequestId, rerate.PriceVersion, oldCost, rerate.Cost, charged, absorbed));
        book.Rated[rerate.RequestId] = new(rerate.Cost, paid + charged, borne + absorbed);
        return new Answer.Done();
    }

    /// <summary>Takes from what the lease holds first, then from what the register has free. Returns what could be paid.</summary>
    static long Pay(Account account, LeaseLine? line, long amount)
    {
        var held = Math.Min(amount, line?.Outstanding ?? 0);
        if (line is not null)
            line.Consumed += held;
        account.Reserved -= held;
        return held + Math.Min(amount - held, Math.Max(0, account.Available - held));
    }

    static void Reserve(Account account, long amount)
    {
        account.Reserved += amount;
        Check(account);
    }

    static void Move(Book book, Guid movement, EntryType type, Account from, Account to, long amount)
    {
        if (amount == 0)
            return;
        if (amount < 0 || from.Unit != to.Unit)
            throw new InvalidOperationException($"movement {movement:N} of {amount} from {from.Unit} to {to.Unit}");
        Post(book, movement, type, from, -amount);
        Post(book, movement, type, to, amount);
    }

    /// <summary>Moves an amount. A negative one moves in the other direction.</summary>
    static void MoveEitherWay(Book book, Guid movement, EntryType type, Account from, Account to, long amount)
    {
        if (amount >= 0)
            Move(book, movement, type, from, to, amount);
        else
            Move(book, movement, type, to, from, -amount);
    }

    static void Post(Book book, Guid movement, EntryType type, Account account, long amount)
    {
        account.Posted += amount;
        account.Version++;
        if (type == EntryType.TopUp)
            account.ToppedUp += amount;
        Check(account);
        book.Entries.Add(new(account.Id, account.Version, movement, type, amount, account.Posted));
    }

    static void Check(Account account)
    {
        if (account.Reserved < 0 || (account.IsRegister && account.Available < 0))
            throw new InvalidOperationException(
                $"account {account.Id:N} would have {account.Posted} posted and {account.Reserved} reserved");
    }
}
