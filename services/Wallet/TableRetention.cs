using static LlmGateway.ServiceDefaults.Retention;

namespace LlmGateway.Wallet;

/// <summary>How long this service keeps the rows of each of its tables.</summary>
public static class TableRetention
{
    public static readonly IReadOnlyList<ServiceDefaults.Retention> All =
    [
        IdempotentCalls,
        Kept("account", "an account is what its entries say, and they stay"),
        Kept("entry", "the books"),
        Kept("transfer", "the books: headers of entries"),
        Kept("usage_record", "the books: what each request was charged for"),
        Kept("rerating", "the books: what corrections were made for"),
        Kept("correction", "the books"),
        Kept("lease", "LeaseSweeper deletes leases that ended"),
        Kept("lease_line", "LeaseSweeper deletes them with their lease"),
    ];
}
