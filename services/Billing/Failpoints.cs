namespace LlmGateway.Billing;

/// <summary>The failpoints of this service, each with a sentence on what has happened when it is passed.</summary>
public static class Failpoints
{
    public static readonly IReadOnlyDictionary<string, string> All = new Dictionary<string, string>(StringComparer.Ordinal)
    {
        ["billing.payment.added"] = "A purchase is a row; Stripe knows nothing of it.",
        ["billing.intent.created"] = "Stripe has its intent; the row does not know it.",
        ["billing.payment.taken"] = "The row has Stripe's state, and a payment's post is a row; the ledger has not booked it.",
        ["billing.posting.booked"] = "The ledger has booked a post; its row does not know.",
        ["billing.event.kept"] = "An event is stored and not answered.",
        ["billing.event.claimed"] = "A worker has taken an event; nothing is read of Stripe.",
        ["billing.event.handled"] = "An event's effect is in the ledger; the event is not done.",
        ["billing.refund.added"] = "A refund is a row; the wallet has given nothing, and Stripe knows nothing.",
        ["billing.refund.asked"] = "Stripe has refunded; the row does not know.",
        ["billing.refund.taken"] = "The row has Stripe's refund; the ledger is not where it says.",
        ["billing.dispute.taken"] = "The row has Stripe's dispute; the wallet is not frozen, the ledger not where it says.",
        ["billing.dispute.noted"] = "It is noted who has frozen the wallet; it is not frozen yet.",
        ["billing.invoice.numbered"] = "A number is taken; its document is not there, and nothing of both has committed.",
        ["billing.invoice.made"] = "A document and its events have committed.",
        ["billing.alert.written"] = "The mail for an event is a row; the event is not acknowledged.",
        ["billing.mail.sent"] = "A server has a mail; its row does not know.",
        ["billing.mail.marked"] = "A mail's row says that it is sent; the connection is open.",
        ["billing.reconciler.read"] = "Events that had not come are stored and not handled.",
    };
}
