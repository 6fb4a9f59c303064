using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using Microsoft.EntityFrameworkCore;

namespace LlmGateway.Sessions;

/// <summary>
/// <c>DELETE /v1/sessions/{id}</c> → 204, also when repeated: ends the session and everything of its family, within a second, running
/// streams included.
/// </summary>
public static class RevokeSession
{
    public static void MapRevokeSession(this WebApplication app) => app.MapDelete("/v1/sessions/{id}", HandleAsync);

    static async Task<IResult> HandleAsync(
        string id,
        HttpContext http,
        SessionsDb db,
        HotCopies copies,
        TimeProvider time,
        CancellationToken token)
    {
        var caller = http.Backend();
        if (!Ids.TryParse(Ids.Session, id, out var session))
            return Problems.NotFound("session");
        var named = await db.Sessions
            .Include(s => s.Family)
            .SingleOrDefaultAsync(
                s => s.Id == session && s.Family.Customer.ProjectId == caller.Project && s.Family.Customer.Test == caller.Test,
                token);
        if (named is null)
            return Problems.NotFound("session");

        named.Family.RevokedAt ??= time.GetUtcNow();
        await using (copies.FamilyChanging(named.FamilyId, new(named.Id, named.SealedFingerprint), db))
        {
            await db.SaveChangesAsync(CancellationToken.None);
            Failpoint.Hit("sessions.revoke.saved");
        }
        return Results.NoContent();
    }
}
