using LlmGateway.ServiceDefaults;

namespace LlmGateway.Sessions;

/// <summary>
/// <c>DELETE /v1/members/{id}</c> → 204, also when repeated: its tokens are refused everywhere within a second, and who it was is erased.
/// Secret keys that it made are the project's and stay. The last owner stays, too (409 <c>last_owner</c>).
/// </summary>
public static class RemoveMember
{
    public static void MapRemoveMember(this WebApplication app) => app.MapDelete("/v1/members/{id}", HandleAsync);

    static async Task<IResult> HandleAsync(
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
            if (member.RemovedAt is null && await Members.RefusalAsync(db, grantor, member, token) is { } refusal)
                return refusal;
            Members.Remove(member, now);
            await db.SaveChangesAsync(token);
            await transaction.CommitAsync(CancellationToken.None);
        }
        return Results.NoContent();
    }
}
