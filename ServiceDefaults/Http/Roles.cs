namespace LlmGateway.ServiceDefaults;

/// <summary>
/// What members of an organization may do: a role is a list of <see cref="Permissions"/>, and nothing else decides. A new area of that
/// table is for whoever may do all, read all, or all but pay out, until it is named here.
/// </summary>
public static class Roles
{
    public const string Owner = "owner", Admin = "admin", Member = "member", Billing = "billing", ReadOnly = "read-only", Client = "client";

    /// <summary>Money that leaves the organization is its owners' and its book-keepers' alone.</summary>
    const string PayOut = "payouts:write";

    /// <summary>By role. Null is all, also what is not in the table yet.</summary>
    public static readonly IReadOnlyDictionary<string, IReadOnlyList<string>?> All =
        new Dictionary<string, IReadOnlyList<string>?>(StringComparer.Ordinal)
        {
            [Owner] = null,
            [Admin] = [.. Permissions.All.Where(permission => permission != PayOut)],
            [Member] =
            [
                .. Reads().Where(permission => permission is not ("audit:read" or "payouts:read" or "secret-keys:read")),
                "customers:write", "keys:write", "limits:write", "me:write", "models:write", "plans:write", "providers:write",
                "routes:write", "sessions:write", "webhooks:write",
            ],
            [Billing] =
            [
                "alerts:read", "alerts:write", "config:read", "customers:read", "invoices:read", "invoices:write", "limits:read", "me:read",
                "me:write", "payments:read", "payments:write", "payouts:read", PayOut, "plans:read", "projects:read", "usage:read",
                "wallets:read", "wallets:write",
            ],
            [ReadOnly] = [.. Reads(), "me:write"],
            // Of his own customer alone: OwnCustomer.cs.
            [Client] =
            [
                "config:read", "customers:read", "invoices:read", "keys:read", "limits:read", "me:read", "me:write", "payments:read",
                "wallets:read",
            ],
        };

    /// <summary>A role that nobody knows, of a newer version perhaps, may do nothing.</summary>
    public static IReadOnlyList<string>? PermissionsOf(string role) => All.TryGetValue(role, out var permissions) ? permissions : [];

    static IEnumerable<string> Reads() => Permissions.All.Where(permission => permission.EndsWith(":read", StringComparison.Ordinal));
}
