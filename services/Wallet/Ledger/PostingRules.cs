using LlmGateway.Contracts;

namespace LlmGateway.Wallet;

/// <summary>What a <see cref="Post"/> is for.</summary>
public enum PostType
{
    Opening, Grant, Promotion, Debit, TopUp, Refund, RefundFailed, Dispute, DisputeWon, Payout, PayoutPaid, PayoutFailed,
    PayoutReversed, PlanPaid, PlanRefunded, PlanRestored,
}

/// <summary>An account by its part in a movement: the customer's balance, or one of the house's own.</summary>
public enum Party
{
    Balance,
    /// <summary>
    /// For money: what the organization has granted. For call credits: what was granted of their type. For caps: what the project allows.
    /// </summary>
    Grant,
    Clearing,
    /// <summary>The customer's. Minus what it owes.</summary>
    Receivable,
    Margin,
    Fees,
    Payouts,
}

/// <summary>How much of a leg's amount is moved.</summary>
public enum AtMost
{
    /// <summary>All of it. The post is refused when that would take more than there is.</summary>
    All,
    /// <summary>What the balance that pays has free.</summary>
    WhatFromHas,
    /// <summary>What the receivable that is paid owes.</summary>
    WhatToOwes,
    /// <summary>All of it, also where the house's own account goes below zero for it.</summary>
    BelowZero,
}

/// <param name="Else">Stands in for the account that limits the leg, for the rest of the amount. Null: the rest is not moved.</param>
public sealed record Leg(Party From, Party To, AtMost AtMost = AtMost.All, Party? Else = null);

/// <param name="Reference">What such a post will be known by, where that comes from outside.</param>
public sealed record PostingRule(EntryType Type, string? Reference, params Leg[] Legs)
{
    /// <summary>What it brings into a balance. Null: nothing, or what was in it before.</summary>
    public LotKind? Lot { get; init; }

    /// <summary>When the post's lot has not enough, it takes what else the balance has. False: the lot alone.</summary>
    public bool TakesBeyondLot { get; init; }
}

/// <summary>
/// Everything that moves a balance and is not usage, as one table. docs/money.md has it in words. A post that can move nothing of its first
/// leg is refused.
/// </summary>
public static class PostingRules
{
    public static readonly IReadOnlyDictionary<PostType, PostingRule> All = new Dictionary<PostType, PostingRule>
    {
        [PostType.Opening] = new(EntryType.Grant, null, new Leg(Party.Grant, Party.Balance)) { Lot = LotKind.Grant },
        [PostType.Grant] = new(EntryType.Grant, null, new Leg(Party.Grant, Party.Balance)) { Lot = LotKind.Grant },
        [PostType.Promotion] = new(EntryType.Bonus, null, new Leg(Party.Grant, Party.Balance)) { Lot = LotKind.Promotion },
        [PostType.Debit] = new(EntryType.Adjustment, null, new Leg(Party.Balance, Party.Grant)),
        [PostType.TopUp] = new(
            EntryType.TopUp,
            "payment",
            new Leg(Party.Clearing, Party.Receivable, AtMost.WhatToOwes, Else: Party.Balance),
            new Leg(Party.Clearing, Party.Margin),
            new Leg(Party.Clearing, Party.Fees))
        {
            Lot = LotKind.TopUp,
        },
        [PostType.Refund] = new(
            EntryType.Refund,
            "refund",
            new Leg(Party.Balance, Party.Clearing, AtMost.WhatFromHas, Else: Party.Receivable),
            new Leg(Party.Margin, Party.Clearing, AtMost.BelowZero),
            new Leg(Party.Fees, Party.Clearing, AtMost.BelowZero)),
        [PostType.RefundFailed] = new(
            EntryType.Reversal,
            "refund",
            new Leg(Party.Clearing, Party.Receivable, AtMost.WhatToOwes, Else: Party.Balance),
            new Leg(Party.Clearing, Party.Margin),
            new Leg(Party.Clearing, Party.Fees)),
        [PostType.Dispute] = new(
            EntryType.Dispute,
            "dispute",
            new Leg(Party.Balance, Party.Clearing, AtMost.WhatFromHas, Else: Party.Receivable),
            new Leg(Party.Margin, Party.Clearing, AtMost.BelowZero),
            new Leg(Party.Fees, Party.Clearing, AtMost.BelowZero))
        {
            TakesBeyondLot = true,
        },
        [PostType.DisputeWon] = new(
            EntryType.Reversal,
            "dispute",
            new Leg(Party.Clearing, Party.Receivable, AtMost.WhatToOwes, Else: Party.Balance),
            new Leg(Party.Clearing, Party.Margin),
            new Leg(Party.Clearing, Party.Fees)),
        [PostType.Payout] = new(EntryType.Payout, "payout", new Leg(Party.Margin, Party.Payouts)),
        [PostType.PayoutPaid] = new(EntryType.Payout, "payout", new Leg(Party.Payouts, Party.Clearing)),
        [PostType.PayoutFailed] = new(EntryType.Payout, "payout", new Leg(Party.Payouts, Party.Margin)),
        [PostType.PayoutReversed] = new(EntryType.Payout, "payout", new Leg(Party.Clearing, Party.Margin)),
        [PostType.PlanPaid] = new(
            EntryType.Plan, "invoice", new Leg(Party.Clearing, Party.Margin), new Leg(Party.Clearing, Party.Fees)),
        [PostType.PlanRefunded] = new(
            EntryType.Plan,
            "invoice",
            new Leg(Party.Margin, Party.Clearing, AtMost.BelowZero),
            new Leg(Party.Fees, Party.Clearing, AtMost.BelowZero)),
        [PostType.PlanRestored] = new(
            EntryType.Plan, "invoice", new Leg(Party.Clearing, Party.Margin), new Leg(Party.Clearing, Party.Fees)),
    };

    /// <summary>The house's own account that plays a part.</summary>
    public static Account House(Party party, PostScope of) => party switch
    {
        Party.Grant when of.Unit == Unit.Usd => House(AccountKind.Grant, of.Organization, of, project: Guid.Empty),
        Party.Grant when of.Unit == Unit.Credits => House(AccountKind.Grant, of.Denomination!.Value, of, of.Project),
        Party.Grant => House(AccountKind.Limits, of.Project, of, of.Project),
        _ when of.Unit == Unit.Credits => throw new InvalidOperationException($"call credits have no {party}"),
        Party.Clearing => House(AccountKind.Clearing, of.Project, of, of.Project),
        Party.Receivable => House(AccountKind.Receivable, of.Owner, of, of.Project),
        Party.Margin => House(AccountKind.Margin, of.Project, of, of.Project),
        Party.Fees => House(AccountKind.Fees, of.Project, of, of.Project),
        Party.Payouts => House(AccountKind.Payouts, of.Project, of, of.Project),
        _ => throw new InvalidOperationException($"{party} is not the house's own"),
    };

    static Account House(AccountKind kind, Guid scope, PostScope of, Guid project) => HouseAccounts.Of(
        kind, scope, of.Unit, of.Organization, project, of.Test, of.Denomination, kind == AccountKind.Receivable ? of.Owner : null);
}
