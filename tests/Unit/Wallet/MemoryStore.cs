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
    public Dictionary<Guid, SessionWindow> Windows { get; } = [];
    public long Charged { get; private set; }
    public long Absorbed { get; private set; }
    public long Covered { get; private set; }

    /// <summary>What usage rows and openings of windows say was used of each counter.</summary>
    public Dictionary<Guid, long> Counted { get; } = [];

    public Dictionary<Unit, long> SumsOfUnits { get; } = [];

    /// <summary>What all rows of a grain and dimension of the roll-ups come to.</summary>
    public Dictionary<(RollupGrain, RollupDimension), RollupSums> RolledUp { get; } = [];

    public DateTimeOffset SealedUntil { get; set; }

    /// <summary>All months that are open, as one.</summary>
    public UsageMonth Month { get; init; } = UsageMonth.Always;

    /// <summary>What all requests cost by now.</summary>
    public long Cost => _rated.Values.Sum(rated => rated.Cost);

    readonly HashSet<Guid> _known = [];
    readonly Dictionary<Guid, Transfer> _transfers = [];
    readonly Dictionary<Guid, Rated> _rated = [];

    public Book Lock(List<Command> commands, DateTimeOffset now)
    {
        var book = new Book(now) { Months = [Month], SealedUntil = SealedUntil };
        foreach (var ensured in commands.SelectMany(command => command.Ensures))
        {
            book.Accounts.TryAdd(ensured.Id, Copy(Accounts.GetValueOrDefault(ensured.Id) ?? ensured));
            if (!Accounts.ContainsKey(ensured.Id))
                book.Created.Add(ensured.Id);
        }
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
        return book;
    }

    public void Write(Book book)
    {
        foreach (var (id, account) in book.Accounts)
            Accounts[id] = account;
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
        foreach (var usage in book.Usages)
        {
            Assert.True(_known.Add(usage.RequestId), "a request was written twice");
            Charged += usage.Charged;
            Absorbed += usage.Absorbed;
            Covered += usage.Covered;
            foreach (var (register, value, _) in usage.Counted.Where(charge => Accounts.ContainsKey(charge.Register)))
                Counted[register] = Counted.GetValueOrDefault(register) + value;
            _rated.Add(
                usage.RequestId,
                new(usage.Record.Cost.Nanos, usage.Charged, usage.Absorbed, RollupPlace.Of(usage.Record), usage.Covered != 0));
        }
        foreach (var correction in book.Corrections)
        {
            var (cost, charged, absorbed, place, isCovered) = _rated[correction.RequestId];
            Assert.Equal(correction.OldCost, cost);
            Charged += correction.Charged;
            Absorbed += correction.Absorbed;
            Covered += correction.Covered;
            _rated[correction.RequestId] = new(
                correction.NewCost, charged + correction.Charged, absorbed + correction.Absorbed, place, isCovered);
        }
        foreach (var (key, sums) in Rollups.Of(book))
        {
            Assert.True(key.Grain == RollupGrain.Day || key.At >= SealedUntil, "a time that is sealed was changed");
            RolledUp[(key.Grain, key.Dimension)] = RolledUp.GetValueOrDefault((key.Grain, key.Dimension)) + sums;
        }
        foreach (var entry in book.Entries)
        {
            var unit = Accounts[entry.Account].Unit;
            SumsOfUnits[unit] = SumsOfUnits.GetValueOrDefault(unit) + entry.Amount;
        }
    }

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
        Frozen = account.Frozen,
        Ceiling = account.Ceiling,
        EndsAt = account.EndsAt,
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
        };
        foreach (var (register, hold) in lease.Lines)
            copy.Lines.Add(
                register,
                new() { Granted = hold.Granted, Consumed = hold.Consumed, Returned = hold.Returned, LastGranted = hold.LastGranted });
        return copy;
    }
}
