namespace LlmGateway.Contracts;

/// <summary>
/// A batch of finished requests on its way from a proxy's spool to the ledger, over RabbitMQ. The message's body is <see cref="Records"/>
/// alone; everything else is in its headers.
/// </summary>
/// <param name="Records">Settlements as they stand in the spool, see <see cref="SettlementRecord"/>. They are not encoded again.</param>
/// <param name="GoneHolder">A proxy that died. These are its last settlements; afterwards what its leases still hold goes back to the
/// registers.</param>
public sealed record SettlementBatch(byte[] Records, string? GoneHolder = null)
{
    /// <summary>Settlements in one message, at most.</summary>
    public const int MaxSettlements = 500;

    /// <summary>The exchange that proxies send to, and the name of the queue behind it but for its generation.</summary>
    public const string Queue = "wallet-settlements";

    public const string ContentType = "application/vnd.llmgateway.settlements";

    /// <summary>The header that carries <see cref="GoneHolder"/>.</summary>
    public const string GoneHolderHeader = "Gone-Holder";
}

/// <summary>What a finished request really used. It counts once per <see cref="RequestId"/>.</summary>
/// <param name="Lease">The lease of the request's hold; null when nothing was to be charged.</param>
/// <param name="Charges">Actual amount for each register of the lease. The rest of the hold stays with the lease until it is
/// returned.</param>
public sealed record Settlement(Guid RequestId, Guid? Lease, IReadOnlyList<Charge> Charges, UsageRecord Usage)
{
    /// <summary>
    /// What the request's money is to pay, nano-dollars. Quota and credits have paid the rest of the cost. Null when only a wallet could
    /// pay: then it is the whole cost, and nothing without a wallet.
    /// </summary>
    public long? Due { get; init; }

    /// <summary>The client session, as windows: this message keeps them open.</summary>
    public IReadOnlyList<Guid> Windows { get; init; } = [];

    /// <summary>What becomes of the request's <c>Idempotency-Key</c>.</summary>
    public KeyEnd Key { get; init; }
}

/// <summary>What the end of a request means for its <c>Idempotency-Key</c>.</summary>
public enum KeyEnd
{
    /// <summary>It had none.</summary>
    None = 0,
    /// <summary>The caller got no whole answer. A repetition is a new call.</summary>
    Free = 1,
    /// <summary>The answer was whole. A repetition gets it if it is kept, and never runs.</summary>
    Used = 2,
}

/// <summary>What a request used of a register, in the register's own unit.</summary>
/// <param name="Beyond">The part of it that the request did not hold, because the provider exceeded what it was asked for.</param>
public sealed record Charge(Guid Register, long Value, long Beyond = 0)
{
    /// <summary>Of call credits: their type. The ledger must know it before it has read the register.</summary>
    public Guid? Denomination { get; init; }
}

/// <summary>How a request ended.</summary>
public enum RequestOutcome
{
    /// <summary>Answered to its end.</summary>
    Completed = 0,
    /// <summary>The caller left, or its credential was revoked. Charged for what was delivered.</summary>
    Aborted = 1,
    /// <summary>The provider broke off after content had been delivered. Charged for that.</summary>
    Interrupted = 2,
    /// <summary>No content was delivered. Not charged.</summary>
    Failed = 3,
}

/// <summary>The durable record of one request. Failed requests have one, too.</summary>
/// <param name="Cost">Computed from meters and price version, nano-dollars. The charge may be less, never more.</param>
/// <param name="Estimated">The counts are ours because the provider's were missing or impossible.</param>
/// <param name="Reason">Why estimated, capped or failed; null when there is nothing to say.</param>
/// <param name="RawUsage">The provider's usage object as received, at most 4 KB.</param>
/// <param name="AttemptOf">The request that another provider continued after this one failed: the id that the caller knows. Null for a
/// request's last attempt.</param>
public sealed record UsageRecord(
    Guid Organization, Guid Project, Guid? Customer, Guid Credential, Guid? Family, bool Test,
    string Endpoint, string Model, string Provider, string UpstreamModel, Guid? PriceVersion, bool Stream,
    DateTimeOffset StartedAt, int DurationMs, int? FirstByteMs, int Status, RequestOutcome Outcome,
    IReadOnlyList<long> Meters, Money Cost, bool Estimated, string? Reason, string? RawUsage, Guid? AttemptOf = null);
