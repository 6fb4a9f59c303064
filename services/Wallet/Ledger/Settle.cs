using LlmGateway.Contracts;

namespace LlmGateway.Wallet;

public static partial class Ledger
{
    /// <summary>A register that the ledger does not have was a counter, in requests that are older than this.</summary>
    public static readonly TimeSpan CountersNamedFor = TimeSpan.FromDays(90);

    /// <summary>
    /// Every register gets its own charge. A counter counts all of it, even above its ceiling, because that was used. A balance pays what
    /// it can, and those of money together no more than is due. The provider is owed the cost all the same: quota and credits have covered
    /// what is not due, and the house bears, once, what money could not pay. A call credit that is gone is forgiven. A balance that is not
    /// known is money that nobody has; in a request of long ago it was a counter, which is deleted by now and named by the usage record
    /// alone.
    /// </summary>
    static Answer Apply(Book book, Settle settle)
    {
        var settlement = settle.Settlement;
        var usage = settlement.Usage;
        if (book.Known.Contains(settlement.RequestId))
            return new Answer.Done(Repeated: true);
        if (book.MonthOf(settlement.RequestId) is null)
            return PutAside(book, settle);
        book.Known.Add(settlement.RequestId);
        KeepOpen(book, settlement);
        var lease = settlement.Lease is { } leaseId ? book.Leases.GetValueOrDefault(leaseId) : null;
        var due = settlement.Due ?? usage.Cost.Nanos;
        var (unpaid, hasPayer, counted) = (due, settlement.Due is not null, new List<Charge>());
        var (first, isCovered) = (book.Entries.Count, settlement.Due is not null);
        foreach (var charge in settlement.Charges)
        {
            var account = book.Find(charge.Register);
            if (account?.Kind.IsCounter() ?? book.Unread.Contains(charge.Register))
            {
                Count(book, account, lease?.Lines.GetValueOrDefault(charge.Register), charge);
                counted.Add(charge);
                continue;
            }
            if (charge.Denomination is { } type)
            {
                isCovered = true;
                if (Spend(book, settlement, lease, account, charge.Value, type) is > 0 and var spent)
                    counted.Add(charge with { Value = spent });
                continue;
            }
            if (account is { Unit: not Unit.Usd })
            {
                var limits = book.Accounts[HouseAccounts.Limits(usage.Project, account.Unit, usage.Test)];
                Move(book, settlement.RequestId, EntryType.Limit, account, limits, Pay(book, lease, account, charge.Value, out _));
                continue;
            }
            if (account is null && IsOlderThanCounters(book, settlement))
            {
                counted.Add(charge);
                continue;
            }
            hasPayer = true;
            if (account is null)
                continue;
            var paid = Pay(book, lease, account, Math.Min(charge.Value, unpaid), out var held);
            Move(book, settlement.RequestId, EntryType.Usage, account, ProviderCost(book, usage), paid, held);
            account.Spent += paid;
            unpaid -= paid;
        }
        var row = hasPayer ? Borne(book, settlement, due, unpaid) : new(settlement.RequestId, usage, 0, 0);
        book.Usages.Add(row with { Counted = counted, IsCovered = isCovered, Lots = LotsOf(book, first) });
        EndCall(book, settle);
        return new Answer.Done();
    }

    static void EndCall(Book book, Settle settle)
    {
        var settlement = settle.Settlement;
        if (settlement.Key != KeyEnd.None)
            book.EndedCalls.Add(new(settlement.RequestId, settlement.Key, settle.Answer));
    }

    /// <summary>
    /// No month is open for the request. It may have been booked in one that is gone, so it is kept for a person. Its call has ended all
    /// the same.
    /// </summary>
    static Answer.Stale PutAside(Book book, Settle settle)
    {
        var id = settle.Settlement.RequestId;
        book.Stale.Add(new(id, settle.Record, id < Ids.FirstAt(book.Now) ? StaleSettlement.TooOld : StaleSettlement.TooNew));
        EndCall(book, settle);
        return new();
    }

    /// <summary>The part of a request's cost that money did not pay.</summary>
    static UsageRow Borne(Book book, Settlement settlement, long due, long unpaid)
    {
        var (id, usage) = (settlement.RequestId, settlement.Usage);
        var covered = usage.Cost.Nanos - due;
        if (unpaid > 0)
        {
            var house = book.Accounts[HouseAccounts.Absorbed(usage.Project, usage.Test)];
            Move(book, id, EntryType.Absorbed, house, ProviderCost(book, usage), unpaid);
        }
        if (covered != 0)
        {
            var house = book.Accounts[HouseAccounts.Covered(usage.Project, usage.Test)];
            MoveEitherWay(book, id, EntryType.Covered, house, ProviderCost(book, usage), covered);
        }
        return new(id, usage, due - unpaid, unpaid, covered);
    }

    /// <summary>Spends call credits, as far as there are some. Nobody pays what a lease that ended has lost of them.</summary>
    static long Spend(Book book, Settlement settlement, Lease? lease, Account? account, long amount, Guid type)
    {
        var (paid, held) = (0L, default(Held));
        if (account is not null)
        {
            paid = Pay(book, lease, account, amount, out held);
            var used = book.Accounts[HouseAccounts.UsedCredits(type, settlement.Usage.Test)];
            Move(book, settlement.RequestId, EntryType.Usage, account, used, paid, held);
            account.Spent += paid;
        }
        book.ForgivenCredits += amount - paid;
        return paid;
    }

    static bool IsOlderThanCounters(Book book, Settlement settlement) =>
        settlement.RequestId < Ids.FirstAt(book.Now - CountersNamedFor);

    static Account ProviderCost(Book book, UsageRecord usage) =>
        book.Accounts[HouseAccounts.ProviderCost(usage.Project, usage.Test)];

    /// <summary>What was held of the counter is free again as far as the request held it; what was used counts.</summary>
    static void Count(Book book, Account? account, LeaseLine? line, Charge charge)
    {
        if (account is null)
        {
            CountLater(book, line, charge);
            return;
        }
        var held = Math.Min(charge.Value - charge.Beyond, line?.Outstanding ?? 0);
        if (line is not null)
            line.Consumed += held;
        account.Reserved -= held;
        account.Posted = checked(account.Posted + charge.Value);
        Check(account);
        TellOfUse(book, account);
    }

    /// <summary>
    /// What is used of a hold changes nothing that the counter can still give, so the counter need not know it at once. Of eight lines a
    /// settlement would change eight counters.
    /// </summary>
    static void CountLater(Book book, LeaseLine? line, Charge charge)
    {
        if (line is null || charge.Value > line.Outstanding)
        {
            book.NeedsUnread = true;
            return;
        }
        line.Consumed += charge.Value;
        line.Unposted += charge.Value;
    }

    /// <summary>
    /// Counters that were read get what leases that were read have for them, before anything is decided. Whatever was used by then is
    /// told, too.
    /// </summary>
    public static void PostLateUses(Book book)
    {
        foreach (var lease in book.Leases.Values)
            foreach (var (register, line) in lease.Lines)
                if (line.Unposted > 0 && book.Accounts.TryGetValue(register, out var counter))
                {
                    counter.Reserved -= line.Unposted;
                    counter.Posted = checked(counter.Posted + line.Unposted);
                    line.Unposted = 0;
                    Check(counter);
                    TellOfUse(book, counter);
                }
    }

    /// <summary>Takes from what the lease holds first, then from what the register has free. Returns what could be paid.</summary>
    static long Pay(Book book, Lease? lease, Account account, long amount, out Held held)
    {
        var line = lease?.Lines.GetValueOrDefault(account.Id);
        held = new(Math.Min(amount, line?.Outstanding ?? 0), lease?.LotsExpireAt ?? DateTimeOffset.MaxValue);
        if (line is not null)
            line.Consumed += held.Amount;
        Free(book, lease, account, held.Amount);
        return held.Amount + Math.Min(amount - held.Amount, Math.Max(0, account.Available - held.Amount));
    }
}
