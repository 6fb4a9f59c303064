using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using Microsoft.EntityFrameworkCore;

namespace LlmGateway.Sessions;

/// <summary>
/// Who gives or takes rights, as it is now: the edge's copy of the caller may be a moment old. Nobody gives more than he has, for more
/// projects, or for longer.
/// </summary>
/// <param name="Project">The only project where it may. Null: all of the organization's.</param>
/// <param name="Permitted">Null is all.</param>
/// <param name="ExpiresAt">Of a secret key. A member is there until he is removed, whenever his token ends.</param>
public sealed record Grantor(Guid Organization, Guid? Project, IReadOnlyList<string>? Permitted, DateTimeOffset? ExpiresAt)
{
    /// <exception cref="ProblemException">401: revoked, removed or ended since the edge has looked.</exception>
    public static async Task<Grantor> FindAsync(SessionsDb db, Principal caller, DateTimeOffset now, CancellationToken token)
    {
        if (caller.Kind == CredentialKind.Member)
            return await Members.Calling(db, caller, now).AsNoTracking().SingleOrDefaultAsync(token) is { } member
                ? new(member.OrganizationId, member.ProjectId, Roles.PermissionsOf(member.Role), null)
                : throw new ProblemException(Problems.RevokedCredential);
        return await SecretKeys.Good(db, caller, now).AsNoTracking()
            .SingleOrDefaultAsync(one => one.Id == caller.Credential, token) is { } key
                ? new(caller.Organization, caller.Project, key.Permissions, key.ExpiresAt)
                : throw new ProblemException(Problems.RevokedCredential);
    }

    /// <summary>Why it may not give what lasts: a member would have it for longer than itself. Null when it does not end.</summary>
    public Problem? Ending => ExpiresAt is { } end
        ? Problems.Conflict("key_ends", $"This secret key ends at {end:O}, and what it gives a member would stay.")
        : null;

    /// <summary>Null when it may make, change or remove who has the role, and call as he does.</summary>
    public Problem? Refusal(string role) => Permissions.Missing(Permitted, Roles.PermissionsOf(role)) is not { } more
        ? null
        : Problems.InsufficientPermission(more) with
        {
            Message = $"The role '{role}' may do more than this credential, which lacks '{more}'. Nothing was changed.", Param = "role",
        };
}
