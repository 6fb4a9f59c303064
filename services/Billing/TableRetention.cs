using static LlmGateway.ServiceDefaults.Retention;

namespace LlmGateway.Billing;

/// <summary>How long this service keeps the rows of each of its tables.</summary>
public static class TableRetention
{
    public static readonly IReadOnlyList<ServiceDefaults.Retention> All =
    [
        Deleted("declined", "created_at < now() - interval '90 days'", "a burst is one of hours, of 30 days at most"),
        // After declined, of which the last is younger than its payment.
        Deleted(
            "payment",
            """
            status = 'canceled' and created_at < now() - interval '90 days'
                and not exists (select from posting where payment = payment.id)
                and not exists (select from refund where payment = payment.id)
                and not exists (select from declined where payment = payment.id)
                and not exists (select from auto_top_up where payment = payment.id)
            """,
            "nobody has paid it, and Stripe tells of it for 30 days; of all others money was moved"),
        Kept("card_holder", "one row per wallet with a card"),
        Kept("card_setup", "a few rows per wallet with a card, and each says which card was saved last"),
        Kept("auto_top_up", "one row per wallet"),
        Kept("top_up_limits", "one row per project whose operator has set some"),
        Kept("top_up_freeze", "one row per customer, and says who has lifted it"),
        Kept("promotion", "money was given for it"),
        Kept("redemption", "money was given for it"),
        Kept("posting", "the ledger has it for ever, too"),
        Kept("refund", "money was moved for it"),
        Kept("dispute", "money was moved for it"),
        Kept("connect_account", "money was moved to it"),
        Kept("payout", "money was moved for it"),
        Kept("payout_reversal", "money was moved for it"),
        Kept("automatic_payout", "at most two rows per project"),
        Kept("payout_pause", "an operator's decision"),
        Deleted(
            "stripe_event",
            "received_at < now() - interval '90 days' and status in ('done', 'ignored')",
            "Stripe itself shows events for 30 days; what is parked waits for a person"),
        Kept("events_read", "two rows"),
        Kept("sandbox_endpoint", "two rows on a laptop, none elsewhere"),
        Kept("event_sequence", "one row per customer"),
        Kept("plan_price", "one row per plan and price: subscriptions have it"),
        Kept("overage_price", "as for plan_price"),
        Kept("subscriber", "one row per customer that has subscribed"),
        Deleted(
            "subscription",
            """
            status = 'expired' and ended_at < now() - interval '90 days'
                and not exists (select from plan_payment where subscription = subscription.id)
            """,
            "nobody has subscribed at its checkout; of all others money was moved, or they say who had a trial"),
        Kept("plan_payment", "the ledger has it for ever, too"),
        Kept("usage_report", "an invoice asks for it"),
        Kept("plan_reversal", "the ledger has it for ever, too"),
        Kept("seller", "one row per project and mode"),
        Kept("invoice_series", "two rows per organization and mode"),
        Kept("invoice", "the law wants it kept, and its number may not be missing"),
        Kept("invoice_void", "as the document that it is about"),
        Deleted(
            "mail",
            "created_at < now() - interval '90 days' and status <> 'waiting'",
            "it was sent or given up, and nobody asks for it any more"),
        Kept("alert", "one row per project and mode"),
        Kept("erasure", "one row per deleted customer: a card that is saved for one after all is forgotten, too"),
        IdempotentCalls,
        Kept("outbox_message", "rows leave when the broker has them"),
    ];
}
