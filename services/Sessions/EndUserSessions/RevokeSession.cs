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
        var family = await db.Sessions
            .Where(s => s.Id == session && s.Family.Customer.ProjectId == caller.Project && s.Family.Customer.Test == caller.Test)
            .Select(s => s.Family)
            .SingleOrDefaultAsync(token);
        if (family is null)
            return Problems.NotFound("session");

        var now = time.GetUtcNow();
        family.RevokedAt ??= now;
        await db.SaveChangesAsync(token);
        Failpoint.Hit("sessions.revoke.saved");
        // The tokens are read after the commit. A token that a parallel refresh adds later is looked up later and found revoked.
        var members = await db.Sessions.Where(s => s.FamilyId == family.Id && s.ExpiresAt > now)
            .Select(s => new KnownCredential(s.Id, s.SealedFingerprint)).ToListAsync(token);
        await copies.CredentialsChangedAsync(members);
        return Results.NoContent();
    }
}
