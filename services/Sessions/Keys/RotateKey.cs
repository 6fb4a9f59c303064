using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using Microsoft.EntityFrameworkCore;

namespace LlmGateway.Sessions;

/// <summary>
/// <c>POST /v1/customers/{id}/keys/{keyId}/rotate</c> <c>{overlapSeconds?}</c> → 200 with a new <c>key</c>, which is shown this once. It is
/// the same key: its id, its limits and what was used of them stay. The secret that it had is good until the overlap ends, or not at all;
/// one that it had before that is not good any more.
/// </summary>
public static class RotateKey
{
    /// <summary>Thirty days.</summary>
    const int MaxOverlap = 30 * 24 * 60 * 60;

    /// <param name="OverlapSeconds">Without it the secret from before is refused at once, as one that has leaked must be.</param>
    public sealed record Request(int OverlapSeconds = 0);

    public static void MapRotateKey(this WebApplication app) =>
        app.MapPost("/v1/customers/{id}/keys/{keyId}/rotate", HandleAsync).WithIdempotency();

    static async Task<IResult> HandleAsync(
        string id, string keyId, HttpContext http, SessionsDb db, CredentialSeal seal, HotCopies copies, TimeProvider time,
        CancellationToken token)
    {
        var caller = http.Backend();
        var overlap = (await Body.ReadAsync<Request>(http)).OverlapSeconds;
        if (overlap is < 0 or > MaxOverlap)
            return Problems.Invalid("overlapSeconds", $"'overlapSeconds' must be from 0 to {MaxOverlap}.");
        if (await CustomerView.FindAsync(db, caller, id, token) is not { } customer)
            return CustomerView.NotFound;

        await using var transaction = await db.Database.BeginTransactionAsync(token);
        await db.LockAsync(customer, token);
        if (CredentialStatuses.ProblemOf(customer.Status) is { } inactive)
            return inactive;
        if (!Ids.TryParse(Ids.Key, keyId, out var wanted)
            || await db.CustomerKeys.SingleOrDefaultAsync(k => k.Id == wanted && k.CustomerId == customer.Id, token) is not { } key)
            return Problems.NotFound("key");
        var now = time.GetUtcNow();
        if (Refuse(key, overlap, now) is { } refused)
            return refused;

        var secret = Token.New(Token.CustomerKey);
        // Copies of the secrets from before must learn when they end.
        await using (copies.KeyChanging(key.Id, db))
        {
            await RetireAsync(db, seal, key, now, overlap, token);
            key.Become(secret, seal);
            await db.SaveChangesAsync(CancellationToken.None);
            await transaction.CommitAsync(CancellationToken.None);
            Failpoint.Hit("sessions.key.rotated");
        }
        return Results.Json(KeyView.Of(key) with { Key = secret, PreviousExpiresAt = now.AddSeconds(overlap) }, Defaults.Json);
    }

    static Problem? Refuse(CustomerKey key, int overlap, DateTimeOffset now)
    {
        if (key.RevokedAt is not null)
            return Problems.Conflict("key_revoked", "The key was revoked. Make another one.");
        if (key.ExpiresAt <= now)
            return Problems.Conflict("key_expired", "The key has expired. Make another one.");
        return key.ExpiresAt < now.AddSeconds(overlap)
            ? Problems.Invalid("overlapSeconds", $"'overlapSeconds' must end before the key, which expires at {key.ExpiresAt:O}.")
            : null;
    }

    /// <summary>The key's secret becomes the one from before, and the only one that may still be good.</summary>
    static async Task RetireAsync(
        SessionsDb db, CredentialSeal seal, CustomerKey key, DateTimeOffset now, int overlap, CancellationToken token)
    {
        await db.RetiredSecrets.Where(older => older.KeyId == key.Id && older.ExpiresAt > now)
            .ExecuteUpdateAsync(older => older.SetProperty(secret => secret.ExpiresAt, now), token);
        var fingerprint = seal.Fingerprint(new(key.Id, key.SealedFingerprint));
        var id = Ids.New();
        db.Add(new RetiredSecret
        {
            Id = id, KeyId = key.Id, Hash = key.Hash, SealedFingerprint = seal.Seal(fingerprint, id), ExpiresAt = now.AddSeconds(overlap),
        });
    }
}
