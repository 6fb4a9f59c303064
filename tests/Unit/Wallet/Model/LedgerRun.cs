using LlmGateway.Contracts;
using LlmGateway.Wallet;
using Xunit;

namespace LlmGateway.UnitTests.Wallet;

/// <summary>
/// Runs a history through the real ledger, the way the writer does it (only what the commands name is loaded), and through the model.
/// Commands are repeated because their answer was lost, late and out of order; a crash loses a batch before it is written, and its commands
/// come again later, or never.
/// </summary>
sealed class LedgerRun
{
    /// <summary>How far back a repeated command was sent first.</summary>
    const int Memory = 60;

    static readonly Guid Organization = Ids.New(), Project = Ids.New();

    static readonly DateTimeOffset
        Opened = new(2026, 8, 1, 0, 0, 0, TimeSpan.Zero),
        Unopened = new(2027, 3, 1, 0, 0, 0, TimeSpan.Zero);

    readonly ReferenceLedger _model = new() { Opened = Opened, Unopened = Unopened };
    readonly MemoryStore _store = new() { Month = new(Ids.FirstAt(Opened), Ids.FirstAt(Unopened), KeepsRaw: true) };
    readonly Guid[] _wallets = [Ids.New(), Ids.New(), Ids.New()];
    readonly ReferenceEvents _events;
    readonly Guid[] _caps = [Ids.New(), Ids.New()];
    readonly Guid[] _credits = [Ids.New(), Ids.New()];
    readonly Guid[] _limits = [Ids.New(), Ids.New()], _quotas = [Ids.New()], _slots = [Ids.New()];
    readonly Guid[] _windows = [Ids.New(), Ids.New(), Ids.New()], _windowCounters = [Ids.New(), Ids.New()];
    readonly List<Guid> _leases = [Ids.New(), Ids.New()], _reratings = [Ids.New()];
    readonly List<Command> _sent = [], _waiting = [];
    readonly List<Post> _posts = [];

    /// <summary>Disputes and what came back of them, whose ids nothing else has.</summary>
    readonly List<Post> _ofDisputes = [];
    readonly Dictionary<Guid, IReadOnlyList<Moved>> _moved = [];
    readonly List<(Guid Request, Guid? Wallet)> _settled = [];

    /// <summary>The wallet of each request that was priced anew. A customer has one at most.</summary>
    readonly Dictionary<Guid, Guid> _payers = [];
    DateTimeOffset _now = new(2026, 11, 21, 12, 0, 0, TimeSpan.Zero);

    LedgerRun() => _events = new(_wallets);

    /// <summary>Returns how many commands were committed.</summary>
    public static int Of(LedgerHistory history)
    {
        var run = new LedgerRun();
        return history.Steps.Sum(run.Take) + run.Commit();
    }

    int Take(Step step)
    {
        var dice = new Dice(step.Choices);
        switch (step.Kind)
        {
            case StepKind.Commit:
                _now = _now.AddSeconds(dice.Next(20)).AddHours(dice.Next(40) == 39 ? 13 : 0); // so that windows close
                return Commit();
            case StepKind.Crash:
                Crash();
                return 0;
            case StepKind.Repeat when _sent.Count > 0:
                _waiting.Add(_sent[^(1 + dice.Next(Math.Min(Memory, _sent.Count)))]);
                return 0;
            default:
                if (Make(step.Kind, dice) is { } command)
                {
                    _sent.Add(command);
                    _waiting.Add(command);
                }
                return 0;
        }
    }

    int Commit()
    {
        var book = _store.Lock(_waiting, _now);
        foreach (var command in _waiting)
        {
            if (command is GiveBack { Return: var give } && !IsSound(give))
                continue; // a proxy never gives back more than it holds; that breach has a test of its own
            _events.Before(book);
            var answer = Ledger.Apply(book, command);
            _events.MustBe(book, command, answer);
            Same(_model.Apply(command, _now), answer, command);
            if (answer is Answer.Done { Moved: var moved } && command is Post { Id: var id } && !_moved.TryAdd(id, moved))
                Assert.Equal(_moved[id], moved); // the first result, again and for ever
            if (command is Settle { Settlement: var settlement } && _model.IsSettled(settlement.RequestId)
                && !_settled.Exists(known => known.Request == settlement.RequestId))
                Settled(settlement);
        }
        _store.Write(book);
        Compare();
        var count = _waiting.Count;
        _waiting.Clear();
        return count;
    }

    void Crash()
    {
        var lost = _store.Lock(_waiting, _now);
        foreach (var command in _waiting)
            if (command is not GiveBack)
                Ledger.Apply(lost, command);
        _waiting.Clear();
    }

    void Settled(Settlement settlement)
    {
        var asked = settlement.Charges.Select(charge => charge.Register).Where(_wallets.Contains).ToList();
        Guid? wallet = asked.Count == 0 ? null : asked.Find(_model.Registers.ContainsKey) is var open && open != default ? open : asked[0];
        _settled.Add((settlement.RequestId, wallet));
        if (_settled.Count > Memory)
            _settled.RemoveAt(0);
    }

    bool IsSound(LeaseReturn give) =>
        !_model.Leases.TryGetValue(give.Lease, out var lease) || lease.Expired || give.Fence <= lease.ReturnFence
            || give.Lines.All(line => line.Value <= lease.Held.GetValueOrDefault(line.Register)
                || (lease.SlotsFreed && _model.IsSlots(line.Register)));

    /// <summary>Null when there is nothing yet that the step could be about.</summary>
    Command? Make(StepKind kind, Dice dice) => kind switch
    {
        StepKind.Open => OpenOne(dice),
        StepKind.Post => MakePost(dice),
        StepKind.Freeze => new Freeze(
            dice.Pick(_wallets), dice.Next(4) == 1, dice.Next(2) == 0 ? Freezer.Owner : Freezer.Billing),
        StepKind.Expire => new Expire(dice.Pick(_leases), [.. _wallets, .. _caps, .. _credits, .. _limits, .. _quotas, .. _slots]),
        StepKind.OpenWindows => MakeOpening(dice),
        StepKind.FreeSlots => new FreeSlots(dice.Pick(_leases), _slots),
        StepKind.Extend => MakeExtend(dice),
        StepKind.Return => MakeReturn(dice),
        StepKind.Settle => MakeSettlement(dice),
        StepKind.Rerate when _settled.Count > 0 => MakeRerating(dice),
        _ => null,
    };

    /// <summary>With one of several first amounts, so that a register is opened with nothing and again with something.</summary>
    Open OpenOne(Dice dice) => dice.Next(4) switch
    {
        0 or 1 => new(new(
            dice.Pick(_wallets), AccountKind.Wallet, Unit.Usd, Organization, Project, Organization, false, 250 * dice.Next(3))),
        2 => new(new(
            dice.Pick(_caps), AccountKind.SessionCap, Unit.UsdLimit, Organization, Project, Organization, false, 80 * dice.Next(2))),
        _ => OpenCredits(dice.Pick(_credits), 6 * dice.Next(3)),
    };

    static Open OpenCredits(Guid balance, long amount) =>
        new(new(balance, AccountKind.Credits, Unit.Credits, Organization, Project, Organization, false, amount)
        {
            Denomination = TypeOf(balance),
        });

    /// <summary>Each balance of call credits has a type of its own.</summary>
    static Guid TypeOf(Guid balance) => Ids.Derive(balance, "type");

    /// <summary>Now and then the same as one of any time before, or with another input under its id.</summary>
    Post MakePost(Dice dice)
    {
        var again = dice.Next(8);
        if (again == 7 && _posts.Count > 0)
            return dice.Pick(_posts);
        var ofCredits = dice.Next(4) == 3;
        var type = dice.Next(2) == 0 ? PostType.Grant : (PostType)(1 + dice.Next(ofCredits ? 3 : 15));
        var other = again == 6 && _posts.Count > 0 ? dice.Pick(_posts) : null;
        var isNew = other is null or { Type: PostType.Dispute or PostType.DisputeWon };
        var id = isNew ? Ids.New() : other!.Id;
        var post = new Post(
            id,
            type,
            ofCredits ? ScopeOfCredits(dice.Pick(_credits))
                : Posts.Of(type >= PostType.Payout ? null : dice.Pick(_wallets), Organization, Project),
            [1 + dice.Next(ofCredits ? 12 : 120), .. PostingRules.All[type].Legs.Skip(1).Select(_ => (long)dice.Next(10))])
        {
            Reference = dice.Next(4) == 3 ? "another" : null,
            ExpiresAt = type is PostType.Grant or PostType.Promotion && dice.Next(3) > 0 ? _now.AddSeconds(dice.Next(95) - 5) : null,
            Lot = IsReversal(type) && dice.Next(3) > 0 ? _posts.FindLast(earlier => earlier.Type == PostType.TopUp)?.Id : null,
            WithoutDebt = type == PostType.Refund && dice.Next(2) == 0,
        };
        if (type == PostType.DisputeWon && dice.Next(4) > 0)
            post = post with
            {
                Undoes = [.. _ofDisputes.Where(one => (one.Of, one.Lot) == (post.Of, post.Lot)).Select(one => one.Id)],
            };
        _posts.Add(post);
        if (isNew && type is PostType.Dispute or PostType.DisputeWon)
            _ofDisputes.Add(post);
        if (_ofDisputes.Count > Memory)
            _ofDisputes.RemoveAt(0);
        return post;
    }

    static bool IsReversal(PostType type) => type is >= PostType.Refund and <= PostType.DisputeWon;

    static PostScope ScopeOfCredits(Guid balance) => Posts.OfCredits(balance, TypeOf(balance), Organization, Project);

    Extend MakeExtend(Dice dice)
    {
        if (dice.Next(12) == 11)
            _leases.Add(Ids.New());
        var lease = dice.Pick(_leases);
        var fence = (_model.Leases.GetValueOrDefault(lease)?.Fence ?? 0) + dice.Next(4) - 1;
        var final = dice.Next(2) == 1;
        var (registers, firstSource) = Vector(dice);
        var lines = registers.Select((register, i) =>
        {
            if (_credits.Contains(register))
                return OfCredits(register, 1 + dice.Next(4), dice);
            var minimum = dice.Next(20);
            var first = minimum + dice.Next(20);
            var all = first + dice.Next(40);
            return new LeaseDemand(register, minimum, first, all, all + dice.Next(100))
            {
                Counter = CounterOf(register, dice), Idle = i >= firstSource ? dice.Next(30) : 0,
                Whole = i >= firstSource && dice.Next(8) == 7,
                LowMark = _wallets.Contains(register) && dice.Next(6) < 5 ? 60 : null,
            };
        });
        return new(
            new(lease, Math.Max(1, fence), "proxy", [.. lines])
            {
                FirstSource = firstSource, Scope = new(Organization, Project, Organization, false), SaysMarks = dice.Next(4) < 3,
            },
            final)
        {
            InUse = dice.Next(2) == 0 ? new HashSet<Guid>([.. _quotas, .. _limits, .. _slots]) : [],
        };
    }

    /// <summary>Of some requests that wait, each takes one credit.</summary>
    static LeaseDemand OfCredits(Guid register, long waiting, Dice dice) =>
        new(register, 1, 1, waiting, waiting + dice.Next(8)) { Idle = dice.Next(3), Whole = true };

    /// <summary>With a ceiling that changes from claim to claim, and now and then of a cycle that is over.</summary>
    CounterTerm? CounterOf(Guid register, Dice dice) => _slots.Contains(register)
        ? new(AccountKind.Slots, Unit.Slots, null, 40 * dice.Next(4), DateTimeOffset.UnixEpoch, Term.Ever)
        : _limits.Contains(register) || _quotas.Contains(register)
            ? new(
                _limits.Contains(register) ? AccountKind.Limit : AccountKind.Quota, Unit.Tokens, null, 300 * dice.Next(4) + 50,
                _now.AddHours(-1), _now.AddSeconds(dice.Next(6) == 5 ? -2 : 3_600))
            {
                CycleTo = dice.Next(3) == 2 ? _now.AddDays(dice.Next(30)) : null,
            }
            : null;

    /// <summary>One session that two counters count, or two that one counts each.</summary>
    OpenWindows MakeOpening(Dice dice)
    {
        var lines = Array.ConvertAll(_windowCounters, register => new WindowLine(
            register,
            new(
                AccountKind.Windows, Unit.Windows, null, 3 * dice.Next(6), _now.AddHours(-1),
                _now.AddSeconds(dice.Next(9) == 8 ? -2 : 3_600))));
        var session = dice.Next(_windows.Length);
        return new(new(
            new(Organization, Project, Organization, false),
            dice.Next(2) == 0
                ? [new(_windows[session], lines)]
                : [new(_windows[session], lines[..1]), new(_windows[(session + 1) % _windows.Length], lines[1..])]));
    }

    GiveBack MakeReturn(Dice dice)
    {
        var lease = dice.Pick(_leases);
        var fence = (_model.Leases.GetValueOrDefault(lease)?.ReturnFence ?? 0) + dice.Next(3);
        var held = _model.Leases.GetValueOrDefault(lease)?.Held ?? [];
        // What is given back late may have been freed meanwhile. A return names all lines of its claim.
        return new(new(
            lease, fence,
            [
                .. held.Select(line => new Amount(line.Key, dice.Next((int)line.Value + 1 + (_slots.Contains(line.Key) ? 1 : 0)))),
                .. _slots.Where(slots => !held.ContainsKey(slots)).Select(slots => new Amount(slots, 0)),
            ])
        {
            RenouncesSlots = dice.Next(8) == 7,
        });
    }

    Settle MakeSettlement(Dice dice)
    {
        var cost = dice.Next(50);
        Guid? lease = dice.Next(8) == 7 ? null : dice.Pick(_leases);
        var charges = Vector(dice).Registers.Except(_slots).Select(register => _credits.Contains(register)
            ? new Charge(register, 1 + dice.Next(2)) { Denomination = TypeOf(register) }
            : Counts(register)
            ? new Charge(register, 1 + dice.Next(30), dice.Next(2))
            : new Charge(register, cost - dice.Next(cost + 1)));
        var request = RequestOf(dice);
        if (request < Ids.FirstAt(_now.AddDays(-90)))
            charges = charges.Select(charge => charge with { Register = Ids.Derive(charge.Register, "deleted") });
        var began = _now.AddMinutes(10 - (20 * (cost % 3))).AddHours(dice.Next(3) - 1);
        return new(new(request, lease, [.. charges], UsageRecords.Of(cost, Organization, Project, began))
        {
            Due = dice.Next(4) == 3 ? dice.Next(60) : null,
            Windows = dice.Next(4) == 3 ? [dice.Pick(_windows)] : [],
        });

        bool Counts(Guid register) => _limits.Contains(register) || _quotas.Contains(register);
    }

    /// <summary>Now and then of a month that is closed, or not open yet, or of a time whose counters are deleted.</summary>
    Guid RequestOf(Dice dice) =>
        Ids.New(_now.AddDays(dice.Next(20) switch { 19 => -130, 18 => +120, 17 => -100, _ => 0 }));

    /// <summary>Of the wallet that was asked then, or of the one that its customer has got since, or not.</summary>
    Rerate MakeRerating(Dice dice)
    {
        if (dice.Next(8) == 7)
            _reratings.Add(Ids.New());
        var (request, asked) = dice.Pick(_settled);
        if (!_payers.TryGetValue(request, out var wallet))
            _payers[request] = wallet = asked ?? dice.Pick(_wallets);
        return new(dice.Pick(_reratings), request, wallet, Organization, Project, false, Organization, dice.Next(80))
        {
            OfBatch = dice.Next(3) == 2,
        };
    }

    /// <summary>One wallet or two, often with a cap, or behind a quota or call credits, or with limits.</summary>
    (Guid[] Registers, int? FirstSource) Vector(Dice dice) => dice.Next(13) switch
    {
        12 => ([.. _quotas, dice.Pick(_credits), dice.Pick(_wallets)], 0),
        11 => ([dice.Pick(_limits), dice.Pick(_credits)], 1),
        10 => ([dice.Pick(_credits), dice.Pick(_wallets)], 0),
        9 => ([.. _slots, dice.Pick(_wallets)], 1),
        8 => ([.. _slots, dice.Pick(_limits)], 2),
        7 => ([dice.Pick(_limits), .. _quotas, dice.Pick(_wallets)], 1),
        6 => ([.. _quotas, dice.Pick(_wallets)], 0),
        5 => ([.. _limits, dice.Pick(_wallets)], 2),
        4 => ([dice.Pick(_limits)], 1),
        3 => ([dice.Pick(_wallets), dice.Pick(_caps)], null),
        2 => ([.. new[] { dice.Pick(_wallets), dice.Pick(_wallets) }.Distinct()], null),
        _ => ([dice.Pick(_wallets)], null),
    };

    static void Same(Answer expected, Answer actual, Command command)
    {
        var same = (expected, actual) switch
        {
            (Answer.Granted a, Answer.Granted b) => a.Amounts.SequenceEqual(b.Amounts) && a.LotsExpireAt == b.LotsExpireAt,
            (Answer.Opened a, Answer.Opened b) => a.ClosesAt == b.ClosesAt,
            _ => expected == actual,
        };
        Assert.True(same, $"{command} gave {actual}, the model says {expected}");
    }

    void Compare()
    {
        _model.Tick(_now);
        foreach (var (id, register) in _model.Registers)
        {
            var (shown, reserved) = (_store.Shown(id, _now), _store.Accounts[id].Reserved);
            Assert.True((shown, reserved) == (register.Posted, _model.Reserved(id)),
                $"register {id} is {shown}/{reserved}, the model says {register.Posted}/{_model.Reserved(id)}");
        }
        foreach (var balance in _wallets.Concat(_credits).Where(_model.Registers.ContainsKey))
            CompareLots(balance);
        CompareCredits();
        Assert.True(
            (_store.Charged, _store.Absorbed, _store.Covered) == (_model.Charged, _model.Absorbed, _model.Covered),
            $"charged {_store.Charged}, absorbed {_store.Absorbed}, covered {_store.Covered}, "
                + $"the model says {_model.Charged}, {_model.Absorbed}, {_model.Covered}");
        foreach (var slots in _slots.Where(_store.Accounts.ContainsKey))
            Assert.Equal(0, _store.Accounts[slots].Posted);
        foreach (var (window, closesAt) in _model.Windows)
            Assert.Equal(closesAt, _store.Windows[window].ClosesAt);
        foreach (var (party, amount) in _model.House)
        {
            var house = PostingRules.House(party, Posts.Of(null, Organization, Project)).Id;
            Assert.True(_store.Accounts.GetValueOrDefault(house)?.Posted == amount, $"{party} is not {amount}");
        }
        foreach (var (counter, end) in _model.Ends)
            Assert.Equal(end, _store.Accounts[counter].EndsAt);
        foreach (var (counter, counted) in _store.Counted)
            Assert.Equal(counted, _store.Accounts[counter].Posted);
        Assert.True(_store.SumsOfUnits.Values.All(sum => sum == 0), "entries do not sum to zero");
    }

    void CompareCredits()
    {
        Assert.Equal(_model.Forgiven, _store.Forgiven);
        foreach (var balance in _credits.Where(_model.Registers.ContainsKey))
        {
            var used = _store.Accounts.GetValueOrDefault(HouseAccounts.UsedCredits(TypeOf(balance), false))?.Posted ?? 0;
            Assert.Equal(_model.Used.GetValueOrDefault(TypeOf(balance)), used);
            Assert.Equal((used, used), (_store.Spent.GetValueOrDefault(balance), _store.Accounts[balance].Spent));
        }
    }

    void CompareLots(Guid wallet)
    {
        var posted = _store.Accounts[wallet].Posted;
        var expired = _store.Accounts.GetValueOrDefault(HouseAccounts.Expired(wallet, _store.Accounts[wallet].Unit, false))?.Posted ?? 0;
        Assert.Equal(_model.ExpiredOf(wallet), expired + posted - _store.Shown(wallet, _now));
        foreach (var (lot, left) in _model.LotsOf(wallet))
        {
            Assert.Equal(_store.SumsOfLots.GetValueOrDefault((wallet, lot)), _store.LeftOf(wallet, lot));
            if (posted == _store.Shown(wallet, _now))
                Assert.True(left == _store.LeftOf(wallet, lot), $"lot {lot} has {_store.LeftOf(wallet, lot)}, the model says {left}");
        }
    }
}
