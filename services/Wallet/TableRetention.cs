using static LlmGateway.ServiceDefaults.Retention;

namespace LlmGateway.Wallet;

/// <summary>How long this service keeps the rows of each of its tables.</summary>
public static class TableRetention
{
    public static readonly IReadOnlyList<ServiceDefaults.Retention> All =
    [
        IdempotentCalls,
        Deleted("paid_call", "until < now() - interval '1 hour'", "nobody has the key any more: its answer was promised for a day"),
        Kept("account", "money stays, as the entries do; EndedCounters deletes counters of cycles that ended long ago"),
        Kept("entry", "the books"),
        Kept("transfer", "the books: headers of entries"),
        Kept("usage_record", "the books: what each request was charged for; UsageMonths drops whole months if a setting says so"),
        Kept("usage_raw", "UsageMonths drops whole months"),
        Kept("rollup", "sums of the usage log, which outlive its months; SessionSums folds those of single sessions after 100 days"),
        Kept("summed", "one row"),
        Kept("counter_opening", "as long as its counter"),
        Kept("owed_opening", "a minute or two: OwedOpenings deletes what it has done, and what is too late to be done"),
        Kept("erasure", "one row per customer that was deleted, so that it is not read through again and again"),
        Kept("seal", "one row per account, replaced by each seal"),
        Kept("lot_seal", "one row per lot, replaced by each seal"),
        Kept("rollup_seal", "one row per project, replaced by each seal"),
        Kept("sealed", "one row"),
        Kept("usage_month_sum", "what verify needs of months that were dropped, by project"),
        Kept("usage_month", "what verify needs of months that were dropped: twelve rows a year"),
        Kept("stale_settlement", "until a person has decided"),
        Kept("note", "as long as its movement, or until it is erased"),
        Kept("lot", "the books: what a balance is made of, and what went back to which part of it"),
        Kept("rerating", "the books: what corrections were made for"),
        Kept("correction", "the books"),
        Kept("metered_event", "an event counts once, for ever"),
        Kept("event_sequence", "one row per customer, or its numbers would begin anew"),
        Kept("outbox_message", "until it is published"),
        Deleted("holder", "seen_at < now() - interval '1 day'", "no lease of a process that was silent for so long has slots"),
        Deleted(
            "session_window", "closes_at < now() - interval '1 month'", "a session that comes back is a new one",
            every: TimeSpan.FromDays(1)),
        Kept("window_opening", "WindowOpenings counts them together a month after their session is over"),
        Kept("lease", "LeaseSweeper deletes leases that ended"),
        Kept("lease_line", "LeaseSweeper deletes them with their lease"),
    ];
}
