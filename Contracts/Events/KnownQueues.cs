namespace LlmGateway.Contracts;

/// <summary>
/// The queues in which an event must be, by the type of its message. Whoever publishes the event declares them: a consumer that has never
/// run, or is away, must not cost an event. An event without a row here may be heard by nobody.
/// </summary>
public static class KnownQueues
{
    /// <summary>Webhooks keeps every event.</summary>
    public const string Webhooks = "webhooks-events";

    /// <summary>Billing mails some.</summary>
    public const string Alerts = "alert-events";

    /// <summary>Billing tops up wallets that are low.</summary>
    public const string LowBalances = "billing-low-balances";

    /// <summary>Billing forgets customers that were deleted.</summary>
    public const string Erasures = "billing-erasures";

    /// <summary>Sessions keeps the audit.</summary>
    public const string Audit = "sessions-audit";

    public static readonly IReadOnlyDictionary<Type, IReadOnlyList<string>> All = new Dictionary<Type, IReadOnlyList<string>>
    {
        [typeof(PublicEvent)] = [Webhooks, Alerts, LowBalances],
        [typeof(CustomerDeleted)] = [Erasures],
        [typeof(Changed)] = [Audit],
    };
}
