namespace LlmGateway.Contracts;

/// <summary>
/// Something that owners' systems are told: once decided, it is delivered at least once, and recognised by <paramref name="Id"/>.
/// </summary>
/// <param name="Type">As in <see cref="EventTypes"/>.</param>
/// <param name="Created">By the clock of the database in which it was decided.</param>
/// <param name="Subject">
/// Whose events are numbered together: a customer in the ledger, the customer's payments, a key, an endpoint in its tests and in its ends.
/// Receivers know it as <c>series</c>.
/// </param>
/// <param name="Sequence">1, 2, 3 … for each subject, in the order of commits and without gaps.</param>
/// <param name="Data">A JSON object as text, so that nobody on the way gives it another form.</param>
public sealed record PublicEvent(
    Guid Id, string Type, DateTimeOffset Created, Guid Subject, long Sequence, Guid Organization, Guid Project, bool Test, string Data);

/// <summary>Types of events as callers see them.</summary>
public static class EventTypes
{
    /// <summary>An endpoint's owner asked for it, and nobody else is told.</summary>
    public const string Test = "webhook.test";

    /// <summary>What an endpoint may ask for: all of it is told.</summary>
    public static readonly IReadOnlySet<string> All = new SortedSet<string>(StringComparer.Ordinal)
    {
        WalletCredited, WalletRefunded, WalletFrozen, WalletUnfrozen, WalletCreditsExpired, WalletLowBalance, WalletExhausted,
        LimitThreshold, SessionCapReached, WindowOpened, TopUpFailed, TopUpAuthenticationRequired, TopUpPaused, CustomerCreated,
        KeyCreated, KeyRevoked, InvoiceCreated, InvoicePaid, PayoutCreated, PayoutPaid, PayoutFailed, DisputeOpened, DisputeClosed,
        WebhookEndpointDisabled,
    };

    /// <summary>Names that are kept for what nobody tells yet (contract §7). Who asked for one would wait for ever.</summary>
    public static readonly IReadOnlySet<string> NotToldYet = new SortedSet<string>(StringComparer.Ordinal)
    {
        "wallet.debited", "subscription.created", "subscription.updated", "subscription.ended", "invoice.failed", "margin.accrued",
    };

    public const string
        WalletCredited = "wallet.credited",
        WalletRefunded = "wallet.refunded",
        WalletFrozen = "wallet.frozen",
        WalletUnfrozen = "wallet.unfrozen",
        WalletCreditsExpired = "wallet.credits_expired",
        WalletLowBalance = "wallet.low_balance",
        WalletExhausted = "wallet.exhausted",
        LimitThreshold = "limit.threshold",
        SessionCapReached = "session.cap_reached",
        WindowOpened = "window.opened",
        TopUpFailed = "topup.failed",
        TopUpAuthenticationRequired = "topup.authentication_required",
        TopUpPaused = "topup.paused",
        CustomerCreated = "customer.created",
        KeyCreated = "key.created",
        KeyRevoked = "key.revoked",
        PayoutCreated = "payout.created",
        PayoutPaid = "payout.paid",
        PayoutFailed = "payout.failed",
        DisputeOpened = "dispute.opened",
        DisputeClosed = "dispute.closed",
        InvoiceCreated = "invoice.created",
        InvoicePaid = "invoice.paid",
        WebhookEndpointDisabled = "webhook_endpoint.disabled";
}
