using static LlmGateway.ServiceDefaults.Retention;

namespace LlmGateway.Billing;

/// <summary>How long this service keeps the rows of each of its tables.</summary>
public static class TableRetention
{
    public static readonly IReadOnlyList<ServiceDefaults.Retention> All =
    [
        Kept("payment", "money was moved for it"),
        Kept("posting", "the ledger has it for ever, too"),
        Kept("refund", "money was moved for it"),
        Kept("dispute", "money was moved for it"),
        Kept("connect_account", "money was moved to it"),
        Kept("payout", "money was moved for it"),
        Kept("payout_reversal", "money was moved for it"),
        Kept("automatic_payout", "at most two rows per project"),
        Deleted(
            "stripe_event",
            "received_at < now() - interval '90 days' and status in ('done', 'ignored')",
            "Stripe itself shows events for 30 days; what is parked waits for a person"),
        Kept("events_read", "two rows"),
        Kept("sandbox_endpoint", "two rows on a laptop, none elsewhere"),
        Kept("event_sequence", "one row per customer"),
        IdempotentCalls,
        Kept("outbox_message", "rows leave when the broker has them"),
    ];
}
