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
        ["billing.holder.added"] = "Who saves a card is a row; Stripe has no customer for it.",
        ["billing.holder.created"] = "Stripe has its customer; the row does not know it.",
        ["billing.setup.created"] = "Stripe has the setup of a card; its row does not know it.",
        ["billing.setup.taken"] = "The row has the card that was saved.",
        ["billing.auto.claimed"] = "A fall below the mark is answered by a payment's row; Stripe knows nothing of it.",
        ["billing.auto.charged"] = "Stripe has charged a saved card, or tried to; the row does not know.",
        ["billing.auto.settled"] = "What has become of a payment is noted in what it was charged for.",
        ["billing.trust.noted"] = "It is noted which card has paid or was declined; nobody's top-ups are frozen for it yet.",
        ["billing.redemption.claimed"] = "A redemption is a row; the ledger has not booked it.",
        ["billing.redemption.booked"] = "The ledger has booked a redemption; its row does not know.",
        ["billing.account.added"] = "A project's account is a row; Stripe knows nothing of it.",
        ["billing.account.created"] = "Stripe has the account; the row does not know it.",
        ["billing.account.taken"] = "What Stripe says of an account is in its row; nothing has followed from it.",
        ["billing.payout.added"] = "A payout is a row; the ledger has reserved nothing, and Stripe knows nothing.",
        ["billing.payout.reserved"] = "The ledger has reserved it; the row does not know.",
        ["billing.payout.asked"] = "Stripe has transferred it; the row does not know.",
        ["billing.payout.taken"] = "The row has Stripe's transfer; the ledger still has it as reserved.",
        ["billing.payout.settled"] = "The ledger has the payout's end; the row does not know.",
        ["billing.invoice.numbered"] = "A number is taken; its document is not there, and nothing of both has committed.",
        ["billing.invoice.made"] = "A document and its events have committed.",
        ["billing.alert.written"] = "The mail for an event is a row; the event is not acknowledged.",
        ["billing.mail.sent"] = "A server has a mail; its row does not know.",
        ["billing.mail.marked"] = "A mail's row says that it is sent; the connection is open.",
        ["billing.erasure.deleted"] = "Stripe has forgotten who had saved a card; our rows have not.",
        ["billing.reconciler.read"] = "Events that had not come are stored and not handled.",
    };
}
