using LlmGateway.Contracts;

namespace LlmGateway.Wallet;

public static partial class Ledger
{
    /// <summary>
    /// A window that is open takes nothing. Those that are closed open together, and each of their counters gives one unit, or nothing
    /// happens. The unit is counted at once: what becomes of the message does not close the window again.
    /// </summary>
    static Answer Apply(Book book, OpenWindows open)
    {
        foreach (var (register, counter) in open.Lines)
            KeepUntil(book, register, counter);
        var closed = open.Request.Windows.Where(demand => book.Windows[demand.Window].ClosesAt <= book.Now).ToList();
        WindowLine? full = null;
        foreach (var (register, counter) in closed.SelectMany(demand => demand.Lines))
        {
            if (book.Find(register) is not { Kind: AccountKind.Windows } account)
                return new Answer.Refused(register, RefusalReason.Unknown, 0);
            if (IsOver(book, counter))
                return new Answer.Refused(register, RefusalReason.CycleOver, 0);
            // Of several the one that resets last, as of the lines of a claim.
            if (account.Posted >= counter.Ceiling && !(full?.Counter.Resets >= counter.Resets))
                full = new(register, counter);
        }
        if (full is not null)
            return new Answer.Refused(full.Register, RefusalReason.Exhausted, 0)
            {
                Over = book.Accounts[full.Register].Posted - full.Counter.Ceiling,
            };
        foreach (var demand in closed)
        {
            var window = book.Windows[demand.Window];
            (window.ClosesAt, window.Openings) = (book.Now + WindowsRequest.OpenFor, window.Openings + 1);
            foreach (var (register, counter) in demand.Lines)
            {
                var account = book.Accounts[register];
                account.Posted++;
                Note(account, counter);
                book.Openings.Add(new(register, window.Id, window.Openings));
                TellOfUse(book, account);
            }
            TellOfWindow(book, book.Accounts[demand.Lines[0].Register], window);
        }
        return new Answer.Opened(open.Request.Windows.Min(demand => book.Windows[demand.Window].ClosesAt)) { Now = book.Now };
    }

    /// <summary>
    /// A message keeps its windows open for a day. A proxy whose clock is ahead moves them no further than one that is right. A window that
    /// was never opened, or is not known any more, stays closed: only a unit opens it.
    /// </summary>
    static void KeepOpen(Book book, Settlement settlement)
    {
        var startedAt = settlement.Usage.StartedAt < book.Now ? settlement.Usage.StartedAt : book.Now;
        foreach (var id in settlement.Windows)
            if (book.Windows.TryGetValue(id, out var window) && window.Openings > 0
                && window.ClosesAt < startedAt + WindowsRequest.OpenFor)
                window.ClosesAt = startedAt + WindowsRequest.OpenFor;
    }
}
