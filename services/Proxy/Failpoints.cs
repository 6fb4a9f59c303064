namespace LlmGateway.Proxy;

/// <summary>The failpoints of this service, each with a sentence on what has happened when it is passed.</summary>
public static class Failpoints
{
    public static readonly IReadOnlyDictionary<string, string> All = new Dictionary<string, string>(StringComparer.Ordinal)
    {
        ["proxy.request.identified"] = "A caller is known; nothing has been read.",
        ["proxy.request.read"] = "The body is read and has a price.",
        ["proxy.request.limited"] = "The rates have counted the request.",
        ["proxy.request.reserved"] = "The request holds its upper bound; the provider knows nothing of it.",
        ["proxy.call.keyed"] = "An idempotency key is taken; nothing is held.",
        ["proxy.call.recorded"] = "A call's answer is sealed for repetitions; the ledger has neither it nor the charge.",
        ["proxy.call.kept"] = "The ledger has both; the call has not ended here, and its caller does not have the end.",
        ["proxy.call.freed"] = "The key of a call that failed is free; its caller does not know of the failure.",
        ["proxy.journal.begun"] = "The request is written down as one that has delivered nothing.",
        ["proxy.journal.checkpoint"] = "What a stream has delivered is written down.",
        ["proxy.journal.recovered"] = "What a dead predecessor left is in the spool, and still in its own files.",
        ["proxy.gone.told"] = "The ledger has been told of a dead predecessor; nobody here has noted it.",
        ["proxy.forward.answered"] = "The provider's head is here.",
        ["proxy.whole.read"] = "A whole answer is read and not settled.",
        ["proxy.whole.settled"] = "A whole answer is settled and not told.",
        ["proxy.stream.piece"] = "A piece of a stream has reached the caller.",
        ["proxy.stream.ended"] = "A stream has ended and is not settled.",
        ["proxy.stream.settled"] = "A stream is settled, its end not told.",
        ["proxy.broken.ending"] = "The caller has left or the provider broke off; nothing is settled.",
        ["proxy.end.priced"] = "The cost is known, the hold still whole.",
        ["proxy.end.released"] = "The rest of the hold is free again, the charge not on disk.",
        ["proxy.end.spooled"] = "The charge is on disk.",
        ["proxy.spool.begin"] = "The next spool file is about to be begun, at the start too.",
        ["proxy.spool.append"] = "A record is about to be appended.",
        ["proxy.spool.appended"] = "The record is there.",
        ["proxy.spool.delete"] = "A file whose records are all confirmed is about to be deleted.",
        ["proxy.spool.deleted"] = "The file is gone.",
        ["proxy.publish.read"] = "A batch has been read from the spool and not sent.",
        ["proxy.publish.confirmed"] = "The broker has the batch; nobody here has noted it.",
        ["proxy.publish.noted"] = "The confirm is noted; the file is still there.",
        ["proxy.slice.extend"] = "A lease is about to be asked for.",
        ["proxy.slice.extended"] = "The ledger has answered; nobody was served.",
        ["proxy.slice.return"] = "Idle amounts are out of memory and not yet back in the ledger.",
        ["proxy.slice.returned"] = "The ledger has them back.",
        ["proxy.slice.renew"] = "Leases are about to be renewed.",
        ["proxy.slice.renewed"] = "They are renewed in the ledger; nobody here knows.",
        ["proxy.recall.received"] = "Another proxy needs what is idle here.",
        ["proxy.recall.returned"] = "What was idle is back; the recall is not answered.",
    };
}
