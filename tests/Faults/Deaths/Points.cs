using LlmGateway.ServiceDefaults;

namespace LlmGateway.Faults;

/// <summary>The failpoints of all services, as the tests deal them out to them.</summary>
static class Points
{
    public static readonly IReadOnlyList<string> All =
    [
        .. LlmGateway.Proxy.Failpoints.All.Keys, .. LlmGateway.Wallet.Failpoints.All.Keys, .. Failpoint.Shared.Keys,
        .. LlmGateway.Sessions.Failpoints.All.Keys,
    ];

    /// <summary>Passed once in a life: at the start, or when the leases of the dead end.</summary>
    public static readonly HashSet<string> OnceInALife =
    [
        "proxy.journal.recovered", "proxy.gone.told", "proxy.spool.begin", "proxy.spool.delete", "proxy.spool.deleted",
        "wallet.sweeper.found", "wallet.sweeper.ended", "wallet.seal.summed", "wallet.seal.proved", "wallet.slots.found",
    ];

    /// <summary>The service that passes a point. Idempotent calls and the outbox are Sessions' at least.</summary>
    public static string Owner(string point) =>
        point[..point.IndexOf('.', StringComparison.Ordinal)] is var owner && owner is "idempotency" or "outbox" ? "sessions" : owner;
}
