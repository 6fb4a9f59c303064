using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using Microsoft.EntityFrameworkCore;

namespace LlmGateway.Sessions;

/// <summary>Rules and rows of an organization's members.</summary>
public static class Members
{
    /// <summary>Of one project, and as many of a whole organization.</summary>
    public const int Max = 1_000;

    /// <summary>Good ones of a member at a time.</summary>
    public const int MaxTokens = 50;

    public static Problem NotFound => Problems.NotFound("member");

    /// <summary>Those that it may see, also those that were removed.</summary>
    public static IQueryable<Member> Seen(SessionsDb db, Grantor grantor)
    {
        var (organization, project) = (grantor.Organization, grantor.Project);
        return db.Members.Where(member => member.OrganizationId == organization && (project == null || member.ProjectId == project));
    }

    /// <summary>One of them. A client's customer is read with it: what the audit says of a client goes with the customer.</summary>
    public static async Task<Member?> FindAsync(SessionsDb db, Grantor grantor, string id, CancellationToken token)
    {
        if (!Ids.TryParse(Ids.Member, id, out var wanted)
            || await Seen(db, grantor).SingleOrDefaultAsync(one => one.Id == wanted, token) is not { } member)
            return null;
        if (member.CustomerId is { } customer)
            await db.Customers.Where(one => one.Id == customer).LoadAsync(token);
        return member;
    }

    /// <summary>
    /// Who calls with a member's token; nobody when he was removed or the token has ended since the edge has looked. Tokens are ended under
    /// the organization's lock, so that nobody who gives rights under it has one that was ended before.
    /// </summary>
    public static IQueryable<Member> Calling(SessionsDb db, Principal caller, DateTimeOffset now)
    {
        var (id, used) = (caller.Credential, caller.MemberToken);
        return db.Members.Where(member => member.Id == id && member.RemovedAt == null
            && db.MemberTokens.Any(one => one.Id == used && one.MemberId == id && one.RevokedAt == null && one.ExpiresAt > now));
    }

    /// <summary>
    /// Who looks for members. They are of both worlds of a live project, and live persons: a test key of it sees none, clients of live
    /// customers among them.
    /// </summary>
    public static async Task<Grantor> ReaderAsync(SessionsDb db, Principal caller, DateTimeOffset now, CancellationToken token)
    {
        await SeedPart.FindAsync(db, caller, token);
        return await Grantor.FindAsync(db, caller, now, token);
    }

    /// <summary>
    /// Until the transaction ends, nobody else changes members of the organization, and the caller stays what the answer says. Members are
    /// of both worlds, so a test key of a live project changes none.
    /// </summary>
    public static async Task<Grantor> LockAsync(SessionsDb db, Principal caller, DateTimeOffset now, CancellationToken token)
    {
        await db.LockOrganizationAsync(caller.Organization, token);
        // A key is revoked under its project's lock.
        await SeedPart.LockAsync(db, caller, token);
        return await Grantor.FindAsync(db, caller, now, token);
    }

    /// <summary>
    /// Reads it again under the lock. Who deletes a client's customer erases the client, too, and takes no lock but the customer's: what
    /// would be written of it after that would stay.
    /// </summary>
    public static async Task ReloadAsync(SessionsDb db, Member member, CancellationToken token)
    {
        if (member.CustomerId is { } id && await db.Customers.FindAsync([id], token) is { } customer)
            await db.LockAsync(customer, token);
        await db.Entry(member).ReloadAsync(token);
    }

    /// <summary>Why the member may not lose its role, or be removed. To be asked under the lock.</summary>
    public static async Task<Problem?> RefusalAsync(SessionsDb db, Grantor grantor, Member member, CancellationToken token)
    {
        if (grantor.Refusal(member.Role) is { } more)
            return more;
        var (id, organization, project) = (member.Id, member.OrganizationId, member.ProjectId);
        return member.Role != Roles.Owner
            || await db.Members.AnyAsync(
                other => other.Id != id && other.OrganizationId == organization && other.ProjectId == project
                    && other.Role == Roles.Owner && other.RemovedAt == null,
                token)
            ? null
            : Problems.Conflict(
                "last_owner", $"This is the last owner of the {(project is null ? "organization" : "project")}. Name another one first.");
    }

    /// <summary>Leaves nothing that says who it was. Its tokens are refused from the caller's transaction on.</summary>
    public static void Remove(Member member, DateTimeOffset now)
    {
        member.RemovedAt ??= now;
        (member.Email, member.Name) = (null, null);
    }

    /// <summary>Throws a 400 for what is no address. It is kept in lower case, so that one person is not two.</summary>
    public static string Email(string? value) => Fields.Text(value, "email") is var text && Fields.IsEmail(text)
        ? text.ToLowerInvariant()
        : throw Fields.Invalid("email", "must be an e-mail address");

    public static string? Name(string? value) => value is null ? null : Fields.Text(value, "name");

    /// <summary>A new token's row, to be saved with the caller's transaction, and its secret, which is kept nowhere.</summary>
    public static (MemberToken Row, string Secret) NewToken(
        Member member, Guid project, bool test, DateTimeOffset expiresAt, CredentialSeal seal, DateTimeOffset now)
    {
        var (id, secret) = (Ids.New(), Token.New(test ? Token.TestMember : Token.LiveMember));
        var fingerprint = Token.Fingerprint(secret);
        return (new()
        {
            Id = id, MemberId = member.Id, ProjectId = project, Test = test, Hash = seal.Hash(fingerprint),
            SealedFingerprint = seal.Seal(fingerprint, id), CreatedAt = now, ExpiresAt = expiresAt.ToUniversalTime(),
        }, secret);
    }
}
