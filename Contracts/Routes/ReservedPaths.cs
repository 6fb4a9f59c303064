using System.Collections.Frozen;

namespace LlmGateway.Contracts;

/// <summary>
/// Paths that the gateway serves itself, or is going to. A route of a project there would never be reached, so it is refused when it is
/// saved.
/// </summary>
public static class ReservedPaths
{
    const string Version = "v1";

    /// <summary>Names below <c>/v1</c>. Those of inference and of the vendors' objects may also stand without the version.</summary>
    static readonly FrozenSet<string>
        WithVersion =
        [
            "sessions", "customers", "wallets", "wallet", "usage", "webhooks", "promotions", "connect", "invoices", "alerts", "config",
            "balances", "providers", "projects", "secret-keys", "members", "organizations", "routes", "plans", "query-types", "branding",
            "seed", "audit", "subscriptions", "meter", "mcp", "top-ups", "disputes",
        ],
        WithAndWithout =
        [
            "chat", "responses", "messages", "completions", "embeddings", "moderations", "images", "audio", "models", "files", "batches",
        ],
        Roots =
        [
            "v1beta", "api", "internal", "webhook", "webhooks", "stripe", "payment-webhooks", "health", "alive", "c", "k", "portal",
        ];

    /// <param name="words">The words that a path begins with.</param>
    public static bool Contain(IEnumerable<string> words) => words.Take(2).ToArray() switch
    {
        [] => false,
        [Version, var name] => WithVersion.Contains(name) || WithAndWithout.Contains(name),
        [var root, ..] => WithAndWithout.Contains(root) || Roots.Contains(root),
    };
}
