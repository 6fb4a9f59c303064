using static LlmGateway.ServiceDefaults.Retention;

namespace LlmGateway.Wallet;

/// <summary>How long this service keeps the rows of each of its tables.</summary>
public static class TableRetention
{
    public static readonly IReadOnlyList<ServiceDefaults.Retention> All =
    [
        IdempotentCalls,
        Deleted("paid_call", "until < now() - interval '1 hour'", "nobody has the key any more: its answer was promised for a day"),
        Kept("account", "an account is what its entries say, and they stay; a counter is what the usage log says"),
        Kept("entry", "the books"),
        Kept("transfer", "the books: headers of entries"),
        Kept("usage_record", "the books: what each request was charged for; UsageMonths drops whole months if a setting says so"),
        Kept("usage_raw", "UsageMonths drops whole months"),
        Kept("usage_month", "what verify needs of months that were dropped: twelve rows a year"),
        Kept("stale_settlement", "until a person has decided"),
        Kept("note", "as long as its movement, or until it is erased"),
        Kept("rerating", "the books: what corrections were made for"),
        Kept("correction", "the books"),
        Kept("lease", "LeaseSweeper deletes leases that ended"),
        Kept("lease_line", "LeaseSweeper deletes them with their lease"),
    ];
}
