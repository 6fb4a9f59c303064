using LlmGateway.Contracts;

namespace LlmGateway.Wallet;

/// <summary>Where a lot comes from. The number is stored, so it must never change.</summary>
public enum LotKind
{
    Grant = 0, Promotion = 1, TopUp = 2, Plan = 3,
}

/// <summary>
/// A part of a balance: with an end, or something was paid for it. All else is one lot, the balance's own, which has the account's id.
/// </summary>
public sealed class Lot
{
    public required Guid Id { get; init; }
    public LotKind Kind { get; init; }

    /// <summary>Number of the entry that made it: the order of age.</summary>
    public long Since { get; init; }

    /// <summary>Null for a balance's own lot, which any number of grants fill.</summary>
    public long? Amount { get; init; }

    /// <summary>What the customer paid for it.</summary>
    public long Paid { get; init; }

    public DateTimeOffset? ExpiresAt { get; init; }
    public string? Reference { get; init; }

    /// <summary>What is left of it. Null for the base, which has what the others leave of the balance.</summary>
    public long? Left { get; set; }

    /// <summary>As it was read. Differs for a lot that is new.</summary>
    public long? Stored { get; set; } = -1;

    public bool IsNew => Stored == -1;

    public bool IsOver(DateTimeOffset now) => ExpiresAt <= now;

    /// <summary>What expires first is spent first, then what cost nothing, then the oldest.</summary>
    public (DateTimeOffset, bool, long) Turn => (ExpiresAt ?? DateTimeOffset.MaxValue, Paid > 0, Since);
}

/// <param name="Lot">A balance's own has the account's id.</param>
public sealed record LotPart(Guid Lot, long Amount);

/// <summary>A part of an amount that a lease held, and until when that lease was extended.</summary>
public readonly record struct Held(long Amount, DateTimeOffset Until);

public static partial class Ledger
{
    /// <summary>Most lots of a balance beside its base. Top-ups are not counted: they are paid already.</summary>
    public const int MaxLots = 100;

    /// <summary>
    /// Books what has expired of the balances that a command touches, before it and after it. What a lease from before the expiry holds
    /// stays until that ends, and only such leases draw from it, so no job is needed: the first command after the moment finds the holds
    /// as they were at that moment.
    /// </summary>
    static void BookExpiries(Book book, Command command)
    {
        if (!book.HasLots)
            return;
        foreach (var id in command.Accounts)
            if (book.Find(id) is { Lots: > 0 } account)
                BookExpiries(book, account);
    }

    static void BookExpiries(Book book, Account account)
    {
        var (kept, free) = (0L, account.Available);
        foreach (var lot in account.Parts.FindAll(lot => lot.Left > 0 && lot.IsOver(book.Now)).OrderBy(lot => lot.Turn))
        {
            var stays = Math.Min(kept + lot.Left!.Value, HeldFrom(account, lot)) - kept;
            var due = Math.Min(lot.Left.Value - stays, free);
            if (due > 0)
                Expire(book, account, lot, due);
            (kept, free) = (kept + stays, free - due);
        }
    }

    /// <summary>What leases from before the end of a lot hold of its balance.</summary>
    static long HeldFrom(Account account, Lot lot) =>
        account.HeldFromBefore?.Sum(held => held.Key <= lot.ExpiresAt ? held.Value : 0) ?? 0;

    static void Expire(Book book, Account account, Lot lot, long amount)
    {
        var movement = Ids.Derive(lot.Id, $"expiry:{account.Version}");
        var house = book.Accounts[HouseAccounts.Expired(account.Id, account.Unit, account.Test)];
        book.Transfers.Add(new(movement, EntryType.Expiry, null)
        {
            Actor = "ledger", Reference = lot.Reference, Result = [new(account.Id, house.Id, amount)],
        });
        Take(account, lot, amount);
        Enter(book, movement, EntryType.Expiry, account, -amount, lot.Id);
        Enter(book, movement, EntryType.Expiry, house, amount);
        TellOfExpiry(book, account, lot, amount);
    }

    /// <summary>A lease is granted from registers: from the first expiry of one of their lots on it is extended no more.</summary>
    static void LimitByLots(Book book, Lease lease, LeaseRequest request)
    {
        if (!book.HasLots)
            return;
        foreach (var line in request.Lines)
            foreach (var lot in book.Accounts[line.Register].Parts)
                if (lot is { Left: > 0, ExpiresAt: { } end } && end > book.Now && !(lease.LotsExpireAt <= end))
                    lease.LotsExpireAt = end;
    }

    /// <summary>Takes an amount out of a balance, one entry for each lot that pays.</summary>
    /// <param name="held">The part that a lease held. Only a lease from before the end of a lot pays from it after that.</param>
    static void Draw(Book book, Guid movement, EntryType type, Account account, long amount, Held held)
    {
        if (account.Lots == 0)
        {
            Enter(book, movement, type, account, -amount, account.BaseLot);
            return;
        }
        var lots = account.Parts.FindAll(lot => lot.Left > 0);
        lots.Sort((a, b) => a.Turn.CompareTo(b.Turn));
        var fromBefore = held.Until <= book.Now ? held.Amount : 0;
        var left = fromBefore;
        foreach (var lot in lots)
            if (!lot.IsOver(book.Now) || lot.ExpiresAt >= held.Until)
                Pay(lot, ref left);
        left += amount - fromBefore;
        foreach (var lot in lots)
            if (!lot.IsOver(book.Now))
                Pay(lot, ref left);
        var ofBase = Math.Min(left, RestOf(account, account.BaseLot ?? account.Id));
        if (ofBase > 0)
            Enter(book, movement, type, account, -ofBase, account.BaseLot);
        left -= ofBase;
        foreach (var lot in lots)
            Pay(lot, ref left);

        void Pay(Lot lot, ref long owed)
        {
            var part = Math.Min(owed, lot.Left!.Value);
            if (part == 0)
                return;
            Take(account, lot, part);
            Enter(book, movement, type, account, -part, lot.Id);
            owed -= part;
        }
    }

    static void DrawFrom(Book book, Guid movement, EntryType type, Account account, long amount, Guid id)
    {
        if (id != (account.BaseLot ?? account.Id))
            Take(account, account.Parts.Find(lot => lot.Id == id)!, amount);
        Enter(book, movement, type, account, -amount, id);
    }

    /// <summary>What is left of a lot; of the base, what the others leave of the balance.</summary>
    static long RestOf(Account account, Guid id) => id == (account.BaseLot ?? account.Id)
        ? account.Posted - account.Parts.Sum(lot => lot.Left ?? 0)
        : account.Parts.Find(lot => lot.Id == id)?.Left ?? 0;

    static void Take(Account account, Lot lot, long amount)
    {
        if (lot.Left is null)
            return;
        lot.Left -= amount;
        if (lot.Left == 0)
            account.Lots--;
    }

    /// <summary>Puts an amount into a lot of a balance.</summary>
    static void Put(Book book, Guid movement, EntryType type, Account account, long amount, Guid id)
    {
        if (id != (account.BaseLot ?? account.Id))
        {
            if (account.Parts.Find(known => known.Id == id) is not { } lot)
                account.Parts.Add(lot = new() { Id = id, Left = 0 }); // its own, which had no row yet
            account.Lots += lot.Left == 0 ? 1 : 0;
            lot.Left += amount;
            book.HasLots = true;
        }
        Enter(book, movement, type, account, amount, id);
    }

    /// <summary>
    /// Gives back to a lot what was taken of its balance, but no more than the lot had at first, and no more than what the post undoes has
    /// taken of it. The rest goes to the other lots of which that has taken: a promotion does not become money that was paid. What no lot
    /// is known to have given was owed, and has been paid since: it fills the lot, too, and what that has no room for is the balance's own.
    /// </summary>
    static void PutBackInto(Book book, Post post, Account account, long amount, Guid id)
    {
        var taken = TakenOf(book, post, account);
        var others = taken.FindAll(part => part.Lot != id);
        var ofOthers = others.Sum(part => part.Amount);
        var most = post.Undoes.Count == 0 ? amount : Math.Min(amount, taken.Find(part => part.Lot == id)?.Amount ?? 0);
        var room = account.Parts.Find(lot => lot.Id == id) is { Amount: { } first } ? first - RestOf(account, id) : 0;
        var back = Math.Min(most, room);
        back += Math.Min(Math.Max(0, amount - back - ofOthers), room - back);
        if (back > 0)
            Put(book, post.Id, post.EntryType, account, back, id);
        if (amount > back)
            PutBack(book, post.Id, post.EntryType, account, amount - back, others, paid: Math.Max(amount - back, ofOthers));
    }

    /// <summary>What the movements that a post undoes have taken of each lot of a balance, and not given back.</summary>
    static List<LotPart> TakenOf(Book book, Post post, Account account)
    {
        var undone = post.Undoes.ToHashSet();
        return
        [
            .. book.Undone.Where(one => one.Balance == account.Id && undone.Contains(one.Movement)).Select(one => one.Taken)
                .Concat(book.Entries.Where(entry => entry.Account == account.Id && undone.Contains(entry.Transfer))
                    .Select(entry => new LotPart(entry.Lot ?? entry.Account, -entry.Amount)))
                .GroupBy(part => part.Lot, (lot, parts) => new LotPart(lot, parts.Sum(part => part.Amount)))
                .Where(part => part.Amount > 0),
        ];
    }

    /// <summary>Puts what a post brings into the lot that it makes, or into the balance's own.</summary>
    static void PutNew(Book book, Post post, Account account, long amount)
    {
        if (!post.MakesLot)
        {
            Put(book, post.Id, post.EntryType, account, amount, account.Id);
            return;
        }
        var lot = new Lot
        {
            Id = post.Id, Kind = post.Rule.Lot!.Value, Since = account.Version + 1, Amount = amount, Left = 0, ExpiresAt = post.ExpiresAt,
            Reference = post.Reference,
            Paid = post.Rule.Lot == LotKind.TopUp ? (long)((Int128)post.Amounts.Sum() * amount / post.Amounts[0]) : 0,
        };
        var last = account.Parts.Find(other => other.Id == account.BaseLot);
        account.Parts.Add(lot);
        book.HasLots = true;
        // What never expires and is spent after the base is the new base; of the old one is left what it had.
        if (lot.ExpiresAt is null && lot.Turn.CompareTo(last?.Turn ?? default) > 0)
        {
            var rest = RestOf(account, account.BaseLot ?? account.Id);
            if (last is null && rest > 0)
                account.Parts.Add(last = new() { Id = account.Id });
            if (last is not null)
                last.Left = rest;
            account.Lots += rest > 0 ? 1 : 0;
            (account.BaseLot, lot.Left) = (lot.Id, null);
        }
        Put(book, post.Id, post.EntryType, account, amount, lot.Id);
    }

    /// <summary>
    /// Gives back what was paid for a request or taken by a dispute, to the lots that have given it, the last of them first. What none of
    /// them is known to have given was the balance's own. What goes back to a lot that has expired expires at once.
    /// </summary>
    /// <param name="paid">By all lots together.</param>
    static void PutBack(
        Book book, Guid movement, EntryType type, Account account, long amount, IReadOnlyList<LotPart> lots, long paid)
    {
        List<(Lot Lot, long Paid)> parts =
        [
            .. from part in lots
            join lot in account.Parts on part.Lot equals lot.Id
            where lot.Id != account.Id
            select (lot, part.Amount),
        ];
        parts.Add((new() { Id = account.Id }, paid - parts.Sum(part => part.Paid)));
        var left = amount;
        foreach (var (lot, part) in parts.OrderByDescending(part => part.Lot.Turn))
        {
            var back = Math.Min(left, part);
            if (back <= 0)
                continue;
            Put(book, movement, type, account, back, lot.Id);
            if (lot.IsOver(book.Now))
                Expire(book, account, lot, back);
            left -= back;
        }
    }

    /// <summary>
    /// What the entries from number <paramref name="first"/> on took from each lot of balances of money. Empty when each gave of its own.
    /// </summary>
    static IReadOnlyList<LotPart> LotsOf(Book book, int first)
    {
        for (var i = first; i < book.Entries.Count; i++)
            if (book.Entries[i] is { Lot: not null, Type: not EntryType.Expiry })
                return
                [
                    .. from entry in book.Entries[first..]
                    where entry.Type != EntryType.Expiry && book.Accounts[entry.Account] is { IsRegister: true, Unit: Unit.Usd }
                    group -entry.Amount by entry.Lot ?? entry.Account into lot
                    select new LotPart(lot.Key, lot.Sum()),
                ];
        return [];
    }

    static IReadOnlyList<LotPart> Sum(IReadOnlyList<LotPart> before, IReadOnlyList<LotPart> after) =>
    [
        .. before.Concat(after).GroupBy(part => part.Lot, (lot, parts) => new LotPart(lot, parts.Sum(part => part.Amount)))
            .Where(part => part.Amount > 0),
    ];
}
