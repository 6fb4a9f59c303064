using System.Security.Cryptography;
using System.Text;
using LlmGateway.Contracts;

namespace LlmGateway.Wallet;

/// <summary>
/// A movement that is not usage. Its rule (<see cref="PostingRules"/>) says between whom. Asked for again it does nothing and gets the
/// first result; asked for with another input under the same id it is refused, for ever.
/// </summary>
/// <param name="Amounts">One for each leg of the rule, 0 or more.</param>
public sealed record Post(Guid Id, PostType Type, PostScope Of, IReadOnlyList<long> Amounts) : Command
{
    /// <summary>What outside the ledger it stands for, as its rule says.</summary>
    public string? Reference { get; init; }

    /// <summary>Who asked for it.</summary>
    public string? Actor { get; init; }

    /// <summary>Free text of a tenant. It may be erased.</summary>
    public string? Text { get; init; }

    /// <summary>When the lot that the post makes expires. Null: never.</summary>
    public DateTimeOffset? ExpiresAt { get; init; }

    /// <summary>The lot that a balance pays from, alone or first, as the rule says; and that gets what comes back.</summary>
    public Guid? Lot { get; init; }

    /// <summary>
    /// Movements whose lots a post that comes back looks at: those of the same thing before it. What they have taken of other lots than its
    /// own goes back there. Empty: all of it fills the post's lot. It follows from what it undoes, so it is no input of its own.
    /// </summary>
    public IReadOnlyList<Guid> Undoes { get; init; } = [];

    /// <summary>
    /// Refused when the balance, or its lot, has less than what is asked: nobody shall owe the rest. The refusal is for ever: who asks
    /// again under the same id, and finds more, would move what somebody has already told the caller is not moved.
    /// </summary>
    public bool WithoutDebt { get; init; }

    /// <summary>What never expires and cost nothing goes to the balance's own lot.</summary>
    public bool MakesLot => Rule.Lot is { } kind && (kind != LotKind.Grant || ExpiresAt is not null);

    public PostingRule Rule => PostingRules.All[Type];

    /// <summary>As a statement shows it. Caps are permissions.</summary>
    public EntryType EntryType => Of.Unit == Unit.UsdLimit ? EntryType.Limit : Rule.Type;

    public override IEnumerable<Guid> Accounts => Of.Balance is { } balance ? [balance] : [];

    public override IEnumerable<Account> Ensures => Rule.Legs
        .SelectMany(leg => new[] { leg.From, leg.To, leg.Else ?? leg.To })
        .Where(party => party != Party.Balance)
        .Distinct()
        .Select(party => PostingRules.House(party, Of));

    public override IEnumerable<Account> Opens => ExpiresAt is not null && Of.Balance is { } balance
        ? [HouseAccounts.Of(
            AccountKind.Expired, balance, Of.Unit, Of.Organization, Of.Project, Of.Test, Of.Denomination, Of.Owner)]
        : [];

    public override Guid? Movement => Id;

    /// <summary>
    /// Of all that was asked for, but the text and who asked: the text is compared as long as it is there, and a repetition may come from
    /// somebody else. Migration 0007 makes the same for movements of before.
    /// </summary>
    public byte[] InputHash() => SHA256.HashData(Encoding.UTF8.GetBytes(
        $"{Type} {Of.Balance:N} {string.Join(',', Amounts)}{(Reference is null ? "" : $" for {Reference}")}"
        + $"{(ExpiresAt is { } end ? $" until {end.UtcDateTime:O}" : "")}{(Lot is { } lot ? $" of {lot:N}" : "")}"
        + (WithoutDebt ? " without debt" : "")));

    public Guid IdOf(Party party) => party == Party.Balance
        ? Of.Balance ?? throw new InvalidOperationException($"{Type} of no balance")
        : PostingRules.House(party, Of).Id;
}

/// <summary>Whose a movement is.</summary>
/// <param name="Balance">The customer's. Null for a movement between the house's own accounts.</param>
/// <param name="Owner">The customer.</param>
public sealed record PostScope(Guid? Balance, Unit Unit, Guid Organization, Guid Project, Guid Owner, bool Test)
{
    /// <summary>Of call credits: their type.</summary>
    public Guid? Denomination { get; init; }
}

/// <summary>What a leg has moved.</summary>
public sealed record Moved(Guid From, Guid To, long Amount);

public static partial class Ledger
{
    static Answer Apply(Book book, Post post)
    {
        if (book.Moved.TryGetValue(post.Id, out var before))
            return !before.IsAskedAgainBy(post) ? new Answer.Differs()
                : before.WasRefused ? new Answer.Refused(post.IdOf(post.Rule.Legs[0].From), RefusalReason.Exhausted, 0)
                : new Answer.Done(Repeated: true) { Moved = before.Result ?? [] };
        if (post.Of.Balance is { } id && (book.Find(id) is not { } balance || balance.Kind.IsCounter()))
            return new Answer.Refused(id, RefusalReason.Unknown, 0);
        if (post.ExpiresAt <= book.Now)
            return new Answer.NoLot(Expired: true);
        if (post is { MakesLot: true, Rule.Lot: not LotKind.TopUp } && book.Accounts[post.Of.Balance!.Value].Lots >= MaxLots)
            return new Answer.NoLot(Expired: false);
        var moved = new List<Moved>();
        if (Plan(book, post, moved) is { } refused)
        {
            if (post.WithoutDebt)
                Keep([]);
            return refused;
        }
        Keep(moved);
        foreach (var (from, to, amount) in moved)
            Move(book, post, book.Accounts[from], book.Accounts[to], amount);
        TellOfPost(book, post, moved);
        return new Answer.Done { Moved = moved };

        void Keep(IReadOnlyList<Moved> result)
        {
            var transfer = new Transfer(post.Id, post.EntryType, post.Text)
            {
                Actor = post.Actor, Reference = post.Reference, InputHash = post.InputHash(), Result = result,
            };
            book.Moved.Add(post.Id, transfer);
            book.Transfers.Add(transfer);
        }
    }

    static void Move(Book book, Post post, Account from, Account to, long amount)
    {
        RequireMovable(post.Id, from, to, amount);
        var ofLot = post.Lot is { } lot && from.Id == post.Of.Balance ? Math.Min(amount, RestOf(from, lot)) : 0;
        if (ofLot > 0)
            DrawFrom(book, post.Id, post.EntryType, from, ofLot, post.Lot!.Value);
        if (amount > ofLot)
            Draw(book, post.Id, post.EntryType, from, amount - ofLot, held: default);
        if (to.Id == post.Of.Balance && post.Lot is { } own)
            PutBackInto(book, post, to, amount, own);
        else if (to.Id == post.Of.Balance)
            PutNew(book, post, to, amount);
        else
            Put(book, post.Id, post.EntryType, to, amount, to.Id);
    }

    /// <summary>What each leg moves, or why the post is refused. No account is the payer of two legs that it limits.</summary>
    static Answer.Refused? Plan(Book book, Post post, List<Moved> moved)
    {
        var legs = post.Rule.Legs;
        for (var i = 0; i < legs.Length; i++)
        {
            var (leg, amount) = (legs[i], post.Amounts[i]);
            var from = book.Accounts[post.IdOf(leg.From)];
            var part = leg.AtMost switch
            {
                AtMost.WhatFromHas => Math.Min(amount, Math.Min(from.Available, OfLot(from, post))),
                AtMost.WhatToOwes => Math.Min(amount, -book.Accounts[post.IdOf(leg.To)].Posted),
                _ => amount,
            };
            if (leg.AtMost == AtMost.All && CanGive(from) < amount)
                return new(from.Id, RefusalReason.Exhausted, CanGive(from));
            if (leg.AtMost == AtMost.WhatFromHas && post.WithoutDebt && part < amount)
                return new(from.Id, RefusalReason.Exhausted, part);
            if (part > 0)
                moved.Add(new(from.Id, post.IdOf(leg.To), part));
            if (part < amount && leg.Else is { } other)
                moved.Add(leg.AtMost == AtMost.WhatFromHas
                    ? new(post.IdOf(other), post.IdOf(leg.To), amount - part)
                    : new(from.Id, post.IdOf(other), amount - part));
            if (moved.Count == 0)
                return new(from.Id, RefusalReason.Exhausted, 0);
        }
        return null;
    }

    static long OfLot(Account balance, Post post) =>
        post is { Lot: { } lot, Rule.TakesBeyondLot: false } ? RestOf(balance, lot) : long.MaxValue;

    /// <summary>
    /// Most of the house's own accounts stand for somebody outside and may go below zero. What the house pays out it must have.
    /// </summary>
    static long CanGive(Account account) => account switch
    {
        { IsRegister: true } => account.Available,
        { Kind: AccountKind.Margin or AccountKind.Payouts } => Math.Max(0, account.Posted),
        _ => long.MaxValue,
    };
}
