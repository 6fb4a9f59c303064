using LlmGateway.ServiceDefaults;
using Microsoft.EntityFrameworkCore;

namespace LlmGateway.Sessions;

/// <summary>
/// <c>DELETE /v1/members/{id}/tokens</c> and <c>DELETE /v1/members/me/tokens</c> → 204, also when repeated: all that the member has are
/// refused everywhere within a second, the caller's own, too.
/// </summary>
public static class EndMemberTokens
{
    public static void MapEndMemberTokens(this WebApplication app)
    {
        app.MapDelete("/v1/members/{id}/tokens", OfAnotherAsync);
        app.MapDelete("/v1/members/me/tokens", OwnAsync);
    }

    static async Task<IResult> OfAnotherAsync(
        string id, HttpContext http, SessionsDb db, HotCopies copies, TimeProvider time, CancellationToken token)
    {
        var (caller, now) = (http.Backend(), time.GetUtcNow());
        if (await Members.FindAsync(db, await Members.ReaderAsync(db, caller, now, token), id, token) is not { } member)
            return Members.NotFound;
        // Also when repeated: the first call may have ended before it told anybody.
        await using (copies.MemberChanging(member.Id, db))
        await using (var transaction = await db.Database.BeginTransactionAsync(token))
        {
            var grantor = await Members.LockAsync(db, caller, now, token);
            await Members.ReloadAsync(db, member, token);
            if (grantor.Refusal(member.Role) is { } refusal)
                return refusal;
            await EndAsync(db, member.Id, now, token);
            await db.SaveChangesAsync(token);
            await transaction.CommitAsync(CancellationToken.None);
        }
        return Results.NoContent();
    }

    static async Task<IResult> OwnAsync(HttpContext http, SessionsDb db, HotCopies copies, TimeProvider time, CancellationToken token)
    {
        var (caller, now) = (http.Member(), time.GetUtcNow());
        await using (copies.MemberChanging(caller.Credential, db))
        await using (var transaction = await db.Database.BeginTransactionAsync(token))
        {
            // No token is made meanwhile.
            await db.LockOrganizationAsync(caller.Organization, token);
            await EndAsync(db, caller.Credential, now, token);
            await db.SaveChangesAsync(token);
            await transaction.CommitAsync(CancellationToken.None);
        }
        return Results.NoContent();
    }

    static async Task EndAsync(SessionsDb db, Guid member, DateTimeOffset now, CancellationToken token)
    {
        foreach (var one in await db.MemberTokens.Where(one => one.MemberId == member && one.RevokedAt == null && one.ExpiresAt > now)
            .ToListAsync(token))
            one.RevokedAt = now;
    }
}
