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
        Deleted(
            "stripe_event",
            "received_at < now() - interval '90 days' and status in ('done', 'ignored')",
            "Stripe itself shows events for 30 days; what is parked waits for a person"),
        Kept("events_read", "two rows"),
        Kept("sandbox_endpoint", "one row on a laptop, none elsewhere"),
        Kept("event_sequence", "one row per customer"),
        Kept("seller", "one row per project and mode"),
        Kept("invoice_series", "two rows per organization and mode"),
        Kept("invoice", "the law wants it kept, and its number may not be missing"),
        Deleted(
            "mail",
            "created_at < now() - interval '90 days' and status <> 'waiting'",
            "it was sent or given up, and nobody asks for it any more"),
        Kept("alert", "one row per project and mode"),
        IdempotentCalls,
        Kept("outbox_message", "rows leave when the broker has them"),
    ];
}
