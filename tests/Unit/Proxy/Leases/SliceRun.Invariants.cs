using LlmGateway.Proxy;
using LlmGateway.Wallet;
using Xunit;

namespace LlmGateway.UnitTests.Proxy;

/// <summary>What must hold after each step, and when everything has ended.</summary>
sealed partial class SliceRun
{
    /// <summary>What requests hold and settlements on their way charge is at most what the ledger holds for the lease.</summary>
    void MustHold()
    {
        var promised = new Dictionary<(Guid Lease, Guid Register), long>();
        foreach (var (_, hold) in _running)
            for (var i = 0; i < hold.Amounts.Length; i++)
                if (hold.Claim.Lines[i] != _slots || !_freed.Contains(hold.Lease))
                    Add((hold.Lease, hold.Claim.Lines[i].Register), hold.Amounts[i]);
        foreach (var settle in _unbooked)
            foreach (var charge in settle.Settlement.Charges)
                Add((settle.Settlement.Lease!.Value, charge.Register), charge.Value);
        Assert.True(
            !_ledger.Store.Accounts.TryGetValue(_slots.Register, out var slots) || (slots.Reserved <= Slots && slots.Posted == 0),
            "more slots are held than there are");
        foreach (var ((lease, register), amount) in promised)
            if (!_ended.Contains(lease))
            {
                var held = _ledger.Store.Leases[lease].Lines[register].Outstanding;
                Assert.True(amount <= held, $"{amount} is promised and {held} is held");
            }

        void Add((Guid, Guid) line, long amount) => promised[line] = promised.GetValueOrDefault(line) + amount;
    }

    /// <summary>The network heals and everything ends: nobody waits, nothing is held, and the wallet paid what was used.</summary>
    void Rest()
    {
        if (_ledger.Store.Accounts[_wallet.Register].Frozen)
            _ledger.Apply(new Freeze(_wallet.Register, false));
        for (var round = 0; !AtRest(); round++)
        {
            Assert.True(round < 200, "the slices do not come to rest");
            _scheduler.RunAll();
            foreach (var call in _ledger.Pending.ToArray())
                if (_ledger.Pending.Remove(call))
                    Answer(call);
            _scheduler.RunAll();
            Observe();
            MustHold();
            while (_running.Count > 0)
                EndOne();
            foreach (var part in _parts)
            {
                while (part.Disk.Count > 0)
                    Deliver(part);
                if (_asked.Count == 0)
                    _scheduler.Do(() => _ = part.Slice.GiveBackIdleAsync(TimeSpan.Zero));
            }
            while (_atBroker.Count > 0)
                Book();
        }
        while (_ledger.Late.Count > 0)
            Arrive();
        // Slots are not kept until a lease ends: whoever waits for one waits for nobody who does not run.
        if (_ledger.Store.Accounts.TryGetValue(_slots.Register, out var slots))
            Assert.Equal(0, slots.Reserved);
        Pass(TimeSpan.FromMinutes(2));
        var wallet = _ledger.Store.Accounts[_wallet.Register];
        Assert.Equal((0, 0), (wallet.Reserved, _ledger.Store.Accounts[_cap.Register].Reserved));
        var credits = _ledger.Store.Accounts[_credits.Register];
        Assert.Equal((0, Credits - _ledger.Store.Spent.GetValueOrDefault(_credits.Register)), (credits.Reserved, credits.Posted));
        Assert.True(_paidLate || _ledger.Store.Forgiven == 0, "a credit was forgiven although no lease had ended");
        MustBeCounted(_limit, Ceiling);
        MustBeCounted(_quota, Quota);
        MustBeCounted(_slots, Slots);
        Assert.Equal(Start - _spent + _ledger.Store.Absorbed, wallet.Posted);
        Assert.True(_paidLate || _ledger.Store.Absorbed == 0, "the house paid although no lease had ended");
    }

    /// <summary>Without a lease that ended before its settlements came, nobody uses more than the ceiling.</summary>
    void MustBeCounted(ClaimLine line, long ceiling)
    {
        if (!_ledger.Store.Accounts.TryGetValue(line.Register, out var counter))
            return;
        Assert.Equal((0, _ledger.Store.Counted.GetValueOrDefault(line.Register)), (counter.Reserved, counter.Posted));
        Assert.True(_paidLate || counter.Posted <= ceiling, $"{counter.Posted} of {ceiling} were used");
    }

    bool AtRest() =>
        _asked.Count == 0 && _ledger.Pending.Count == 0 && _running.Count == 0 && _unbooked.Count == 0
            && Array.TrueForAll(_parts, part => part.Slice.TryClose());
}
