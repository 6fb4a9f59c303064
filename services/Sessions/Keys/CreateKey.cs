using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using Microsoft.EntityFrameworkCore;

namespace LlmGateway.Sessions;

/// <summary>
/// <c>POST /v1/customers/{id}/keys</c> <c>{name, expiresAt?, models?, concurrent?, keyInPath?}</c> → 201 with <c>key</c>, which is shown
/// this once.
/// </summary>
public static class CreateKey
{
    /// <summary>Keys that a customer may have at a time.</summary>
    const int MaxKeys = 100;

    /// <param name="Concurrent">Requests of the key that may run at the same time.</param>
    /// <param name="KeyInPath">It may stand in the path, <c>/k/{key}/v1/…</c>.</param>
    public sealed record Request(
        string Name, DateTimeOffset? ExpiresAt = null, IReadOnlyList<string>? Models = null, int? Concurrent = null,
        bool KeyInPath = false);

    public static void MapCreateKey(this WebApplication app) => app.MapPost("/v1/customers/{id}/keys", HandleAsync).WithIdempotency();

    static async Task<IResult> HandleAsync(
        string id, HttpContext http, SessionsDb db, CustomerKeys keys, OutboxSignal outbox, TimeProvider time, CancellationToken token)
    {
        var caller = http.Backend();
        var request = await Body.ReadAsync<Request>(http);
        if (await CustomerView.FindAsync(db, caller, id, token) is not { } customer)
            return CustomerView.NotFound;

        var now = time.GetUtcNow();
        var name = Fields.Text(request.Name, "name");
        var models = Fields.Models(request.Models, "models");
        if (request.ExpiresAt <= now)
            return Problems.Invalid("expiresAt", "'expiresAt' must be in the future.");
        Fields.MustBeCount(request.Concurrent, "concurrent");
        // Two calls at once must not both be the last key, and a key's name may say who a customer is that is deleted meanwhile.
        await using var transaction = await db.Database.BeginTransactionAsync(token);
        await db.LockAsync(customer, token);
        if (CredentialStatuses.ProblemOf(customer.Status) is { } inactive)
            return inactive;
        if (await db.CustomerKeys.CountAsync(key => key.CustomerId == customer.Id && key.RevokedAt == null, token) >= MaxKeys)
            return Problems.Conflict("too_many_keys", $"A customer may have {MaxKeys} keys. Revoke one first.");

        var secret = Token.New(Token.CustomerKey);
        var key = keys.Add(
            db, customer, customer.Project, name, secret, models, request.Concurrent, request.KeyInPath, request.ExpiresAt, now);
        await db.SaveChangesAsync(token);
        await transaction.CommitAsync(CancellationToken.None);
        Failpoint.Hit("sessions.key.created");
        outbox.Raise();
        return Results.Json(KeyView.Of(key) with { Key = secret }, Defaults.Json, statusCode: 201);
    }
}
