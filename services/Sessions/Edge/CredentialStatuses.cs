using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Sessions;

/// <summary>Whether a known credential may be used, and what its holder is told if not.</summary>
public static class CredentialStatuses
{
    /// <summary>The first reason that applies. Reasons in the credential itself come before those of its customer and project.</summary>
    public static CredentialStatus Of(
        DateTimeOffset? revokedAt,
        DateTimeOffset? expiresAt,
        CustomerStatus? customer,
        bool projectActive,
        DateTimeOffset now)
    {
        if (revokedAt is not null)
            return CredentialStatus.Revoked;
        if (expiresAt <= now)
            return CredentialStatus.Expired;
        if (!projectActive)
            return CredentialStatus.ProjectInactive;
        return customer switch
        {
            CustomerStatus.Suspended => CredentialStatus.CustomerSuspended,
            CustomerStatus.Blocked => CredentialStatus.CustomerBlocked,
            CustomerStatus.Deleted => CredentialStatus.CustomerDeleted,
            _ => CredentialStatus.Active,
        };
    }

    /// <summary>Null when nothing stands against it.</summary>
    public static Problem? ProblemOf(CredentialStatus status) => status switch
    {
        CredentialStatus.Active => null,
        CredentialStatus.Revoked => Problems.RevokedCredential,
        CredentialStatus.Expired => Problems.ExpiredCredential,
        CredentialStatus.ProjectInactive => Problems.ProjectInactive,
        CredentialStatus.CustomerSuspended => ProblemOf(CustomerStatus.Suspended),
        CredentialStatus.CustomerBlocked => ProblemOf(CustomerStatus.Blocked),
        CredentialStatus.CustomerDeleted => ProblemOf(CustomerStatus.Deleted),
        _ => throw new ArgumentOutOfRangeException(nameof(status), status, "unknown status"),
    };

    /// <summary>Null for an active customer.</summary>
    public static Problem? ProblemOf(CustomerStatus status) =>
        status == CustomerStatus.Active ? null : Problems.CustomerStatus(status.ToString().ToLowerInvariant());
}
