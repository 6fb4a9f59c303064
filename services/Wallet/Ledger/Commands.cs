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

    public virtual Guid? Lease => null;

    /// <summary>The lease's own row may change, not only its lines. The locks of the accounts guard the lines.</summary>
    public virtual bool ChangesLease => true;

    /// <summary>Unique id of the movement, when the command makes one.</summary>
    public virtual Guid? Movement => null;

    /// <summary>For logs: ids alone. The record has what tenants wrote, and what their users' requests used.</summary>
    public sealed override string ToString() => $"{GetType().Name} of {Movement ?? Lease ?? Accounts.FirstOrDefault()}";

    protected static Account House(Guid id, AccountKind kind, Unit unit, Guid organization, Guid project, bool test) =>
        new() { Id = id, Kind = kind, Unit = unit, Organization = organization, Project = project, Test = test };
}

/// <summary>Opens a register with its first amount, which may be 0. What is open stays as it is.</summary>
public sealed record Open(OpenRegister Register) : Command
{
    public override IEnumerable<Account> Ensures =>
    [
        new()
        {
            Id = Register.Id, Kind = Register.Kind, Unit = Register.Unit,
            Organization = Register.Organization, Project = Register.Project, Owner = Register.Owner, Test = Register.Test,
        },
        Source,
    ];

    public override Guid? Movement => Ids.Derive(Register.Id, "initial");

    /// <summary>Money comes from the organization's grant account, limits come from the project's.</summary>
    public Account Source => Register.Unit == Unit.Usd
        ? House(
            HouseAccounts.Grant(Register.Organization, Register.Test),
            AccountKind.Grant,
            Unit.Usd,
            Register.Organization,
            Guid.Empty,
            Register.Test)
        : House(
            HouseAccounts.Limits(Register.Project, Register.Unit, Register.Test),
            AccountKind.Limits,
            Register.Unit,
            Register.Organization,
            Register.Project,
            Register.Test);
}

/// <summary>
/// Moves an amount between a wallet and its organization's grant account: positive credits the wallet, negative debits it.
/// </summary>
public sealed record Adjust(Guid Id, Guid Wallet, Guid Organization, bool Test, long Amount, EntryType Type, string? Description) : Command
{
    public override IEnumerable<Guid> Accounts => [Wallet];
    public override IEnumerable<Account> Ensures =>
        [House(HouseAccounts.Grant(Organization, Test), AccountKind.Grant, Unit.Usd, Organization, Guid.Empty, Test)];
    public override Guid? Movement => Id;
}

public sealed record Freeze(Guid Wallet, bool Frozen) : Command
{
    public override IEnumerable<Guid> Accounts => [Wallet];
}

/// <param name="Final">Decide now. Otherwise a shortage is reported that other holders could relieve.</param>
public sealed record Extend(LeaseRequest Request, bool Final = false) : Command
{
    static readonly HashSet<Guid> None = [];

    readonly LeaseDemand[] _sources = [.. Request.Lines.Skip(Request.FirstSource ?? Request.Lines.Count)];

    /// <summary>Registers of which a recall found nothing idle a moment ago. What others hold of them, their requests need.</summary>
    public IReadOnlySet<Guid> InUse { get; init; } = None;

    public int FirstSource => Request.Lines.Count - _sources.Length;

    /// <summary>The sources of the payment line, in the order in which they pay.</summary>
    public ReadOnlySpan<LeaseDemand> Sources => _sources;

    public override IEnumerable<Guid> Accounts => Request.Lines.Select(line => line.Register);
    public override Guid? Lease => Request.Lease;

    /// <summary>Counters are opened by the first claim on them.</summary>
    public override IEnumerable<Account> Ensures => Request.Scope is not { } scope ? [] : Request.Lines
        .Where(line => line.Counter is not null)
        .Select(line => new Account
        {
            Id = line.Register, Kind = line.Counter!.Kind, Unit = line.Counter.Unit, Denomination = line.Counter.Denomination,
            Organization = scope.Organization, Project = scope.Project, Owner = scope.Customer, Test = scope.Test,
        });
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

    /// <summary>
    /// The house's accounts are locked even when nothing is charged. Two instances of the ledger that get one settlement meet there, and
    /// the second finds it known.
    /// </summary>
    public override IEnumerable<Account> Ensures
    {
        get
        {
            var usage = Settlement.Usage;
            yield return House(
                HouseAccounts.ProviderCost(usage.Project, usage.Test),
                AccountKind.ProviderCost,
                Unit.Usd,
                usage.Organization,
                usage.Project,
                usage.Test);
            yield return House(
                HouseAccounts.Absorbed(usage.Project, usage.Test),
                AccountKind.Absorbed,
                Unit.Usd,
                usage.Organization,
                usage.Project,
                usage.Test);
            yield return House(
                HouseAccounts.Limits(usage.Project, Unit.UsdLimit, usage.Test),
                AccountKind.Limits,
                Unit.UsdLimit,
                usage.Organization,
                usage.Project,
                usage.Test);
            if (Settlement.Due is { } due && due != usage.Cost.Nanos)
                yield return House(
                    HouseAccounts.Covered(usage.Project, usage.Test),
                    AccountKind.Covered,
                    Unit.Usd,
                    usage.Organization,
                    usage.Project,
                    usage.Test);
        }
    }
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
        House(HouseAccounts.ProviderCost(Project, Test), AccountKind.ProviderCost, Unit.Usd, Organization, Project, Test),
        House(HouseAccounts.Absorbed(Project, Test), AccountKind.Absorbed, Unit.Usd, Organization, Project, Test),
        House(HouseAccounts.Covered(Project, Test), AccountKind.Covered, Unit.Usd, Organization, Project, Test),
    ];
}

/// <summary>The ledger's answer to a command.</summary>
public abstract record Answer
{
    /// <summary>The command was carried out, now or before.</summary>
    public sealed record Done(bool Repeated = false) : Answer;

    /// <summary>Nothing changed. The usage log has no open month for the request, and its settlement is kept for a person.</summary>
    public sealed record Stale : Answer;

    public sealed record Granted(IReadOnlyList<long> Amounts) : Answer
    {
        /// <inheritdoc cref="LeaseAnswer.Empty"/>
        public ulong Empty { get; init; }

        /// <inheritdoc cref="LeaseAnswer.Dry"/>
        public ulong Dry { get; init; }

        /// <summary>The ledger's clock.</summary>
        public DateTimeOffset Now { get; init; }
    }

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
    public sealed record Refused(Guid Register, LeaseRefusalReason Reason, long Available) : Answer
    {
        /// <summary>The ledger's clock, where the answer goes to a holder.</summary>
        public DateTimeOffset Now { get; init; }

        public bool Equals(Refused? other) => other is not null
            && (Register, Reason, Available) == (other.Register, other.Reason, other.Available);

        public override int GetHashCode() => HashCode.Combine(Register, Reason, Available);
    }
}
