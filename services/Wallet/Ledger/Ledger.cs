using LlmGateway.Contracts;

namespace LlmGateway.Wallet;

/// <summary>
/// Applies commands to the ledger. It has no I/O, no clock and no randomness, so the same book and command always give the same result. A
/// refused command changes nothing. Every call keeps three invariants and throws on a breach. The entries of a movement sum to zero per
/// unit. A register never falls below what is reserved of it. A lease never returns more than it holds.
/// </summary>
public static partial class Ledger
{
    public static Answer Apply(Book book, Command command)
    {
        BookExpiries(book, command);
        var answer = Decide(book, command);
        if (command is Extend extend)
            TellOfRefusal(book, extend, answer);
        BookExpiries(book, command);
        TellOfBalances(book);
        return answer is Answer.Refused refused ? refused with { Now = book.Now } : answer;
    }

    static Answer Decide(Book book, Command command) => command switch
    {
        Open open => Apply(book, open),
        Post post => Apply(book, post),
        Freeze freeze => Apply(book, freeze),
        BookExpiry => new Answer.Done(),
        Extend extend => Apply(book, extend),
        GiveBack giveBack => Apply(book, giveBack),
        Expire expire => Apply(book, expire),
        FreeSlots free => Apply(book, free),
        OpenWindows open => Apply(book, open),
        Settle settle => Apply(book, settle),
        Rerate rerate => Apply(book, rerate),
        _ => throw new InvalidOperationException($"unknown command {command.GetType().Name}"),
    };

    static Answer Apply(Book book, Open open)
    {
        if (!book.Created.Remove(open.Register.Id))
            return new Answer.Done(Repeated: true);
        book.Accounts[open.Register.Id].LowMark = open.Register.LowMark;
        return open.Register.Initial > 0 ? Apply(book, open.First) : new Answer.Done();
    }

    static Answer Apply(Book book, Freeze freeze)
    {
        if (book.Find(freeze.Wallet) is not { Kind: AccountKind.Wallet } wallet)
            return new Answer.Refused(freeze.Wallet, RefusalReason.Unknown, 0);
        var (before, by) = (wallet.Frozen, wallet.FrozenBy);
        wallet.FrozenBy = freeze switch
        {
            { Frozen: true } => wallet.FrozenBy | freeze.By,
            { By: Freezer.Owner } => Freezer.Nobody,
            _ => wallet.FrozenBy & ~freeze.By,
        };
        if (wallet.Frozen != before)
            Tell(book, wallet, wallet.Frozen ? EventTypes.WalletFrozen : EventTypes.WalletUnfrozen);
        if (wallet.FrozenBy != by && freeze.Actor is { } actor)
            book.Freezes.Add(new(wallet, freeze.Frozen, by, wallet.FrozenBy, actor, freeze.RequestId));
        return new Answer.Done(Repeated: wallet.Frozen == before);
    }

    static Answer.Done Apply(Book book, GiveBack giveBack)
    {
        var request = giveBack.Return;
        if (request.RenouncesSlots)
            EndUnknown(book, request.Lease);
        if (!book.Leases.TryGetValue(request.Lease, out var lease) || lease.Expired || request.Fence <= lease.ReturnFence)
            return new Answer.Done(Repeated: true);
        // The end of a request whose slot was freed before gives nothing back.
        var lines = request.Lines.Where(
            line => line.Value != 0 && !(lease.Slots == LeaseSlots.Freed && IsSlots(book, line.Register))).ToList();
        foreach (var line in lines)
            if (line.Value < 0 || line.Value > (lease.Lines.GetValueOrDefault(line.Register)?.Outstanding ?? 0))
                throw new InvalidOperationException(
                    $"lease {request.Lease:N} gives back {line.Value} of {line.Register:N}, more than it holds");
        lease.ReturnFence = request.Fence;
        foreach (var line in lines)
        {
            lease.Lines[line.Register].Returned += line.Value;
            Free(book, lease, book.Accounts[line.Register], line.Value);
        }
        if (request.RenouncesSlots)
            FreeSlotsOf(book, lease);
        return new Answer.Done();
    }

    static Answer.Done Apply(Book book, Expire expire)
    {
        if (!book.Leases.TryGetValue(expire.LeaseId, out var lease) || lease.Expired || lease.ExpiresAt > book.Now)
            return new Answer.Done(Repeated: true);
        lease.Expired = true;
        foreach (var (register, line) in lease.Lines)
        {
            Free(book, lease, book.Accounts[register], line.Outstanding);
            line.Returned += line.Outstanding;
        }
        return new Answer.Done();
    }

    static void Reserve(Account account, long amount)
    {
        account.Reserved += amount;
        Check(account);
    }

    /// <summary>What is held of a balance falls, because it was spent or given back.</summary>
    static void Free(Book book, Lease? lease, Account account, long amount)
    {
        account.Reserved -= amount;
        if (amount > 0 && lease?.LotsExpireAt is { } until && until <= book.Now && account.HeldFromBefore is { } held)
            held[until] -= amount;
    }

    /// <inheritdoc cref="Draw"/>
    static void Move(Book book, Guid movement, EntryType type, Account from, Account to, long amount, Held held = default)
    {
        if (amount == 0)
            return;
        RequireMovable(movement, from, to, amount);
        Draw(book, movement, type, from, amount, held);
        Put(book, movement, type, to, amount, to.Id);
    }

    static void RequireMovable(Guid movement, Account from, Account to, long amount)
    {
        if (amount < 0 || (from.Unit, from.Denomination) != (to.Unit, to.Denomination) || from.Kind.IsCounter() || to.Kind.IsCounter())
            throw new InvalidOperationException($"movement {movement:N} of {amount} from {from.Unit} to {to.Unit}");
    }

    /// <summary>Moves an amount. A negative one moves in the other direction.</summary>
    static void MoveEitherWay(Book book, Guid movement, EntryType type, Account from, Account to, long amount)
    {
        if (amount >= 0)
            Move(book, movement, type, from, to, amount);
        else
            Move(book, movement, type, to, from, -amount);
    }

    static void Enter(Book book, Guid movement, EntryType type, Account account, long amount, Guid? lot = null)
    {
        if (account.Kind == AccountKind.Wallet)
            Watch(book, account);
        account.Posted += amount;
        account.Version++;
        if (type == EntryType.TopUp)
            account.ToppedUp += amount;
        Check(account);
        book.Entries.Add(
            new(account.Id, account.Version, movement, type, amount, account.Posted, lot == account.Id ? null : lot));
    }

    static void Check(Account account)
    {
        if (account.Reserved < 0 || (account.IsRegister && (account.Kind.IsCounter() ? account.Posted : account.Available) < 0))
            throw new InvalidOperationException(
                $"account {account.Id:N} would have {account.Posted} posted and {account.Reserved} reserved");
    }
}
