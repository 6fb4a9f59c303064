using LlmGateway.Contracts;

namespace LlmGateway.Wallet;

public static partial class Ledger
{
    /// <summary>
    /// Moves the difference between the old and the new cost of a request. An increase is taken from the wallet as far as it can pay, and
    /// the house bears the rest. The house bears all of it for a batch, which was charged its bound. A decrease goes back first to the
    /// house for what it bore, then to the wallet. A request that was free, or that quota or credits have paid, is the operator's, who sold
    /// it so: no customer pays a price of a provider for it. A request that was charged to nobody has only its record corrected. Limits do
    /// not change, because they limited what could be spent at that time. A request whose month has been dropped is unknown.
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
                PutBack(book, id, EntryType.Adjustment, wallet!, -charged, rated.Lots, rated.Charged);
            }
            parts = LotsOf(book, first);
            wallet!.Spent += charged;
        }
        book.Corrections.Add(
            new(id, rerate.Rerating, rerate.RequestId, rerate.PriceVersion, oldCost, rerate.Cost, charged, absorbed, covered)
            {
                Customer = rated.Customer, Project = rerate.Project, Lots = parts,
            });
        book.Rated[rerate.RequestId] = rated with
        {
            Cost = rerate.Cost, Charged = paid + charged, Absorbed = borne + absorbed, Lots = Sum(rated.Lots, parts),
        };
        return new Answer.Done();
    }
}
