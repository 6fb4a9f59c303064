using LlmGateway.Contracts;

namespace LlmGateway.Wallet;

/// <summary>Something to tell of an account's owner. <see cref="EventRows"/> numbers and writes it.</summary>
/// <param name="Data">Serialised as it is.</param>
public sealed record LedgerEvent(string Type, Account Of, EventData Data)
{
    /// <summary>Whose events are numbered together: the customer's.</summary>
    public Guid Subject => Of.Owner ?? Of.Id;
}

/// <summary>What an event says. Members that are null are left out. Money is a decimal string, other amounts are, too.</summary>
public sealed record EventData(string CustomerId)
{
    public string? WalletId { get; init; }
    public Money? Amount { get; init; }

    /// <summary>Of the wallet, after what happened.</summary>
    public Money? Balance { get; init; }

    /// <summary>The low mark.</summary>
    public Money? Threshold { get; init; }

    /// <summary>The movement's id and type, as in a statement.</summary>
    public string? EntryId { get; init; }
    public string? EntryType { get; init; }

    /// <summary>What it stands for outside the ledger.</summary>
    public string? Reference { get; init; }
    public string? LotId { get; init; }
    public DateTimeOffset? ExpiresAt { get; init; }

    public string? LimitId { get; init; }
    public string? SessionId { get; init; }

    /// <summary>A client session; its own name for it is not kept.</summary>
    public string? WindowId { get; init; }
    public DateTimeOffset? ClosesAt { get; init; }

    /// <summary><c>usd</c>, <c>tokens</c>, <c>requests</c> or <c>windows</c>.</summary>
    public string? Unit { get; init; }
    public int? Percent { get; init; }
    public string? Used { get; init; }
    public string? Limit { get; init; }
    public DateTimeOffset? Resets { get; init; }
}

/// <summary>
/// What others are told: decided with what caused it, and only where something was posted, or refused. docs/money.md has the rules.
/// </summary>
public static partial class Ledger
{
    /// <summary>Percentages of a limit at which its owner is told, unless the project says others.</summary>
    public static readonly byte[] UsualThresholds = [50, 80, 100];

    static readonly byte[] OfCaps = [Complete];

    /// <summary>Flags in <see cref="Account.Told"/> of a wallet. They are stored.</summary>
    public const int Low = 1, Exhausted = 2;

    const int Complete = 100;

    /// <summary>Remembers what a wallet had before the running command.</summary>
    static void Watch(Book book, Account wallet)
    {
        foreach (var (known, _) in book.Moving)
            if (known == wallet)
                return;
        book.Moving.Add((wallet, wallet.Posted));
    }

    /// <summary>At the end of a command: what came and went within it has crossed no mark.</summary>
    static void TellOfBalances(Book book)
    {
        foreach (var (wallet, before) in book.Moving)
        {
            if (wallet.LowMark is { } mark)
                TellOfMark(book, wallet, mark, before);
            if (wallet.Posted > before)
                wallet.Told &= ~Exhausted;
            else if (wallet.Posted == 0 && before > 0)
                TellExhausted(book, wallet);
        }
        book.Moving.Clear();
    }

    static void TellOfMark(Book book, Account wallet, long mark, long before)
    {
        if ((wallet.Told & Low) != 0)
        {
            if (wallet.Posted >= ArmedAgainAt(mark))
                wallet.Told &= ~Low;
        }
        else if (before >= mark && wallet.Posted < mark)
            TellLow(book, wallet, mark);
    }

    /// <summary>Apart, because what the lambda captures is allocated by whoever calls this.</summary>
    static void TellLow(Book book, Account wallet, long mark)
    {
        wallet.Told |= Low;
        Tell(book, wallet, EventTypes.WalletLowBalance, data => data with { Threshold = new(mark) });
    }

    /// <summary>1.05 times the mark, rounded up: a balance that swings around its mark is told once.</summary>
    static Int128 ArmedAgainAt(long mark) => ((Int128)mark * 21 + 19) / 20;

    static void TellExhausted(Book book, Account wallet)
    {
        if ((wallet.Told & Exhausted) != 0)
            return;
        wallet.Told |= Exhausted;
        Tell(book, wallet, EventTypes.WalletExhausted);
    }

    /// <summary>
    /// A wallet or a cap that could not give what a request needs, even if nothing were held of it. What others hold may come back.
    /// </summary>
    static void TellOfRefusal(Book book, Extend extend, Answer answer)
    {
        if (answer is not Answer.Refused { Reason: RefusalReason.Exhausted, Busy: false } refused)
            return;
        var line = extend.Request.Lines.First(line => line.Register == refused.Register);
        var account = book.Accounts[refused.Register];
        if (RoomWithoutHolds(book, line) >= line.Minimum)
            return;
        if (account.Kind == AccountKind.Wallet)
            TellExhausted(book, account);
        if (account is { Kind: AccountKind.Cap, Told: < Complete })
        {
            Note(account, line.Counter!);
            TellOfShare(book, account, Complete);
        }
    }

    /// <summary>Each percentage once for each counter, whatever becomes of the ceiling.</summary>
    static void TellOfUse(Book book, Account counter)
    {
        if (counter.Told >= Complete || counter.Ceiling is not { } ceiling || ceiling <= 0 || counter.Kind == AccountKind.Slots)
            return;
        foreach (var percent in counter.Kind == AccountKind.Cap ? OfCaps : counter.Thresholds ?? UsualThresholds)
            if (percent > counter.Told && (Int128)counter.Posted * Complete >= (Int128)percent * ceiling)
                TellOfShare(book, counter, percent);
    }

    static void TellOfShare(Book book, Account counter, int percent)
    {
        counter.Told = percent;
        var isCap = counter.Kind == AccountKind.Cap;
        Tell(book, counter, isCap ? EventTypes.SessionCapReached : EventTypes.LimitThreshold, data => data with
        {
            LimitId = isCap ? null : counter.Name, SessionId = isCap ? counter.Name : null,
            Unit = UnitName(counter.Unit), Percent = isCap ? null : percent,
            Used = AmountText(counter, counter.Posted), Limit = AmountText(counter, counter.Ceiling!.Value),
            // A cap's counter has an end, after which it is deleted. Nothing begins anew then.
            Resets = !isCap && counter.EndsAt < Term.Ever ? counter.EndsAt : null,
        });
    }

    static void TellOfWindow(Book book, Account counter, Window window) =>
        Tell(book, counter, EventTypes.WindowOpened, data => data with
        {
            WindowId = Ids.Show(Ids.Window, window.Id), ClosesAt = window.ClosesAt,
        });

    static void TellOfPost(Book book, Post post, List<Moved> moved)
    {
        if (post.Of.Balance is not { } id || book.Accounts[id] is not { Kind: AccountKind.Wallet } wallet)
            return;
        long gained = 0, lost = 0;
        foreach (var (from, to, amount) in moved)
        {
            gained += to == id ? amount : 0;
            lost += from == id ? amount : 0;
        }
        if (gained > 0)
            Of(EventTypes.WalletCredited, gained);
        if (lost > 0 && post.Type == PostType.Refund)
            Of(EventTypes.WalletRefunded, lost);

        void Of(string type, long amount) => Tell(book, wallet, type, data => data with
        {
            Amount = new(amount), EntryId = Ids.Show(Ids.Transfer, post.Id), EntryType = EntryName(post.EntryType),
            Reference = post.Reference, ExpiresAt = post.ExpiresAt,
        });
    }

    static void TellOfExpiry(Book book, Account wallet, Lot lot, long amount)
    {
        if (wallet.Kind == AccountKind.Wallet)
            Tell(book, wallet, EventTypes.WalletCreditsExpired, data => data with
            {
                Amount = new(amount), LotId = Ids.Show(Ids.Lot, lot.Id), ExpiresAt = lot.ExpiresAt, Reference = lot.Reference,
            });
    }

    static void Tell(Book book, Account of, string type, Func<EventData, EventData>? say = null)
    {
        var data = new EventData(Ids.Show(Ids.Customer, of.Owner ?? of.Id));
        if (of.Kind == AccountKind.Wallet)
            data = data with { WalletId = Ids.Show(Ids.Wallet, of.Id), Balance = new(of.Posted) };
        book.Events.Add(new(type, of, say?.Invoke(data) ?? data));
    }

    static string UnitName(Unit unit) => unit switch
    {
        Unit.Usd or Unit.UsdLimit => "usd",
        Unit.Tokens => "tokens",
        Unit.Requests => "requests",
        Unit.Windows => "windows",
        _ => throw new InvalidOperationException($"no limit counts {unit}"),
    };

    static string AmountText(Account counter, long amount) =>
        DecimalText.Format(amount, counter.Unit == Unit.UsdLimit ? Money.Decimals : 0);

    /// <summary>As a statement shows it.</summary>
    static string EntryName(EntryType type) => type.ToString().ToLowerInvariant();
}
