using System.Diagnostics;
using LlmGateway.Contracts;

namespace LlmGateway.Wallet;

/// <summary>A command to the ledger. It names the accounts and leases that it needs, so that they can be locked before it runs.</summary>
public abstract record Command
{
    /// <summary>Accounts that must exist. A missing one is the caller's mistake.</summary>
    public virtual IEnumerable<Guid> Accounts => [];

    /// <summary>Accounts that are created if missing: the house's own, and a register that is being opened.</summary>
    public virtual IEnumerable<Account> Ensures => [];

    /// <summary>
    /// Accounts that are created if missing, and not locked: the lock of their balance guards them (<see cref="LotRows"/>).
    /// </summary>
    public virtual IEnumerable<Account> Opens => [];

    public virtual Guid? Lease => null;

    /// <summary>Client sessions that it opens or keeps open.</summary>
    public virtual IReadOnlyList<Guid> Windows => [];

    /// <summary>The lease's own row may change, not only its lines. The locks of the accounts guard the lines.</summary>
    public virtual bool ChangesLease => true;

    /// <summary>Unique id of the movement, when the command makes one.</summary>
    public virtual Guid? Movement => null;

    /// <summary>For logs: ids alone. The record has what tenants wrote, and what their users' requests used.</summary>
    public sealed override string ToString() => $"{GetType().Name} of {Movement ?? Lease ?? Accounts.FirstOrDefault()}";

    protected static Account Counter(CounterScope scope, Guid register, CounterTerm term) => new()
    {
        Id = register, Kind = term.Kind, Unit = term.Unit, Denomination = term.Denomination,
        Organization = scope.Organization, Project = scope.Project, Owner = scope.Customer, Test = scope.Test,
    };
}

/// <summary>Opens a register with its first amount, which may be 0. What is open stays as it is.</summary>
public sealed record Open(OpenRegister Register) : Command
{
    public override IEnumerable<Account> Ensures =>
    [
        new()
        {
            Id = Register.Id, Kind = Register.Kind, Unit = Register.Unit, Denomination = Register.Denomination,
            Organization = Register.Organization, Project = Register.Project, Owner = Register.Owner, Test = Register.Test,
        },
        .. First.Ensures,
    ];

    /// <summary>How its first amount comes into it.</summary>
    public Post First { get; } = new(
        Ids.Derive(Register.Id, "initial"),
        PostType.Opening,
        ScopeOf(Register),
        [Register.Initial])
    {
        Actor = "sessions", Text = "initial amount",
    };

    public override Guid? Movement => First.Id;

    /// <summary>The register as posts name it.</summary>
    public static PostScope ScopeOf(OpenRegister register) =>
        new(register.Id, register.Unit, register.Organization, register.Project, register.Owner, register.Test)
        {
            Denomination = register.Denomination,
        };
}

/// <summary>Freezes a wallet, or lets it go.</summary>
public sealed record Freeze(Guid Wallet, bool Frozen, Freezer By = Freezer.Owner) : Command
{
    /// <summary>Who asked for it, as the audit names it. Null: the audit is told nothing.</summary>
    public string? Actor { get; init; }

    /// <summary>Of the call in which it was asked for.</summary>
    public string? RequestId { get; init; }

    public override IEnumerable<Guid> Accounts => [Wallet];
}

/// <summary>Books what has expired of a balance, as every command on it does.</summary>
public sealed record BookExpiry(Guid Balance) : Command
{
    public override IEnumerable<Guid> Accounts => [Balance];
}

/// <param name="Final">Decide now. Otherwise a shortage is reported that other holders could relieve.</param>
public sealed record Extend(LeaseRequest Request, bool Final = false) : Command
{
    static readonly HashSet<Guid> None = [];

    readonly LeaseDemand[] _sources = [.. Request.Lines.Skip(Request.FirstSource ?? Request.Lines.Count)];

    /// <summary>
    /// Sources and limits of which recalls found nothing idle a moment ago. What others hold of them, their requests need.
    /// </summary>
    public IReadOnlySet<Guid> InUse { get; init; } = None;

    public int FirstSource => Request.Lines.Count - _sources.Length;

    /// <summary>The sources of the payment line, in the order in which they pay.</summary>
    public ReadOnlySpan<LeaseDemand> Sources => _sources;

    public override IEnumerable<Guid> Accounts => Request.Lines.Select(line => line.Register);
    public override Guid? Lease => Request.Lease;

    /// <summary>Counters are opened by the first claim on them.</summary>
    public override IEnumerable<Account> Ensures => Request.Scope is not { } scope ? [] : Request.Lines
        .Where(line => line.Counter is not null)
        .Select(line => Counter(scope, line.Register, line.Counter!));
}

/// <summary>Opens those windows of a client session that are closed, see <see cref="WindowsRequest"/>.</summary>
public sealed record OpenWindows(WindowsRequest Request) : Command
{
    public IReadOnlyList<WindowLine> Lines { get; } = [.. Request.Windows.SelectMany(demand => demand.Lines)];

    public override IReadOnlyList<Guid> Windows { get; } = [.. Request.Windows.Select(demand => demand.Window)];

    public override IEnumerable<Guid> Accounts => Lines.Select(line => line.Register);
    public override IEnumerable<Account> Ensures => Lines.Select(line => Counter(Request.Scope, line.Register, line.Counter));
}

public sealed record GiveBack(LeaseReturn Return) : Command
{
    public override IEnumerable<Guid> Accounts => Return.Lines.Select(line => line.Register);
    public override Guid? Lease => Return.Lease;
}

/// <summary>Ends a lease whose time is over on the database's clock.</summary>
public sealed record Expire(Guid LeaseId, IReadOnlyList<Guid> Registers) : Command
{
    public override IEnumerable<Guid> Accounts => Registers;
    public override Guid? Lease => LeaseId;
}

/// <summary>Frees the slots of a lease, because its holder has been silent. Whatever else the lease holds stays.</summary>
public sealed record FreeSlots(Guid LeaseId, IReadOnlyList<Guid> Registers) : Command
{
    public override IEnumerable<Guid> Accounts => Registers;
    public override Guid? Lease => LeaseId;
}

public sealed record Settle(Settlement Settlement) : Command
{
    /// <summary>The request's; default when its trace is not recorded.</summary>
    public ActivityContext Span { get; init; }

    /// <summary>The settlement as it came, for the case that it cannot be booked: a part of its message, not a copy.</summary>
    public ReadOnlyMemory<byte> Record { get; init; }

    /// <summary>The sealed answer, for repetitions of a call with an <c>Idempotency-Key</c>. Null where it is not kept.</summary>
    public byte[]? Answer { get; init; }

    /// <summary>A caller waits for it, so it goes before those that come through the queue.</summary>
    public bool IsAwaited { get; init; }

    public override IEnumerable<Guid> Accounts => Settlement.Charges.Select(charge => charge.Register);
    public override Guid? Lease => Settlement.Lease;
    public override bool ChangesLease => false;
    public override Guid? Movement => Settlement.RequestId;
    public override IReadOnlyList<Guid> Windows => Settlement.Windows;

    /// <summary>
    /// The house's accounts are locked even when nothing is charged. Two instances of the ledger that get one settlement meet there, and
    /// the second finds it known.
    /// </summary>
    public override IEnumerable<Account> Ensures
    {
        get
        {
            var usage = Settlement.Usage;
            yield return House(AccountKind.ProviderCost, usage);
            yield return House(AccountKind.Absorbed, usage);
            yield return House(AccountKind.Limits, usage);
            if (Settlement.Due is { } due && due != usage.Cost.Nanos)
                yield return House(AccountKind.Covered, usage);
            for (var i = 0; i < Settlement.Charges.Count; i++)
                if (Settlement.Charges[i].Denomination is { } type)
                    yield return HouseAccounts.Of(
                        AccountKind.Used, type, Unit.Credits, usage.Organization, usage.Project, usage.Test, denomination: type);
        }
    }

    static Account House(AccountKind kind, UsageRecord usage) =>
        HouseAccounts.OfProject(kind, usage.Organization, usage.Project, usage.Test);
}

/// <summary>Corrects what one past request cost, once per re-rating; see <see cref="Reratings"/> and <see cref="BatchCosts"/>.</summary>
/// <param name="Wallet">The customer's wallet, which may not exist.</param>
/// <param name="Cost">The new cost, nano-dollars.</param>
public sealed record Rerate(
    Guid Rerating, Guid RequestId, Guid? Wallet, Guid Organization, Guid Project, bool Test, Guid PriceVersion, long Cost)
    : Command
{
    /// <summary>The request was a batch that was charged its bound. The house bears any cost beyond it.</summary>
    public bool OfBatch { get; init; }

    public override IEnumerable<Guid> Accounts => Wallet is { } wallet ? [wallet] : [];
    public override Guid? Movement => Ids.Derive(Rerating, RequestId.ToString("N"));

    public override IEnumerable<Account> Ensures =>
    [
        HouseAccounts.OfProject(AccountKind.ProviderCost, Organization, Project, Test),
        HouseAccounts.OfProject(AccountKind.Absorbed, Organization, Project, Test),
        HouseAccounts.OfProject(AccountKind.Covered, Organization, Project, Test),
    ];
}

/// <summary>
/// The ledger's answer to a command. Answers are equal when they say the same decision: what was moved, what is left besides and the clock
/// are no part of it. Tests and the model in them compare decisions.
/// </summary>
public abstract record Answer
{
    /// <summary>The command was carried out, now or before.</summary>
    public sealed record Done(bool Repeated = false) : Answer
    {
        /// <summary>What a post has moved, now or before.</summary>
        public IReadOnlyList<Moved> Moved { get; init; } = [];

        public bool Equals(Done? other) => other is not null && Repeated == other.Repeated;

        public override int GetHashCode() => Repeated.GetHashCode();
    }

    /// <summary>Nothing changed. The usage log has no open month for the request, and its settlement is kept for a person.</summary>
    public sealed record Stale : Answer;

    public sealed record Granted(IReadOnlyList<long> Amounts) : Answer
    {
        /// <inheritdoc cref="LeaseAnswer.Empty"/>
        public ulong Empty { get; init; }

        /// <inheritdoc cref="LeaseAnswer.UsedUp"/>
        public ulong UsedUp { get; init; }

        /// <summary>The ledger's clock.</summary>
        public DateTimeOffset Now { get; init; }

        /// <inheritdoc cref="LeaseAnswer.LotsExpireAt"/>
        public DateTimeOffset? LotsExpireAt { get; init; }
    }

    /// <summary>The windows are open, at least until then.</summary>
    public sealed record Opened(DateTimeOffset ClosesAt) : Answer
    {
        /// <summary>The ledger's clock.</summary>
        public DateTimeOffset Now { get; init; }
    }

    /// <summary>Nothing changed. A post would make a lot that has expired already, or one more than <see cref="Ledger.MaxLots"/>.</summary>
    public sealed record NoLot(bool Expired) : Answer;

    /// <summary>Nothing changed. The movement's id belongs to another one.</summary>
    public sealed record Differs : Answer;

    /// <summary>Nothing changed. The registers cannot give what is needed, but other leases hold some of them.</summary>
    public sealed record Shortage(IReadOnlyList<Guid> Registers) : Answer
    {
        /// <summary>What they have all the same. A recall that does not increase it has found nothing idle.</summary>
        public Int128 Room { get; init; }

        public bool Equals(Shortage? other) => other is not null && Registers.SequenceEqual(other.Registers);

        public override int GetHashCode() => Registers.Count;
    }

    /// <summary>Nothing changed.</summary>
    public sealed record Refused(Guid Register, RefusalReason Reason, long Available) : Answer
    {
        /// <inheritdoc cref="LeaseRefusal.Held"/>
        public long Held { get; init; }

        /// <inheritdoc cref="LeaseRefusal.Busy"/>
        public bool Busy { get; init; }

        /// <inheritdoc cref="LeaseRefusal.Over"/>
        public long Over { get; init; }

        /// <summary>The ledger's clock, where the answer goes to a holder.</summary>
        public DateTimeOffset Now { get; init; }

        public bool Equals(Refused? other) => other is not null
            && (Register, Reason, Available, Held, Busy) == (other.Register, other.Reason, other.Available, other.Held, other.Busy);

        public override int GetHashCode() => HashCode.Combine(Register, Reason, Available);
    }
}
