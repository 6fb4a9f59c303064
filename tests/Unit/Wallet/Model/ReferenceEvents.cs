using LlmGateway.Contracts;
using LlmGateway.Wallet;
using Xunit;

namespace LlmGateway.UnitTests.Wallet;

/// <summary>
/// What must be told, written from the sentences of docs/money.md on events: it sees what accounts had before a command and have after it,
/// and knows nothing of how the ledger decides.
/// </summary>
sealed class ReferenceEvents(IReadOnlyCollection<Guid> wallets)
{
    readonly Dictionary<Guid, long> _marks = [];
    readonly HashSet<Guid> _low = [], _exhausted = [];
    readonly HashSet<(Guid Wallet, Freezer By)> _frozen = [];
    readonly HashSet<(Guid, int)> _told = [];

    Dictionary<Guid, long> _before = [];
    HashSet<Guid> _closed = [];
    int _entries, _events;

    public void Before(Book book)
    {
        _before = book.Accounts.Values.ToDictionary(account => account.Id, account => account.Posted);
        _closed = [.. book.Windows.Values.Where(window => window.ClosesAt <= book.Now).Select(window => window.Id)];
        (_entries, _events) = (book.Entries.Count, book.Events.Count);
    }

    /// <summary>That the command told what it must, and nothing else.</summary>
    public void MustBe(Book book, Command command, Answer answer)
    {
        var told = book.Events.Skip(_events).Select(one => (one.Type, one.Of.Id, one.Data.Percent ?? 0));
        Assert.Equal(Expected(book, command, answer).Order(), told.Order());
    }

    IEnumerable<(string Type, Guid Of, int Percent)> Expected(Book book, Command command, Answer answer) =>
    [
        .. OfPosts(command, answer),
        .. OfFreezing(command, answer),
        .. book.Entries.Skip(_entries).Where(entry => entry.Type == EntryType.Expiry && wallets.Contains(entry.Account))
            .Select(entry => (EventTypes.WalletCreditsExpired, entry.Account, 0)),
        .. OfRefusal(book, command, answer),
        .. Marked(book, command, answer),
        .. book.Entries.Skip(_entries).Select(entry => entry.Account).Where(wallets.Contains).Distinct()
            .SelectMany(wallet => OfBalance(wallet, book.Accounts[wallet].Posted)),
        .. book.Accounts.Values.Where(IsTold).SelectMany(OfUse),
        .. command is OpenWindows { Request: var request } && answer is Answer.Opened
            ? request.Windows.Where(demand => _closed.Contains(demand.Window))
                .Select(demand => (EventTypes.WindowOpened, demand.Lines[0].Register, 0))
            : [],
    ];

    IEnumerable<(string, Guid, int)> OfPosts(Command command, Answer answer)
    {
        var post = command as Post ?? (command as Open)?.First;
        if (post?.Of.Balance is not { } balance || !wallets.Contains(balance) || answer is not Answer.Done { Repeated: false } done)
            yield break;
        if (command is Open ? post.Amounts[0] > 0 : done.Moved.Any(moved => moved.To == balance))
            yield return (EventTypes.WalletCredited, balance, 0);
        if (post.Type == PostType.Refund && done.Moved.Any(moved => moved.From == balance))
            yield return (EventTypes.WalletRefunded, balance, 0);
    }

    IEnumerable<(string, Guid, int)> OfFreezing(Command command, Answer answer)
    {
        if (command is not Freeze freeze || answer is not Answer.Done)
            yield break;
        var before = IsFrozen();
        if (freeze.Frozen)
            _frozen.Add((freeze.Wallet, freeze.By));
        else
            _frozen.RemoveWhere(one => one.Wallet == freeze.Wallet && (freeze.By == Freezer.Owner || freeze.By == one.By));
        if (IsFrozen() != before)
            yield return (before ? EventTypes.WalletUnfrozen : EventTypes.WalletFrozen, freeze.Wallet, 0);

        bool IsFrozen() => _frozen.Any(one => one.Wallet == freeze.Wallet);
    }

    IEnumerable<(string, Guid, int)> OfRefusal(Book book, Command command, Answer answer)
    {
        if (command is not Extend extend || answer is not Answer.Refused { Reason: RefusalReason.Exhausted, Busy: false } refused)
            yield break;
        var least = extend.Request.Lines.First(line => line.Register == refused.Register).Minimum;
        if (wallets.Contains(refused.Register) && book.Accounts[refused.Register].Posted < least && _exhausted.Add(refused.Register))
            yield return (EventTypes.WalletExhausted, refused.Register, 0);
    }

    IEnumerable<(string, Guid, int)> OfBalance(Guid wallet, long after)
    {
        var before = _before.GetValueOrDefault(wallet);
        if (_marks.TryGetValue(wallet, out var mark) && before >= mark && after < mark && _low.Add(wallet))
            yield return (EventTypes.WalletLowBalance, wallet, 0);
        if (_marks.ContainsKey(wallet) && after * 100 >= mark * 105)
            _low.Remove(wallet);
        if (after > before)
            _exhausted.Remove(wallet);
        if (before > 0 && after == 0 && _exhausted.Add(wallet))
            yield return (EventTypes.WalletExhausted, wallet, 0);
    }

    /// <summary>Opening a wallet brings its mark, and each claim on it by a proxy that knows marks.</summary>
    IEnumerable<(string, Guid, int)> Marked(Book book, Command command, Answer answer)
    {
        if (command is Open open && answer is Answer.Done { Repeated: false })
            _marks.Remove(open.Register.Id);
        if (command is Extend { Request.SaysMarks: true } extend)
            foreach (var line in extend.Request.Lines.Where(
                line => wallets.Contains(line.Register) && book.Find(line.Register) is not null))
                if (line.LowMark is { } mark)
                    _marks[line.Register] = mark;
                else
                    _marks.Remove(line.Register);
        return [];
    }

    static bool IsTold(Account account) => account.Kind is AccountKind.Limit or AccountKind.Quota or AccountKind.Windows;

    IEnumerable<(string, Guid, int)> OfUse(Account counter)
    {
        if (counter.Posted == _before.GetValueOrDefault(counter.Id) || counter.Ceiling is not > 0)
            yield break;
        foreach (var percent in (int[])[50, 80, 100])
            if (counter.Posted * 100 >= counter.Ceiling * percent && _told.Add((counter.Id, percent)))
                yield return (EventTypes.LimitThreshold, counter.Id, percent);
    }
}
