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
        BookExpiries(book, command);
        TellOfBalances(book);
        return answer;
    }

    static Answer Decide(Book book, Command command) => command switch
    {
        Open open => Apply(book, open),
        Post post => Apply(book, post),
        Freeze freeze => Apply(book, freeze),
        BookExpiry => new Answer.Done(),
        Extend extend => Apply(book, extend) switch
        {
            Answer.Refused refused => TellOfRefusal(book, extend, refused) with { Now = book.Now },
            var answer => answer,
        },
        GiveBack giveBack => Apply(book, giveBack),
        Expire expire => Apply(book, expire),
        FreeSlots free => Apply(book, free),
        OpenWindows open => Apply(book, open) switch
        {
            Answer.Refused refused => refused with { Now = book.Now },
            var answer => answer,
        },
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
        var repeated = wallet.Frozen == freeze.Frozen;
        wallet.Frozen = freeze.Frozen;
        if (!repeated)
            Tell(book, wallet, freeze.Frozen ? EventTypes.WalletFrozen : EventTypes.WalletUnfrozen);
        return new Answer.Done(repeated);
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

    /// <summary>
    /// Moves the difference between the old and the new cost of a request. An increase is taken from the wallet as far as it can pay, and
    /// the house bears the rest. The house bears all of it for a batch, which was charged its bound. A decrease goes back first to the
    /// house for what it bore, then to the wallet. A request that quota or credits have paid is the operator's, who sold them: no customer
    /// pays a price of a provider for it. A request that was charged to nobody has only its record corrected. Limits do not change, because
    /// they limited what could be spent at that time. A request whose month has been dropped is unknown.
    /// </summary>
    static Answer Apply(Book book, Rerate rerate)
    {
        var id = rerate.Movement!.Value;
        if (book.Known.Contains(id))
            return new Answer.Done(Repeated: true);
        if (!book.Rated.TryGetValue(rerate.RequestId, out var rated))
            return new Answer.Refused(rerate.RequestId, RefusalReason.Unknown, 0);
        var (oldCost, paid, borne, isCovered) = rated;
        var difference = rerate.Cost - oldCost;
        if (difference == 0)
            return new Answer.Done();
        var wallet = rerate.Wallet is { } walletId ? book.Find(walletId) : null;
        long charged = 0, absorbed = 0, covered = 0;
        if (isCovered)
            covered = difference;
        else if (paid + borne == oldCost && (wallet is not null || oldCost > 0))
        {
            charged = difference > 0 ? Math.Min(difference, rerate.OfBatch ? 0 : wallet?.Available ?? 0) : Math.Min(0, difference + borne);
            absorbed = difference - charged;
        }
        book.Known.Add(id);
        book.Transfers.Add(
            new(
                id,
                EntryType.Adjustment,
                $"{(rerate.OfBatch ? "actual cost" : "new price")} of {Ids.Show(Ids.Request, rerate.RequestId)}"));
        var cost = book.Accounts[HouseAccounts.ProviderCost(rerate.Project, rerate.Test)];
        MoveEitherWay(book, id, EntryType.Absorbed, book.Accounts[HouseAccounts.Absorbed(rerate.Project, rerate.Test)], cost, absorbed);
        MoveEitherWay(book, id, EntryType.Covered, book.Accounts[HouseAccounts.Covered(rerate.Project, rerate.Test)], cost, covered);
        IReadOnlyList<LotPart> parts = [];
        if (charged != 0)
        {
            var first = book.Entries.Count;
            if (charged > 0)
                Move(book, id, EntryType.Adjustment, wallet!, cost, charged);
            else
            {
                Enter(book, id, EntryType.Adjustment, cost, charged);
                PutBack(book, id, EntryType.Adjustment, wallet!, -charged, rated);
            }
            parts = LotsOf(book, first);
            wallet!.Spent += charged;
        }
        book.Corrections.Add(
            new(id, rerate.Rerating, rerate.RequestId, rerate.PriceVersion, oldCost, rerate.Cost, charged, absorbed, covered)
            {
                Lots = parts,
            });
        book.Rated[rerate.RequestId] = rated with
        {
            Cost = rerate.Cost, Charged = paid + charged, Absorbed = borne + absorbed, Lots = Sum(rated.Lots, parts),
        };
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
