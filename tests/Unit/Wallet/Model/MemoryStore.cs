using LlmGateway.Contracts;
using LlmGateway.Wallet;
using Xunit;

namespace LlmGateway.UnitTests.Wallet;

/// <summary>
/// A store in memory that hands out copies of the rows that a batch names and takes them back whole, as PostgreSQL does for the writer.
/// </summary>
sealed class MemoryStore
{
    public Dictionary<Guid, Account> Accounts { get; private set; } = [];
    public Dictionary<Guid, Lease> Leases { get; } = [];
    public Dictionary<Guid, Window> Windows { get; } = [];
    public long Charged { get; private set; }
    public long Absorbed { get; private set; }
    public long Covered { get; private set; }

    /// <summary>What usage records and openings of windows say was used of each counter.</summary>
    public Dictionary<Guid, long> Counted { get; } = [];

    public Dictionary<(Unit, Guid?), long> SumsOfUnits { get; } = [];

    /// <summary>What usage records say was spent of each balance of call credits, and what was gone of them.</summary>
    public Dictionary<Guid, long> Spent { get; } = [];

    /// <inheritdoc cref="Spent"/>
    public long Forgiven { get; private set; }

    /// <summary>All months that are open, as one.</summary>
    public UsageMonth Month { get; init; } = UsageMonth.Always;

    /// <summary>What the entries of each lot sum up to. A balance's own lot has its id.</summary>
    public Dictionary<(Guid Account, Guid Lot), long> SumsOfLots { get; } = [];

    readonly Dictionary<Guid, Dictionary<Guid, Lot>> _lots = [];
    readonly HashSet<Guid> _known = [];
    readonly Dictionary<Guid, Transfer> _transfers = [];
    readonly Dictionary<Guid, List<(Guid, Guid, LotPart)>> _ofDisputes = [];
    readonly Dictionary<Guid, Rated> _rated = [];

    /// <summary>One command as a batch of its own.</summary>
    public Answer Apply(Command command, DateTimeOffset now)
    {
        var book = Lock([command], now);
        var answer = Ledger.Apply(book, command);
        Write(book);
        return answer;
    }

    public Book Lock(List<Command> commands, DateTimeOffset now)
    {
        var book = new Book(now) { Months = [Month] };
        foreach (var ensured in commands.SelectMany(command => command.Ensures))
        {
            book.Accounts.TryAdd(ensured.Id, Copy(Accounts.GetValueOrDefault(ensured.Id) ?? ensured));
            if (!Accounts.ContainsKey(ensured.Id))
                book.Created.Add(ensured.Id);
        }
        foreach (var opened in commands.SelectMany(command => command.Opens))
            Accounts.TryAdd(opened.Id, opened);
        foreach (var id in commands.SelectMany(command => command.Accounts))
            if (Accounts.TryGetValue(id, out var account))
                book.Accounts.TryAdd(id, Copy(account));
        foreach (var command in commands)
        {
            if (command.Lease is { } lease && Leases.TryGetValue(lease, out var known))
                book.Leases.TryAdd(lease, Copy(known));
            foreach (var window in command.Windows)
                if (Windows.TryGetValue(window, out var stored))
                    book.Windows.TryAdd(window, new() { Id = window, ClosesAt = stored.ClosesAt, Openings = stored.Openings });
                else if (command is OpenWindows)
                    book.Windows.TryAdd(window, new() { Id = window });
            if (command is Rerate { RequestId: var request })
                book.Rated[request] = _rated[request];
            if (command.Movement is not { } movement || !_known.Contains(movement))
                continue;
            book.Known.Add(movement);
            if (_transfers.TryGetValue(movement, out var transfer))
                book.Moved[movement] = transfer;
        }
        foreach (var movement in commands.OfType<Post>().SelectMany(post => post.Undoes).Distinct())
            book.Undone.AddRange(_ofDisputes.GetValueOrDefault(movement, []));
        foreach (var account in book.Accounts.Values.ToList())
            LoadLots(book, account, commands, now);
        return book;
    }

    /// <summary>As the rows are read: only where there are lots, or where a command may need those that are empty.</summary>
    void LoadLots(Book book, Account account, List<Command> commands, DateTimeOffset now)
    {
        var named = book.Rated.Values.SelectMany(rated => rated.Lots).Select(part => part.Lot).ToHashSet();
        named.UnionWith(commands.OfType<Post>().Select(post => post.Lot).OfType<Guid>());
        named.UnionWith(book.Undone.Select(one => one.Taken.Lot));
        var asked = commands.Exists(command => command.Accounts.Contains(account.Id)
            && (command is Post ? account.BaseLot is not null || named.Count > 0 : command is Rerate && named.Count > 0));
        if (account.Lots == 0 && !asked)
            return;
        book.HasLots = true;
        foreach (var lot in _lots.GetValueOrDefault(account.Id, []).Values)
            if (lot.Left is not 0 || lot.Id == account.Id || named.Contains(lot.Id))
                account.Parts.Add(Copy(lot));
        account.HeldFromBefore = HeldFromBefore(account.Id, now).GroupBy(lease => lease.Until)
            .ToDictionary(group => group.Key, group => group.Sum(lease => lease.Held));
        var expired = HouseAccounts.Expired(account.Id, account.Unit, account.Test);
        if (Accounts.TryGetValue(expired, out var house))
            book.Accounts.TryAdd(expired, Copy(house));
    }

    IEnumerable<(DateTimeOffset Until, long Held)> HeldFromBefore(Guid account, DateTimeOffset now) =>
        Leases.Values.Where(lease => lease.LotsExpireAt <= now)
            .Select(lease => (lease.LotsExpireAt!.Value, lease.Lines.GetValueOrDefault(account)?.Outstanding ?? 0));

    /// <summary>What is shown while nothing runs that would book an expiry: by the formula of migration 0008.</summary>
    public long Shown(Guid id, DateTimeOffset now)
    {
        var over = Lots(id).Where(lot => lot.Left > 0 && lot.ExpiresAt <= now).ToList();
        var gone = over.Select(last => over.Where(lot => lot.ExpiresAt <= last.ExpiresAt).Sum(lot => lot.Left!.Value)
            - HeldFromBefore(id, now).Where(lease => lease.Until <= last.ExpiresAt).Sum(lease => lease.Held));
        return Accounts[id].Posted - Math.Max(0, Math.Min(Accounts[id].Available, gone.DefaultIfEmpty().Max()));
    }

    public IReadOnlyCollection<Lot> Lots(Guid account) => _lots.GetValueOrDefault(account, []).Values;

    /// <summary>That the latest usage was paid from.</summary>
    public Guid LastLot { get; private set; }

    /// <summary>What is left of a lot; of the base, what the others leave.</summary>
    public long LeftOf(Guid account, Guid id)
    {
        var lots = _lots.GetValueOrDefault(account) ?? [];
        return id == (Accounts[account].BaseLot ?? account)
            ? Accounts[account].Posted - lots.Values.Sum(lot => lot.Left ?? 0)
            : lots.GetValueOrDefault(id)?.Left ?? 0;
    }

    public void Write(Book book)
    {
        foreach (var (id, account) in book.Accounts)
        {
            Accounts[id] = account;
            foreach (var lot in account.Parts)
            {
                if (!_lots.TryGetValue(id, out var lots))
                    _lots.Add(id, lots = []);
                lots[lot.Id] = Copy(lot);
            }
            Assert.Equal(account.Lots, _lots.GetValueOrDefault(id)?.Values.Count(lot => lot.Left > 0) ?? 0);
        }
        Forgiven += book.ForgivenCredits;
        foreach (var (id, lease) in book.Leases)
            Leases[id] = lease;
        foreach (var (id, window) in book.Windows)
            Windows[id] = window;
        foreach (var opening in book.Openings)
            Counted[opening.Register] = Counted.GetValueOrDefault(opening.Register) + 1;
        foreach (var transfer in book.Transfers)
        {
            Assert.True(_known.Add(transfer.Id), "a movement was written twice");
            _transfers.Add(transfer.Id, transfer);
        }
        book.Usages.ForEach(Write);
        book.Corrections.ForEach(Write);
        foreach (var entry in book.Entries)
        {
            var unit = (Accounts[entry.Account].Unit, Accounts[entry.Account].Denomination);
            SumsOfUnits[unit] = SumsOfUnits.GetValueOrDefault(unit) + entry.Amount;
            var lot = (entry.Account, entry.Lot ?? entry.Account);
            if (entry.Type is EntryType.Dispute or EntryType.Reversal && Accounts[entry.Account].Kind == AccountKind.Wallet)
            {
                if (!_ofDisputes.TryGetValue(entry.Transfer, out var parts))
                    _ofDisputes.Add(entry.Transfer, parts = []);
                parts.Add((entry.Transfer, entry.Account, new(lot.Item2, -entry.Amount)));
            }
            LastLot = entry is { Type: EntryType.Usage, Amount: < 0 } ? lot.Item2 : LastLot;
            SumsOfLots[lot] = SumsOfLots.GetValueOrDefault(lot) + entry.Amount;
        }
    }

    void Write(UsageRow usage)
    {
        Assert.True(_known.Add(usage.RequestId), "a request was written twice");
        Charged += usage.Charged;
        Absorbed += usage.Absorbed;
        Covered += usage.Covered;
        foreach (var (register, value, _) in usage.Counted.Where(charge => Accounts.ContainsKey(charge.Register)))
        {
            var of = Accounts[register].Kind == AccountKind.Credits ? Spent : Counted;
            of[register] = of.GetValueOrDefault(register) + value;
        }
        _rated.Add(
            usage.RequestId,
            new(usage.Record.Cost.Nanos, usage.Charged, usage.Absorbed, IsCovered(usage)) { Lots = usage.Lots });
        Assert.True(usage.Lots.Count == 0 || usage.Lots.Sum(part => part.Amount) == usage.Charged, "lots paid something else");
    }

    void Write(Correction correction)
    {
        var (cost, charged, absorbed, isCovered) = _rated[correction.RequestId];
        Assert.Equal(correction.OldCost, cost);
        Charged += correction.Charged;
        Absorbed += correction.Absorbed;
        Covered += correction.Covered;
        _rated[correction.RequestId] = new(
            correction.NewCost, charged + correction.Charged, absorbed + correction.Absorbed, isCovered)
        {
            Lots =
            [
                .. _rated[correction.RequestId].Lots.Concat(correction.Lots)
                    .GroupBy(part => part.Lot, (lot, parts) => new LotPart(lot, parts.Sum(part => part.Amount)))
                    .Where(part => part.Amount > 0),
            ],
        };
    }

    /// <summary>As the rows are read.</summary>
    bool IsCovered(UsageRow usage) => usage.IsCovered || usage.Covered != 0 || usage.Counted.Any(charge =>
        Accounts.TryGetValue(charge.Register, out var account)
            ? account.Kind is AccountKind.Quota or AccountKind.Credits
            : usage.Record.Cost.Nanos == 0);

    static Account Copy(Account account) => new()
    {
        Id = account.Id,
        Kind = account.Kind,
        Unit = account.Unit,
        Denomination = account.Denomination,
        Organization = account.Organization,
        Project = account.Project,
        Owner = account.Owner,
        Posted = account.Posted,
        Reserved = account.Reserved,
        Version = account.Version,
        Spent = account.Spent,
        ToppedUp = account.ToppedUp,
        FrozenBy = account.FrozenBy,
        Ceiling = account.Ceiling,
        EndsAt = account.EndsAt,
        BaseLot = account.BaseLot,
        Lots = account.Lots,
        LowMark = account.LowMark,
        Thresholds = account.Thresholds,
        Name = account.Name,
        Told = account.Told,
    };

    static Lot Copy(Lot lot) => new()
    {
        Id = lot.Id, Kind = lot.Kind, Since = lot.Since, Amount = lot.Amount, Paid = lot.Paid, ExpiresAt = lot.ExpiresAt,
        Reference = lot.Reference, Left = lot.Left, Stored = lot.Left,
    };

    static Lease Copy(Lease lease)
    {
        var copy = new Lease
        {
            Id = lease.Id,
            Holder = lease.Holder,
            Fence = lease.Fence,
            ReturnFence = lease.ReturnFence,
            ExpiresAt = lease.ExpiresAt,
            Expired = lease.Expired,
            Slots = lease.Slots,
            LotsExpireAt = lease.LotsExpireAt,
        };
        foreach (var (register, hold) in lease.Lines)
            copy.Lines.Add(
                register,
                new() { Granted = hold.Granted, Consumed = hold.Consumed, Returned = hold.Returned, LastGranted = hold.LastGranted });
        return copy;
    }
}
