using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using Microsoft.EntityFrameworkCore;

namespace LlmGateway.Sessions;

/// <summary>
/// <c>DELETE /v1/secret-keys/{id}</c> → 204, also when repeated: the key is refused everywhere within a second. It may be the caller's own.
/// </summary>
public static class RevokeSecretKey
{
    public static void MapRevokeSecretKey(this WebApplication app) => app.MapDelete("/v1/secret-keys/{id}", HandleAsync);

    static async Task<IResult> HandleAsync(
        string id, HttpContext http, SessionsDb db, HotCopies copies, TimeProvider time, CancellationToken token)
    {
        var caller = http.Backend();
        if (!Ids.TryParse(Ids.SecretKey, id, out var wanted)
            || await SecretKeys.Seen(db, caller).SingleOrDefaultAsync(known => known.Id == wanted, token) is not { } key)
        {
            return Problems.NotFound("secret key");
        }
        // Also when repeated: the first call may have ended before it told anybody.
        await using (copies.CredentialChanging(new(key.Id, key.SealedFingerprint)))
        await using (var transaction = await db.Database.BeginTransactionAsync(token))
        {
            // Not while another call makes a key with this one.
            await db.LockProjectAsync(caller.Project, token);
            await db.Entry(key).ReloadAsync(token); // another call may have revoked it meanwhile
            key.RevokedAt ??= time.GetUtcNow();
            await db.SaveChangesAsync(token);
            await transaction.CommitAsync(CancellationToken.None);
        }
        return Results.NoContent();
    }
}
