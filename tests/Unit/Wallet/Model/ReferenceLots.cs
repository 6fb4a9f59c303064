using LlmGateway.Contracts;
using LlmGateway.Wallet;

namespace LlmGateway.UnitTests.Wallet;

/// <summary>
/// The lots of the second ledger, from docs/money.md: a list of them for each wallet, and a clock that lets them expire the moment that
/// they do. What is not in the list is the wallet's own lot.
/// </summary>
sealed partial class ReferenceLedger
{
    sealed class ModelLot
    {
        public required Guid Id;
        public DateTimeOffset Ends = DateTimeOffset.MaxValue;
        public bool IsPaid;
        public int Age;
        public long Left;
        public long First;
    }

    readonly Dictionary<Guid, List<ModelLot>> _lots = [];
    readonly Dictionary<Guid, long> _expired = [];

    public long ExpiredOf(Guid wallet) => _expired.GetValueOrDefault(wallet);

    /// <summary>What is left of each lot, the wallet's own with it.</summary>
    public IEnumerable<(Guid Lot, long Left)> LotsOf(Guid wallet) => InTurn(wallet).Select(lot => (lot.Id, lot.Left));

    /// <summary>
    /// The earliest end first, then what cost nothing, then the oldest. The wallet's own never ends, cost nothing and is the oldest.
    /// </summary>
    List<ModelLot> InTurn(Guid wallet)
    {
        var others = _lots.GetValueOrDefault(wallet) ?? [];
        var own = new ModelLot { Id = wallet, Left = Registers[wallet].Posted - others.Sum(lot => lot.Left) };
        return [.. others.Append(own).OrderBy(lot => lot.Ends).ThenBy(lot => lot.IsPaid).ThenBy(lot => lot.Age)];
    }

    /// <summary>What has ended is gone, but for what leases from before hold; of two that have ended the first is held first.</summary>
    public void Tick(DateTimeOffset now)
    {
        _now = now;
        foreach (var (wallet, lots) in _lots)
        {
            var kept = 0L;
            foreach (var lot in lots.FindAll(lot => lot.Left > 0 && lot.Ends <= now).OrderBy(lot => lot.Ends).ThenBy(lot => lot.IsPaid)
                .ThenBy(lot => lot.Age))
            {
                var fromBefore = Leases.Values.Where(lease => lease.Until <= lot.Ends).Sum(lease => lease.Held.GetValueOrDefault(wallet));
                var stays = Math.Min(lot.Left, fromBefore - kept);
                Lose(wallet, lot, Math.Min(lot.Left - stays, Available(wallet)));
                kept += stays;
            }
        }
    }

    void Lose(Guid wallet, ModelLot lot, long amount)
    {
        lot.Left -= amount;
        Add(wallet, -amount);
        _expired[wallet] = ExpiredOf(wallet) + amount;
    }

    void AddLot(Guid wallet, Guid id, long amount, DateTimeOffset? ends, bool isPaid)
    {
        if (!_lots.TryGetValue(wallet, out var lots))
            _lots.Add(wallet, lots = []);
        lots.Add(new()
        {
            Id = id, Ends = ends ?? DateTimeOffset.MaxValue, IsPaid = isPaid, Age = lots.Count + 1, Left = amount, First = amount,
        });
        Add(wallet, amount);
    }

    /// <summary>Lots that have something left, but for the one that is spent last of all that never end.</summary>
    int OpenBesideTheLast(Guid wallet) => InTurn(wallet) is var lots
        ? lots.Count(lot => lot.Left > 0 && lot != lots.FindLast(other => other.Ends == DateTimeOffset.MaxValue))
        : 0;

    long Refundable(Post post, long free) =>
        post.Lot is { } id ? Math.Min(free, InTurn(post.Of.Balance!.Value).Find(lot => lot.Id == id)?.Left ?? 0) : free;

    /// <summary>What posts of disputes have taken of each lot; less than nothing: given back.</summary>
    readonly Dictionary<Guid, Dictionary<Guid, long>> _ofDisputes = [];

    /// <summary>
    /// To the lot, but no more than it had at first, and than what is undone has taken of it; the rest to the other lots that have given,
    /// as what a corrected request gets back; what none has given fills the lot; and what that has no room for is the wallet's own.
    /// </summary>
    void Return(Guid wallet, Post post, long amount)
    {
        var taken = new Dictionary<Guid, long>();
        foreach (var (id, part) in post.Undoes.SelectMany(one => _ofDisputes.GetValueOrDefault(one) ?? []))
            taken[id] = taken.GetValueOrDefault(id) + part;
        var given = new Dictionary<Guid, long>();
        if (post.Lot is { } named && _lots.GetValueOrDefault(wallet)?.Find(lot => lot.Id == named) is { } own)
        {
            var most = post.Undoes.Count == 0 ? amount : Math.Max(0, taken.GetValueOrDefault(named));
            var fills = Math.Min(Math.Min(amount, most), own.First - own.Left);
            var toOthers = Math.Min(amount - fills, taken.Where(part => part.Value > 0 && part.Key != named).Sum(part => part.Value));
            fills = Math.Min(amount - toOthers, own.First - own.Left);
            given[named] = -fills;
            own.Left -= given[named];
            Add(wallet, -given[named]);
            amount += given[named];
        }
        var others = taken.Where(part => part.Value > 0 && part.Key != post.Lot).ToDictionary();
        if (post.Lot is null)
            others.Clear();
        var before = new Dictionary<Guid, long>(others);
        GiveBack(wallet, amount, Math.Max(amount, others.Values.Sum()), others);
        foreach (var id in others.Keys.Union(before.Keys))
            given[id] = others.GetValueOrDefault(id) - before.GetValueOrDefault(id);
        if (post.Type == PostType.DisputeWon)
            _ofDisputes.Add(post.Id, given);
    }

    /// <summary>From the lot first, then as whatever is spent.</summary>
    Dictionary<Guid, long> SpendFirst(Guid wallet, Guid? id, long amount)
    {
        var ofLot = id is { } named ? Math.Min(amount, InTurn(wallet).Find(lot => lot.Id == named)?.Left ?? 0) : 0;
        if (ofLot > 0)
            TakeFrom(wallet, id!.Value, ofLot);
        var parts = Spend(wallet, amount - ofLot).GroupBy(part => part.Lot)
            .ToDictionary(lot => lot.Key, lot => lot.Sum(part => part.Amount));
        if (ofLot > 0)
            parts[id!.Value] = parts.GetValueOrDefault(id.Value) + ofLot;
        return parts;
    }

    void TakeFrom(Guid wallet, Guid id, long amount)
    {
        if (_lots.GetValueOrDefault(wallet)?.Find(lot => lot.Id == id) is { } lot)
            lot.Left -= amount;
        Add(wallet, -amount);
    }

    /// <summary>
    /// What a lease holds comes from lots in their turn, those with it that ended after it was extended last; all else from lots that have
    /// not ended.
    /// </summary>
    List<(Guid Lot, long Amount)> Spend(Guid wallet, long amount, long held = 0, DateTimeOffset? until = null)
    {
        var (spent, lots) = (new List<(Guid, long)>(), InTurn(wallet));
        var rest = amount - held + From(lots.FindAll(lot => lot.Ends > _now || lot.Ends >= until), held);
        rest = From(lots.FindAll(lot => lot.Ends > _now), rest);
        From(lots, rest);
        return spent;

        long From(List<ModelLot> some, long owed)
        {
            foreach (var lot in some)
            {
                var part = Math.Min(owed, lot.Left);
                if (part == 0)
                    continue;
                if (lot.Id == wallet)
                    lot.Left -= part; // of this list only: the wallet's own lot is what the others leave
                TakeFrom(wallet, lot.Id, part);
                spent.Add((lot.Id, part));
                owed -= part;
            }
            return owed;
        }
    }

    /// <summary>To the lots that have paid, the last of them first; the rest was the wallet's own. To one that has ended: gone.</summary>
    void GiveBack(Guid wallet, long amount, long paid, Dictionary<Guid, long> parts)
    {
        var lots = InTurn(wallet);
        var own = paid - lots.Where(lot => lot.Id != wallet).Sum(lot => parts.GetValueOrDefault(lot.Id));
        foreach (var lot in Enumerable.Reverse(lots))
        {
            var back = Math.Min(amount, lot.Id == wallet ? own : parts.GetValueOrDefault(lot.Id));
            if (back <= 0)
                continue;
            Add(wallet, back);
            amount -= back;
            parts[lot.Id] = parts.GetValueOrDefault(lot.Id) - back;
            if (lot.Id == wallet)
                continue;
            lot.Left += back;
            if (lot.Ends <= _now)
                Lose(wallet, lot, back);
        }
    }

    DateTimeOffset? FirstExpiry(LeaseRequest request)
    {
        var ends = request.Lines.SelectMany(line => _lots.GetValueOrDefault(line.Register) ?? [])
            .Where(lot => lot.Left > 0 && lot.Ends > _now && lot.Ends < DateTimeOffset.MaxValue).Select(lot => lot.Ends).ToList();
        return ends.Count == 0 ? null : ends.Min();
    }
}
