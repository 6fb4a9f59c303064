using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using Microsoft.EntityFrameworkCore;

namespace LlmGateway.Sessions;

/// <summary>
/// <c>DELETE /v1/customers/{id}/keys/{keyId}</c> → 204, also when repeated: the key is refused everywhere within a second.
/// </summary>
public static class RevokeKey
{
    public static void MapRevokeKey(this WebApplication app) => app.MapDelete("/v1/customers/{id}/keys/{keyId}", HandleAsync);

    static async Task<IResult> HandleAsync(
        string id,
        string keyId,
        HttpContext http,
        SessionsDb db,
        HotCopies copies,
        OutboxSignal outbox,
        TimeProvider time,
        CancellationToken token)
    {
        if (await CustomerView.FindAsync(db, http.Backend(), id, token) is not { } customer)
            return CustomerView.NotFound;
        if (!Ids.TryParse(Ids.Key, keyId, out var wanted)
            || await db.CustomerKeys.SingleOrDefaultAsync(k => k.Id == wanted && k.CustomerId == customer.Id, token) is not { } key)
        {
            return Problems.NotFound("key");
        }
        await using var transaction = await db.Database.BeginTransactionAsync(token);
        await db.LockAsync(customer, token);
        await db.Entry(key).ReloadAsync(token); // another call may have revoked or rotated it meanwhile
        if (key.RevokedAt is null)
            CustomerKeys.Revoke(db, key, customer, time.GetUtcNow());
        // Also when repeated: the first call may have ended before it told anybody.
        await using (copies.KeyChanging(key.Id, db))
        {
            await db.SaveChangesAsync(CancellationToken.None);
            await transaction.CommitAsync(CancellationToken.None);
            Failpoint.Hit("sessions.key.revoked");
        }
        outbox.Raise();
        return Results.NoContent();
    }
}
