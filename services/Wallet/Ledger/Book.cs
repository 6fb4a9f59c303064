using LlmGateway.Contracts;

namespace LlmGateway.Wallet;

/// <summary>
/// The part of the ledger that one batch of commands touches, in memory, with everything that the commands added. Only <see cref="Ledger"/>
/// changes it.
/// </summary>
public sealed class Book(DateTimeOffset now)
{
    /// <summary>The database's clock when the batch began. It decides what is over.</summary>
    public DateTimeOffset Now { get; } = now;

    /// <summary>
    /// The date of what is booked: the same, but never a time whose bookings have ended (<see cref="Rollups"/>). After the clock was set
    /// back it stands still, so nothing is decided by it.
    /// </summary>
    public DateTimeOffset BookedAt { get; init; } = now;

    public Dictionary<Guid, Account> Accounts { get; } = [];

    /// <summary>Some account has lots that were read or made.</summary>
    public bool HasLots { get; set; }
    public Dictionary<Guid, Lease> Leases { get; } = [];

    /// <summary>Ids of transfers and requests that the ledger already has.</summary>
    public HashSet<Guid> Known { get; } = [];

    /// <summary>Windows of client sessions.</summary>
    public Dictionary<Guid, Window> Windows { get; } = [];

    /// <summary>Movements that are not usage and that the ledger already has, as far as a command asks for one again.</summary>
    public Dictionary<Guid, Transfer> Moved { get; } = [];

    /// <summary>
    /// Accounts whose rows are as new as this batch. A register among them is unknown until its <see cref="Open"/> takes it out, or, for a
    /// counter, the first <see cref="Extend"/> on it.
    /// </summary>
    public HashSet<Guid> Created { get; } = [];

    /// <summary>Requests that are to be re-rated. Their figures are those of the usage record with all its corrections.</summary>
    public Dictionary<Guid, Rated> Rated { get; } = [];

    /// <summary>What movements that a post undoes have taken of each lot, as it was read; less than nothing: they have given.</summary>
    public List<(Guid Movement, Guid Balance, LotPart Taken)> Undone { get; } = [];

    /// <summary>The open months of the usage log, as far as requests of the batch belong to them.</summary>
    public IReadOnlyList<UsageMonth> Months { get; set; } = [UsageMonth.Always];

    /// <summary>The month that a request is booked in, or null.</summary>
    public UsageMonth? MonthOf(Guid request)
    {
        foreach (var month in Months)
            if (month.Has(request))
                return month;
        return null;
    }

    /// <summary>A register that is open, or null.</summary>
    public Account? Find(Guid id) =>
        Accounts.TryGetValue(id, out var account) && account.IsRegister && !Created.Contains(id) ? account : null;

    public List<Entry> Entries { get; } = [];
    public List<Transfer> Transfers { get; } = [];
    public List<UsageRow> Usages { get; } = [];
    public List<StaleSettlement> Stale { get; } = [];
    public List<WindowOpening> Openings { get; } = [];
    public List<Correction> Corrections { get; } = [];

    /// <summary>Call credits that requests of the batch should have spent and that were gone.</summary>
    public long ForgivenCredits { get; set; }

    /// <summary>Calls with an <c>Idempotency-Key</c> whose settlements are booked in this batch.</summary>
    public List<EndedCall> EndedCalls { get; } = [];

    /// <summary>What is told of the batch, in the order in which it happened.</summary>
    public List<LedgerEvent> Events { get; } = [];

    /// <summary>What the audit is told of the batch.</summary>
    public List<FreezeChange> Freezes { get; } = [];

    /// <summary>The wallets that the running command has moved, each with what it had before.</summary>
    public List<(Account Wallet, long Before)> Moving { get; } = [];
}

/// <summary>
/// An account. <see cref="Posted"/> is the sum of its entries, or, of a counter, what was used. <see cref="Reserved"/> is what open leases
/// hold of it.
/// </summary>
public sealed class Account
{
    public required Guid Id { get; init; }
    public required AccountKind Kind { get; init; }
    public required Unit Unit { get; init; }

    /// <summary>What is counted, where the unit alone does not say it. Amounts of two denominations are never mixed.</summary>
    public Guid? Denomination { get; init; }
    public required Guid Organization { get; init; }
    public required Guid Project { get; init; }
    public Guid? Owner { get; init; }
    public bool Test { get; init; }
    public long Posted { get; set; }
    public long Reserved { get; set; }
    /// <summary>Number of entries. The next one gets the next number.</summary>
    public long Version { get; set; }
    /// <summary>Lifetime usage and top-ups, cached for statements.</summary>
    public long Spent { get; set; }
    public long ToppedUp { get; set; }
    public Freezer FrozenBy { get; set; }

    public bool Frozen => FrozenBy != Freezer.Nobody;

    /// <summary>How far a counter might go by the last claim on it, for those who look at it. Claims decide by their own.</summary>
    public long? Ceiling { get; set; }

    /// <summary>When a counter's cycle is over: the latest end that a claim on it has said.</summary>
    public DateTimeOffset? EndsAt { get; set; }

    /// <summary>A wallet's owner is told when it falls below it.</summary>
    public long? LowMark { get; set; }

    /// <summary>Percentages of a counter's ceiling at which its owner is told. Null: <see cref="Ledger.UsualThresholds"/>.</summary>
    public byte[]? Thresholds { get; set; }

    /// <summary>What a counter's owner knows it by.</summary>
    public string? Name { get; set; }

    /// <summary>
    /// What its owner was told and is not told again: of a wallet <see cref="Ledger.Low"/> and <see cref="Ledger.Exhausted"/>, of a
    /// counter the highest percentage.
    /// </summary>
    public int Told { get; set; }

    /// <summary>What is written only when it differs, by a statement of its own: it hardly ever does.</summary>
    public (long?, byte[]?, string?, int) Marks => (LowMark, Thresholds, Name, Told);

    /// <summary>The marks as they were read.</summary>
    public (long?, byte[]?, string?, int) StoredMarks { get; set; }

    /// <summary>What can still be taken from a balance.</summary>
    public long Available => Posted - Reserved;

    /// <summary>The lot that is spent last. Null: the balance's own.</summary>
    public Guid? BaseLot { get; set; }

    /// <summary>Other lots that have something left. With none, no lot is read or written.</summary>
    public int Lots { get; set; }

    /// <summary>The lots that were read or made. All that are counted in <see cref="Lots"/> are among them.</summary>
    public List<Lot> Parts { get; } = [];

    /// <summary>
    /// What leases hold that are extended no more, by <see cref="Lease.LotsExpireAt"/>: they may still take from lots that expire then or
    /// later. Null where no lot was read.
    /// </summary>
    public Dictionary<DateTimeOffset, long>? HeldFromBefore { get; set; }

    /// <summary>The figures that are written when they differ from <see cref="Stored"/>.</summary>
    public AccountFigures Figures => new(Posted, Reserved, Version, Spent, ToppedUp, FrozenBy, Ceiling, EndsAt, BaseLot, Lots);

    /// <summary>The figures as they were read. Most accounts of a batch do not change, and those are not written.</summary>
    public AccountFigures Stored { get; set; }

    /// <summary>The batch has added entries to it.</summary>
    public bool HasMoved => Version != Stored.Version;

    /// <summary>Registers belong to customers. The house's own accounts may go below zero.</summary>
    public bool IsRegister => Kind < AccountKind.Grant;
}

/// <summary>The figures of an account that change all the time.</summary>
public readonly record struct AccountFigures(
    long Posted, long Reserved, long Version, long Spent, long ToppedUp, Freezer FrozenBy, long? Ceiling, DateTimeOffset? EndsAt,
    Guid? BaseLot, int Lots);

/// <summary>
/// Who has frozen a wallet. Each lets go of what it has frozen, so that the end of a dispute does not undo what the wallet's owner has
/// decided meanwhile; the owner lets it go whoever has frozen it.
/// </summary>
[Flags]
public enum Freezer
{
    Nobody = 0,

    /// <summary>A backend of the project.</summary>
    Owner = 1,

    /// <summary>Billing, for a dispute.</summary>
    Billing = 2,
}

/// <summary>Somebody has frozen a wallet, or has let it go.</summary>
/// <param name="Frozen">What was asked for. Who lets go what he has frozen leaves what others have.</param>
public sealed record FreezeChange(Account Of, bool Frozen, Freezer Before, Freezer After, string Actor, string? RequestId);

/// <summary>What a proxy holds of one claim.</summary>
public sealed class Lease
{
    public required Guid Id { get; init; }
    public required string Holder { get; init; }
    public long Fence { get; set; }
    public long ReturnFence { get; set; }
    public DateTimeOffset ExpiresAt { get; set; }
    public bool Expired { get; set; }
    public LeaseSlots Slots { get; set; }

    /// <summary>
    /// The first expiry of a lot that had something left when the lease was granted a part of its balance. From then on it is extended no
    /// more.
    /// </summary>
    public DateTimeOffset? LotsExpireAt { get; set; }

    public Dictionary<Guid, LeaseLine> Lines { get; } = [];

    public (long, long, DateTimeOffset, bool, LeaseSlots, DateTimeOffset?) Figures =>
        (Fence, ReturnFence, ExpiresAt, Expired, Slots, LotsExpireAt);

    /// <summary>The figures as they were read. Null for a lease that is new.</summary>
    public (long, long, DateTimeOffset, bool, LeaseSlots, DateTimeOffset?)? Stored { get; set; }
}

/// <summary>What a lease has of slots. The number is stored.</summary>
public enum LeaseSlots
{
    None = 0,
    Held = 1,
    /// <summary>The lease can have no more.</summary>
    Freed = 2,
}

/// <summary>One register's part of a lease. <see cref="Outstanding"/> is its share of the account's reserved amount.</summary>
public sealed class LeaseLine
{
    public long Granted { get; set; }
    public long Consumed { get; set; }
    public long Returned { get; set; }
    public long LastGranted { get; set; }

    public long Outstanding => Granted - Consumed - Returned;

    public (long, long, long, long) Figures => (Granted, Consumed, Returned, LastGranted);

    /// <summary>The figures as they were read. Null for a line that is new.</summary>
    public (long, long, long, long)? Stored { get; set; }
}

/// <summary>The time in which a client session is open, as limits with one selector count it: until <see cref="ClosesAt"/>.</summary>
public sealed class Window
{
    public required Guid Id { get; init; }
    public DateTimeOffset ClosesAt { get; set; }
    public int Openings { get; set; }

    public (DateTimeOffset, int) Figures => (ClosesAt, Openings);

    /// <summary>The figures as they were read.</summary>
    public (DateTimeOffset, int) Stored { get; set; }
}

/// <summary>A unit that a counter gave when a window opened.</summary>
/// <param name="Number">Of the window's openings.</param>
public sealed record WindowOpening(Guid Register, Guid Window, int Number);

/// <summary>One side of a transfer. The entries of a transfer sum to zero in each unit.</summary>
/// <param name="Lot">Null: the account's own.</param>
public sealed record Entry(Guid Account, long Version, Guid Transfer, EntryType Type, long Amount, long Balance, Guid? Lot = null);

/// <summary>Header of a movement that is not usage.</summary>
/// <param name="Description">Free text, kept apart from it.</param>
public sealed record Transfer(Guid Id, EntryType Type, string? Description)
{
    public string? Actor { get; init; }
    public string? Reference { get; init; }

    /// <summary>
    /// Of what was asked for, see <see cref="Post.InputHash"/>. Null when nobody can ask for it again with something else.
    /// </summary>
    public byte[]? InputHash { get; init; }

    /// <summary>What a post has moved; nothing if it was refused for ever. Null for other movements.</summary>
    public IReadOnlyList<Moved>? Result { get; init; }

    public bool WasRefused => Result is [];

    /// <summary>The description was erased.</summary>
    public bool Erased { get; init; }

    /// <summary>A text that was erased is not compared.</summary>
    public bool IsAskedAgainBy(Post post) => InputHash is null
        || (InputHash.AsSpan().SequenceEqual(post.InputHash()) && (Erased || Description == post.Text));
}

/// <summary>
/// Header of a usage movement. It has the request's record, what its wallet paid, what the house bore, and what quota or credits covered.
/// </summary>
public sealed record UsageRow(Guid RequestId, UsageRecord Record, long Charged, long Absorbed, long Covered = 0)
{
    /// <summary>What the request used of counters, and the call credits that it spent. Empty when neither was to be asked.</summary>
    public IReadOnlyList<Charge> Counted { get; init; } = [];

    /// <summary>What it costs by another price is covered, too: something else than the wallet pays, or it was free.</summary>
    public bool IsCovered { get; init; }

    /// <inheritdoc cref="Correction.Lots"/>
    public IReadOnlyList<LotPart> Lots { get; init; } = [];
}

/// <summary>
/// A month of the usage log in which requests are booked: those with ids from <paramref name="From"/> up to and without
/// <paramref name="To"/>, in the order of time, which is also that of PostgreSQL.
/// </summary>
/// <param name="KeepsRaw">What providers said of their usage is kept, too.</param>
public sealed record UsageMonth(Guid From, Guid To, bool KeepsRaw)
{
    public static readonly UsageMonth Always = new(Guid.Empty, Guid.AllBitsSet, KeepsRaw: true);

    public bool Has(Guid request) => From <= request && request < To;
}

/// <summary>A call with an <c>Idempotency-Key</c> whose settlement is booked in this batch.</summary>
/// <param name="Answer">Sealed. Null where it is not kept.</param>
public sealed record EndedCall(Guid Request, KeyEnd Key, byte[]? Answer);

/// <summary>A settlement that cannot be booked, because no month is open that it belongs to.</summary>
/// <param name="Record">As its proxy wrote it, see <see cref="SettlementRecord"/>.</param>
public sealed record StaleSettlement(Guid RequestId, ReadOnlyMemory<byte> Record, string Reason)
{
    public const string TooOld = "too old", TooNew = "too new";
}

/// <summary>
/// What a request cost, what its wallet paid, and what the house bore, in nano-dollars. Without a wallet nothing was paid or borne.
/// </summary>
/// <param name="IsCovered">Quota has paid a part of it, or a call credit has paid it, or it was free.</param>
public readonly record struct Rated(long Cost, long Charged, long Absorbed, bool IsCovered = false)
{
    public Guid? Customer { get; init; }

    /// <inheritdoc cref="Correction.Lots"/>
    public IReadOnlyList<LotPart> Lots { get; init; } = [];
}

/// <summary>
/// A request's cost after a re-rating. The last three are differences. Negative ones were given back.
/// </summary>
public sealed record Correction(
    Guid Transfer, Guid Rerating, Guid RequestId, Guid PriceVersion, long OldCost, long NewCost, long Charged, long Absorbed, long Covered)
{
    /// <summary>Whose request it was.</summary>
    public Guid? Customer { get; init; }

    public required Guid Project { get; init; }

    /// <summary>What each lot paid. Empty where it was the balance's own lot alone.</summary>
    public IReadOnlyList<LotPart> Lots { get; init; } = [];
}
