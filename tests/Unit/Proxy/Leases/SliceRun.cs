using LlmGateway.Contracts;
using LlmGateway.Proxy;
using LlmGateway.UnitTests.Wallet;
using LlmGateway.Wallet;
using Microsoft.Extensions.Time.Testing;
using Xunit;

namespace LlmGateway.UnitTests.Proxy;

/// <summary>
/// One history of slices of one wallet: one with a session's cap, two with a limit of tokens and a quota that pays before the wallet, two
/// with slots, two with call credits. A token costs a nano-dollar here. The seed decides everything.
/// </summary>
sealed partial class SliceRun
{
    const int Steps = 160;
    const long Start = 600, CapStart = 250, Ceiling = 400, Quota = 150, Slots = 3, Credits = 6;

    static readonly Guid Organization = Ids.New(), Project = Ids.New();

    readonly int _seed;
    readonly Random _dice;
    readonly SeededScheduler _scheduler;
    readonly FakeTimeProvider _time = new();
    readonly LedgerInMemory _ledger;
    readonly ClaimLine _wallet = new(Ids.New(), AccountKind.Wallet, Unit.Usd);
    readonly ClaimLine _cap = new(Ids.New(), AccountKind.SessionCap, Unit.UsdLimit);
    readonly ClaimLine _limit = Counter(AccountKind.Limit, Ceiling), _quota = Counter(AccountKind.Quota, Quota);
    readonly ClaimLine _credits = new(Ids.New(), AccountKind.Credits, Unit.Credits) { QueryType = "standard", Denomination = Ids.New() };
    readonly ClaimLine _slots = Counter(AccountKind.Slots, Slots);
    readonly Part[] _parts;
    readonly List<(Part Part, Task<HoldAnswer> Answer, CancellationTokenSource Caller)> _asked = [];
    readonly List<(Part Part, Hold Hold)> _running = [];

    /// <summary>Settlements that the ledger has not booked, on a disk or at the broker.</summary>
    readonly List<Settle> _unbooked = [], _atBroker = [];

    /// <summary>Leases that the ledger has ended or forgotten.</summary>
    readonly HashSet<Guid> _ended = [];

    /// <summary>Leases that lost their slots, because their holder was silent.</summary>
    readonly HashSet<Guid> _freed = [];

    /// <summary>Whose turn it is to call back what others hold idle, and what there was before.</summary>
    LeaseRequest? _turn;
    Int128 _roomBefore;
    readonly Dictionary<Guid, DateTimeOffset> _inUse = [];

    long _spent;
    int _admitted;
    bool _paidLate;

    /// <summary>A slice with its proxy's spool.</summary>
    sealed class Part(Slice slice, DeliveryMark delivered)
    {
        public Slice Slice => slice;
        public DeliveryMark Delivered => delivered;
        public Queue<Settle> Disk { get; } = new();
        public long Records { get; set; }
    }

    SliceRun(int seed)
    {
        (_seed, _dice, _ledger) = (seed, new Random(seed), new(_time));
        _scheduler = new(_dice);
        _ledger.Apply(new Open(new(_wallet.Register, _wallet.Kind, _wallet.Unit, Organization, Project, Organization, false, Start)));
        _ledger.Apply(new Open(new(_cap.Register, _cap.Kind, _cap.Unit, Organization, Project, Organization, false, CapStart)));
        _ledger.Apply(new Open(new(_credits.Register, _credits.Kind, _credits.Unit, Organization, Project, Organization, false, Credits)
        {
            Denomination = _credits.Denomination,
        }));
        _parts =
        [
            NewPart("a", [_wallet], 0), NewPart("b", [_cap, _wallet], 1), NewPart("b", [_wallet], 0),
            NewPart("a", [_limit, _quota, _wallet], 1), NewPart("b", [_limit, _quota, _wallet], 1),
            NewPart("a", [_slots, _wallet], 1), NewPart("b", [_slots, _wallet], 1),
            NewPart("a", [_credits, _wallet], 0), NewPart("b", [_credits, _wallet], 0),
        ];
    }

    static ClaimLine Counter(AccountKind kind, long ceiling)
    {
        var (id, unit) = (Ids.New(), kind == AccountKind.Slots ? Unit.Slots : Unit.Tokens);
        return new(id, kind, unit)
        {
            Counter = new(kind, unit, null, ceiling, DateTimeOffset.MinValue.AddDays(1), DateTimeOffset.MaxValue.AddDays(-1)),
        };
    }

    /// <summary>Returns how many requests were admitted.</summary>
    public static int Of(int seed)
    {
        var run = new SliceRun(seed);
        try
        {
            for (var step = 0; step < Steps; step++)
            {
                run.Take(run._dice.Next(27));
                run.Observe();
                run.MustHold();
            }
            run.Rest();
            return run._admitted;
        }
        catch (Exception e)
        {
            throw new InvalidOperationException($"seed {seed}: {e.Message}", e);
        }
    }

    Part NewPart(string holder, ClaimLine[] lines, int firstSource)
    {
        var delivered = new DeliveryMark();
        var claim = new Claim(lines, firstSource, new(Organization, Project, Organization, false));
        return new(new Slice(claim, holder, _ledger, delivered, _time), delivered);
    }

    void Take(int step)
    {
        var part = _parts[_dice.Next(_parts.Length)];
        switch (step)
        {
            case < 7: _scheduler.RunOne(); break;
            case < 11: Ask(part); break;
            case < 14: AnswerOne(); break;
            case < 17: EndOne(); break;
            case 17: Deliver(part); break;
            case 18: Book(); break;
            case 19: _scheduler.Do(() => _ = part.Slice.GiveBackIdleAsync(TimeSpan.FromSeconds(2 * _dice.Next(2)))); break;
            case 20: Arrive(); break;
            case 21: Renew(part); break;
            case 22: Pass(TimeSpan.FromMilliseconds(_dice.Next(5_000))); break;
            case 23 when _dice.Next(2) == 0: Pass(TimeSpan.FromSeconds(_dice.Next(50))); break;
            case 24 when _dice.Next(3) == 0: Freeze(part); break;
            case 26 when _dice.Next(3) == 0: Silence(part); break;
            case 25 when _asked.Count > 0: _scheduler.Do(_asked[_dice.Next(_asked.Count)].Caller.Cancel); break;
            default: _scheduler.RunAll(); break;
        }
    }

    void Ask(Part part) => _scheduler.Do(() =>
    {
        var minimum = 1 + _dice.Next(15);
        var full = minimum + _dice.Next(60);
        var caller = new CancellationTokenSource();
        Assert.True(part.Slice.TryReserve(Each(minimum), Each(full), caller.Token, out var answer), "a slice closed itself");
        _asked.Add((part, answer.AsTask(), caller));

        long[] Each(long amount) => [.. part.Slice.Claim.Lines.Select(line => line == _slots || line == _credits ? 1 : amount)];
    });

    /// <summary>What becomes of a call: answered, applied twice, lost on one of the two ways, or given up and applied late.</summary>
    void AnswerOne()
    {
        if (_ledger.Pending.Count == 0)
            return;
        var chosen = _dice.Next(_ledger.Pending.Count);
        var call = _ledger.Pending[chosen];
        _ledger.Pending.RemoveAt(chosen);
        var fate = _dice.Next(10);
        if (fate is 0 or 1 or 3 && call.Command is Extend { Request: var lost } && lost == _turn)
            _turn = null;
        if (fate == 0)
            _ledger.Late.Add(call.Command);
        if (fate is 1 or 2)
            _ledger.Apply(call.Command);
        if (fate is 0 or 1 or 3)
            _scheduler.Do(() => call.Lose(new HttpRequestException("lost")));
        else
            Answer(call);
    }

    /// <summary>
    /// As Wallet does it: who is short waits for its turn, calls back what others hold idle, and asks again. A turn that brings nothing is
    /// remembered for a second.
    /// </summary>
    void Answer(LedgerInMemory.Call call)
    {
        var command = call.Command is Extend extend ? extend with { InUse = InUse } : call.Command;
        var answer = _ledger.Apply(command);
        if (answer is Answer.Shortage shortage)
        {
            var asked = (Extend)call.Command;
            if (_turn is null)
            {
                (_turn, _roomBefore) = (asked.Request, shortage.Room);
                foreach (var part in _parts)
                    _scheduler.Do(() => _ = part.Slice.GiveBackIdleAsync(TimeSpan.Zero, asked.Request.Lease));
            }
            else if (_turn == asked.Request)
            {
                if (shortage.Room <= _roomBefore)
                    foreach (var register in shortage.Registers)
                        _inUse[register] = _time.GetUtcNow();
                call = call with { Command = asked with { Final = true } };
            }
            _ledger.Pending.Add(call);
            return;
        }
        if (call.Command is Extend { Request: var request } && request == _turn)
            _turn = null;
        _scheduler.Do(() => call.Answer(answer));
    }

    HashSet<Guid> InUse => [.. _inUse.Where(known => _time.GetUtcNow() - known.Value < TimeSpan.FromSeconds(1)).Select(known => known.Key)];

    void EndOne()
    {
        if (_running.Count == 0)
            return;
        var chosen = _dice.Next(_running.Count);
        var (part, hold) = _running[chosen];
        _running.RemoveAt(chosen);
        var claim = hold.Claim;
        var byCredit = claim.Credits >= 0 && hold.Amounts[claim.Credits] > 0;
        var most = Math.Min(
            byCredit ? 60 : hold.Amounts[claim.FirstSource..].Sum(),
            claim.HasSlots ? long.MaxValue : hold.Amounts[..claim.FirstSource].Append(long.MaxValue).Min());
        var cost = _dice.Next(4) == 0 ? 0 : _dice.NextInt64(most + 1);
        if (cost == 0)
        {
            hold.Void();
            return;
        }
        var used = new long[claim.Lines.Count];
        var (paid, due) = Admission.Used(claim, hold.Amounts, cost, cost, answered: true, used);
        Assert.Equal(paid, due);
        Assert.Equal(byCredit ? 1 : cost, used[claim.FirstSource..].Sum());
        hold.Settle(used);
        var charges = claim.Lines.Select((line, i) => new Charge(line.Register, used[i]) { Denomination = line.Denomination })
            .Where(charge => charge.Value > 0);
        var usage = UsageRecords.Of(cost, Organization, Project, _time.GetUtcNow());
        var settle = new Settle(new(Ids.New(), hold.Lease, [.. charges], usage) { Due = due });
        _unbooked.Add(settle);
        part.Disk.Enqueue(settle);
        hold.Spooled(++part.Records);
    }

    void Deliver(Part part)
    {
        if (!part.Disk.TryDequeue(out var settle))
            return;
        _atBroker.Add(settle);
        part.Delivered.Add(1);
    }

    /// <summary>The broker delivers in any order, and sometimes again.</summary>
    void Book()
    {
        if (_atBroker.Count == 0)
            return;
        var settle = _atBroker[_dice.Next(_atBroker.Count)];
        if (_dice.Next(5) > 0)
            _atBroker.Remove(settle);
        if (!_unbooked.Remove(settle))
        {
            Assert.Equal(new Answer.Done(Repeated: true), _ledger.Apply(settle));
            return;
        }
        _paidLate |= _ended.Contains(settle.Settlement.Lease!.Value);
        _ledger.Apply(settle);
        _spent += settle.Settlement.Due!.Value;
    }

    void Arrive()
    {
        if (_ledger.Late.Count == 0)
            return;
        var chosen = _dice.Next(_ledger.Late.Count);
        var command = _ledger.Late[chosen];
        _ledger.Late.RemoveAt(chosen);
        _ledger.Apply(command);
    }

    /// <summary>As Wallet renews: what has not ended lives on, and leases of a frozen register are named.</summary>
    void Renew(Part part)
    {
        foreach (var lease in part.Slice.LiveLeases())
        {
            var alive = _ledger.Store.Leases.TryGetValue(lease.Id, out var known) && !known.Expired;
            if (alive)
                known!.ExpiresAt = _time.GetUtcNow().AddSeconds(LeaseRequest.TtlSeconds);
            var frozen = alive && known!.Lines.Keys.Any(register => _ledger.Store.Accounts[register].Frozen);
            if (_dice.Next(6) > 0)
                part.Slice.Renewed(lease, alive, frozen, _time.GetTimestamp());
        }
    }

    /// <summary>
    /// Whoever could run has run before time passes. Then the ledger ends what was not renewed, and forgets some of it.
    /// </summary>
    void Pass(TimeSpan time)
    {
        _scheduler.RunAll();
        Observe();
        _time.Advance(time);
        foreach (var lease in _ledger.Store.Leases.Values.Where(lease => lease.ExpiresAt <= _time.GetUtcNow()).ToArray())
        {
            _ledger.Apply(new Expire(lease.Id, [.. lease.Lines.Keys]));
            _ended.Add(lease.Id);
            if (_dice.Next(2) > 0)
                continue;
            _ledger.Store.Leases.Remove(lease.Id);
            _ledger.Late.RemoveAll(late => late.Lease == lease.Id); // no call is under way for a minute
        }
    }

    /// <summary>The holder is counted as silent. It lives, and hears of it before or after other things happen.</summary>
    void Silence(Part part)
    {
        if (!part.Slice.Claim.HasSlots)
            return;
        foreach (var lease in _ledger.Store.Leases.Values.Where(lease => lease.Slots == LeaseSlots.Held).ToArray())
            if (_dice.Next(2) == 0)
            {
                _ledger.Apply(new FreeSlots(lease.Id, [.. lease.Lines.Keys]));
                _freed.Add(lease.Id);
            }
        if (_dice.Next(2) == 0)
            part.Slice.Retire();
    }

    void Freeze(Part part)
    {
        var frozen = _ledger.Store.Accounts[_wallet.Register].Frozen;
        _ledger.Apply(new Freeze(_wallet.Register, !frozen));
        if (!frozen && _dice.Next(2) == 0)
            part.Slice.Retire();
    }

    void Observe()
    {
        foreach (var asked in _asked.Where(asked => asked.Answer.IsCompleted).ToArray())
        {
            _asked.Remove(asked);
            if (!asked.Answer.IsCompletedSuccessfully || asked.Answer.Result.Hold is not { } hold)
                continue;
            _admitted++;
            _running.Add((asked.Part, hold));
            Assert.False(_ended.Contains(hold.Lease), "a request was admitted on a lease that has ended");
        }
    }
}
