using LlmGateway.Contracts;
using LlmGateway.Wallet;
using Xunit;

namespace LlmGateway.UnitTests.Wallet;

/// <summary>
/// Random histories: batches of commands with duplicates, late and reordered arrivals, and crashes that lose a batch before it is written, run through
/// the real ledger the way the writer does it (only what the commands name is loaded) and through <see cref="ReferenceLedger"/>. After each batch the
/// two agree on every answer and every balance. A failure prints its seed.
/// </summary>
public sealed class LedgerModelTests
{
    const int Histories = 240, BatchesPerHistory = 250, MaxBatch = 40;

    static readonly Guid Organization = Ids.New(), Project = Ids.New();

    [Fact]
    public void A_million_random_steps_leave_the_ledger_and_the_model_in_agreement()
    {
        var steps = 0;
        Seeds.ForEach(Histories, random => steps += new History(random).Run(BatchesPerHistory));

        Assert.True(steps >= 1_000_000 || Seeds.IsReplay, $"only {steps} steps");
    }

    sealed class History(Random random)
    {
        readonly ReferenceLedger _model = new();
        readonly Store _store = new();
        readonly Guid[] _wallets = [Ids.New(), Ids.New(), Ids.New()];
        readonly Guid[] _caps = [Ids.New(), Ids.New()];
        readonly List<Guid> _leases = [Ids.New(), Ids.New()];
        readonly List<Command> _sent = [];
        DateTimeOffset _now = new(2026, 11, 21, 12, 0, 0, TimeSpan.Zero);

        public int Run(int batches)
        {
            var steps = 0;
            for (var batch = 0; batch < batches; batch++)
            {
                _now = _now.AddSeconds(random.Next(20));
                var commands = Enumerable.Range(0, random.Next(1, MaxBatch)).Select(_ => Next()).ToList();
                // A crash before the commit: nothing of it happened, and the callers send it again later, or never.
                if (random.Next(10) == 0)
                {
                    var lost = _store.Lock(commands, _now);
                    foreach (var command in commands)
                        TryApply(lost, command);
                    continue;
                }
                steps += Commit(commands);
            }
            return steps;
        }

        int Commit(List<Command> commands)
        {
            var book = _store.Lock(commands, _now);
            // Locking a batch creates what it opens, empty, before its first command runs.
            foreach (var open in commands.OfType<Open>())
                _model.Exists(open.Register);
            foreach (var command in commands)
            {
                var sound = command is not GiveBack { Return: var give } || IsSound(give);
                if (!sound)
                    continue; // a proxy never gives back more than it holds; that breach has a test of its own
                var expected = _model.Apply(command, _now);
                Same(expected, Ledger.Apply(book, command), command);
            }
            _store.Write(book);
            Compare();
            return commands.Count;
        }

        bool IsSound(LeaseReturn give) => !_model.Leases.TryGetValue(give.Lease, out var lease) || lease.Expired || give.Fence <= lease.ReturnFence
            || give.Lines.All(line => line.Value <= lease.Held.GetValueOrDefault(line.Register));

        static void TryApply(Book book, Command command)
        {
            try { Ledger.Apply(book, command); }
            catch (InvalidOperationException) { /* a return larger than the hold; the batch is lost anyway */ }
        }

        Command Next()
        {
            if (_sent.Count > 0 && random.Next(5) == 0)
                return _sent[random.Next(Math.Max(0, _sent.Count - 60), _sent.Count)];
            var command = Make();
            _sent.Add(command);
            return command;
        }

        Command Make() => random.Next(20) switch
        {
            0 => OpenOne(),
            1 or 2 => new Adjust(Ids.New(), Pick(_wallets), Organization, false, random.Next(-60, 120) is var amount and not 0 ? amount : 1, EntryType.Grant, null),
            3 => new Freeze(Pick(_wallets), random.Next(4) == 0),
            4 => new Expire(Pick(_leases), [.. _wallets, .. _caps]),
            >= 5 and < 12 => MakeExtend(),
            >= 12 and < 15 => MakeReturn(),
            _ => MakeSettlement(),
        };

        Open OpenOne() => random.Next(3) > 0
            ? new(new(Pick(_wallets), AccountKind.Wallet, Unit.Usd, Organization, Project, Organization, false, 500))
            : new(new(Pick(_caps), AccountKind.SessionCap, Unit.UsdLimit, Organization, Project, Organization, false, 80));

        Extend MakeExtend()
        {
            if (random.Next(12) == 0)
                _leases.Add(Ids.New());
            var lines = Vector().Select(register =>
            {
                var minimum = random.Next(0, 20);
                var first = minimum + random.Next(0, 20);
                var all = first + random.Next(0, 40);
                return new LeaseLine(register, minimum, first, all, all + random.Next(0, 100));
            });
            var lease = Pick(_leases);
            var fence = (_model.Leases.GetValueOrDefault(lease)?.Fence ?? 0) + random.Next(-1, 3);
            return new(new(lease, Math.Max(1, fence), "proxy", [.. lines]), Final: random.Next(2) == 0);
        }

        GiveBack MakeReturn()
        {
            var lease = Pick(_leases);
            var fence = (_model.Leases.GetValueOrDefault(lease)?.ReturnFence ?? 0) + random.Next(0, 3);
            var held = _model.Leases.GetValueOrDefault(lease)?.Held ?? [];
            return new(new(lease, fence, [.. held.Select(line => new Amount(line.Key, random.NextInt64(0, line.Value + 1)))]));
        }

        Settle MakeSettlement()
        {
            var cost = random.Next(0, 50);
            var opened = Vector().Where(_model.Registers.ContainsKey).ToArray();
            return new(new(Ids.New(), random.Next(8) == 0 ? null : Pick(_leases), [.. opened.Select(register => new Amount(register, random.Next(0, cost + 1)))],
                new(Organization, Project, null, Organization, null, false, "/", "m", "p", "m", null, false, _now, 1, null, 200, RequestOutcome.Completed,
                    new Usage().ToArray(), new Money(cost), false, null, null)));
        }

        /// <summary>One wallet, often with a cap: a request is never charged to two wallets.</summary>
        Guid[] Vector() => random.Next(3) == 0 ? [Pick(_wallets), Pick(_caps)] : [Pick(_wallets)];

        T Pick<T>(IReadOnlyList<T> from) => from[random.Next(from.Count)];

        static void Same(Answer expected, Answer actual, Command command)
        {
            var same = (expected, actual) switch
            {
                (Answer.Granted a, Answer.Granted b) => a.Amounts.SequenceEqual(b.Amounts),
                _ => expected == actual,
            };
            Assert.True(same, $"{command} gave {actual}, the model says {expected}");
        }

        void Compare()
        {
            foreach (var (id, register) in _model.Registers)
            {
                var account = _store.Accounts[id];
                Assert.True((account.Posted, account.Reserved) == (register.Posted, _model.Reserved(id)),
                    $"register {id} is {account.Posted}/{account.Reserved}, the model says {register.Posted}/{_model.Reserved(id)}");
            }
            Assert.True(_store.Charged == _model.Charged && _store.Absorbed == _model.Absorbed, $"charged {_store.Charged}, absorbed {_store.Absorbed}");
            Assert.True(_store.SumsOfUnits.Values.All(sum => sum == 0), $"entries do not sum to zero");
        }
    }

    /// <summary>What PostgreSQL is to the writer: gives out copies of the rows that a batch names, and takes them back whole.</summary>
    sealed class Store
    {
        public Dictionary<Guid, Account> Accounts { get; private set; } = [];
        public long Charged { get; private set; }
        public long Absorbed { get; private set; }
        public Dictionary<Unit, long> SumsOfUnits { get; } = [];

        readonly Dictionary<Guid, Lease> _leases = [];
        readonly HashSet<Guid> _known = [];

        public Book Lock(List<Command> commands, DateTimeOffset now)
        {
            var book = new Book(now);
            foreach (var ensured in commands.SelectMany(command => command.Ensures))
                book.Accounts.TryAdd(ensured.Id, Copy(Accounts.GetValueOrDefault(ensured.Id) ?? ensured));
            foreach (var id in commands.SelectMany(command => command.Accounts))
                if (Accounts.TryGetValue(id, out var account))
                    book.Accounts.TryAdd(id, Copy(account));
            foreach (var command in commands)
            {
                if (command.Lease is { } lease && _leases.TryGetValue(lease, out var known))
                    book.Leases.TryAdd(lease, Copy(known));
                if (command.Movement is { } movement && _known.Contains(movement))
                    book.Known.Add(movement);
            }
            return book;
        }

        public void Write(Book book)
        {
            foreach (var (id, account) in book.Accounts)
                Accounts[id] = account;
            foreach (var (id, lease) in book.Leases)
                _leases[id] = lease;
            foreach (var transfer in book.Transfers)
                Assert.True(_known.Add(transfer.Id), "a movement was written twice");
            foreach (var usage in book.Usages)
            {
                Assert.True(_known.Add(usage.RequestId), "a request was written twice");
                Charged += usage.Charged;
                Absorbed += usage.Absorbed;
            }
            foreach (var entry in book.Entries)
            {
                var unit = Accounts[entry.Account].Unit;
                SumsOfUnits[unit] = SumsOfUnits.GetValueOrDefault(unit) + entry.Amount;
            }
        }

        static Account Copy(Account account) => new()
        {
            Id = account.Id, Kind = account.Kind, Unit = account.Unit, Organization = account.Organization, Project = account.Project, Owner = account.Owner,
            Posted = account.Posted, Reserved = account.Reserved, Version = account.Version, Spent = account.Spent, ToppedUp = account.ToppedUp, Frozen = account.Frozen,
        };

        static Lease Copy(Lease lease)
        {
            var copy = new Lease { Id = lease.Id, Holder = lease.Holder, Fence = lease.Fence, ReturnFence = lease.ReturnFence, ExpiresAt = lease.ExpiresAt, Expired = lease.Expired };
            foreach (var (register, hold) in lease.Lines)
                copy.Lines.Add(register, new() { Granted = hold.Granted, Consumed = hold.Consumed, Returned = hold.Returned, LastGranted = hold.LastGranted });
            return copy;
        }
    }
}
