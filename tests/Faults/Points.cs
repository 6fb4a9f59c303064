using LlmGateway.ServiceDefaults;

namespace LlmGateway.Faults;

/// <summary>The failpoints of <see cref="Failpoint.All"/>, as the tests deal them out to services.</summary>
static class Points
{
    /// <summary>Passed once in a life: at the start, or when the leases of the dead end.</summary>
    public static readonly HashSet<string> OnceInALife = ["proxy.journal.recovered", "proxy.gone.told", "proxy.spool.begin", "proxy.spool.delete", "proxy.spool.deleted", "wallet.sweeper.found", "wallet.sweeper.ended"];

    /// <summary>The service that passes a point. Idempotent calls and the outbox are Sessions' at least.</summary>
    public static string Owner(string point) =>
        point[..point.IndexOf('.', StringComparison.Ordinal)] is var owner && owner is "idempotency" or "outbox" ? "sessions" : owner;
}
