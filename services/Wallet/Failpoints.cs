namespace LlmGateway.Wallet;

/// <summary>The failpoints of this service, each with a sentence on what has happened when it is passed.</summary>
public static class Failpoints
{
    public static readonly IReadOnlyDictionary<string, string> All = new Dictionary<string, string>(StringComparer.Ordinal)
    {
        ["wallet.writer.begun"] = "A transaction is open, nothing is locked.",
        ["wallet.writer.locked"] = "Everything that the batch touches is locked and read.",
        ["wallet.writer.applied"] = "The batch is applied in memory.",
        ["wallet.writer.written"] = "Everything is written and not committed.",
        ["wallet.writer.committed"] = "Committed; nobody has been answered.",
        ["wallet.writer.answered"] = "Everybody has been answered.",
        ["wallet.settlements.received"] = "A batch of settlements is here and not in the ledger.",
        ["wallet.settlements.settled"] = "It is in the ledger; the broker does not know.",
        ["wallet.sweeper.found"] = "Expired leases are known and not ended.",
        ["wallet.sweeper.ended"] = "They are ended.",
        ["wallet.slots.found"] = "Leases of silent proxies are known; their slots are not freed.",
        ["wallet.lease.shortage"] = "A register is short; the others will be asked.",
        ["wallet.lease.recalled"] = "The others have answered; the lease is not decided.",
        ["wallet.lease.renewed"] = "Renewals are in the database and not answered.",
        ["wallet.lease.returned"] = "A return is committed and not answered.",
        ["wallet.windows.opened"] = "A client session has taken its unit; its proxy does not know.",
        ["wallet.openings.owed"] = "Counters are owed what was used before; nothing is counted, and Sessions does not know.",
        ["wallet.erasure.owed"] = "A customer's erasure is owed; nothing is erased, and Sessions does not know.",
        ["wallet.erasure.page"] = "A page of what a customer has left is erased; nothing says how far it is.",
        ["wallet.recall.publish"] = "A recall is about to be published.",
        ["wallet.rollups.begun"] = "A moment is known before which nothing is booked any more; nothing is added to the roll-ups.",
        ["wallet.seal.summed"] = "What was booked is in the roll-ups; nothing is proved.",
        ["wallet.seal.proved"] = "The books are proved and sealed.",
        ["wallet.month.closed"] = "Nothing is booked in an old month any more; what the books need of it is not summed up.",
        ["wallet.month.counted"] = "Its requests are summed up; the seal still stands for what was booked in it.",
        ["wallet.month.summed"] = "Its rows are not needed any more, and still in the log.",
        ["wallet.month.detached"] = "They have left the log.",
        ["wallet.month.dropped"] = "They are gone.",
        ["wallet.call.keyed"] = "An idempotency key is taken, or is found taken; the proxy does not know.",
        ["wallet.call.renewed"] = "Running calls are renewed; their proxy does not know.",
        ["wallet.call.settled"] = "A call's charge and its answer are committed together; the proxy does not know.",
        ["wallet.call.freed"] = "The key of a call that failed is free; the proxy does not know.",
        ["wallet.register.opened"] = "Registers are open; Sessions does not know.",
        ["wallet.credits.adjusted"] = "A credit or debit of call credits is committed; Sessions does not know.",
        ["wallet.payment.booked"] = "What a payment has brought or lost is committed; Billing does not know.",
        ["wallet.payout.booked"] = "A step of a payout is committed; Billing does not know.",
        ["wallet.adjusted"] = "A credit or debit is committed; its caller does not know.",
    };
}
