using LlmGateway.ServiceDefaults;
using Npgsql;

namespace LlmGateway.Webhooks;

/// <summary>
/// <c>POST /v1/webhooks/{id}/rotate-secret</c> <c>{overlapSeconds?}</c> → 200 with the new <c>secret</c>, which is shown this once. Until
/// the overlap ends, every delivery is signed with the old ones, too, also what happened before. <c>POST …/end-rotation</c> ends it now.
/// </summary>
public static class RotateSecret
{
    /// <summary>That sign at one moment.</summary>
    const int MaxSecrets = 3;

    const int DefaultOverlap = 86_400, MaxOverlap = 7 * 86_400;

    /// <param name="OverlapSeconds">A day when absent.</param>
    public sealed record Request(int? OverlapSeconds = null);

    public static void MapRotateSecret(this WebApplication app)
    {
        app.MapPost("/v1/webhooks/{id}/rotate-secret", HandleAsync).WithIdempotency();
        app.MapPost("/v1/webhooks/{id}/end-rotation", EndAsync).WithIdempotency();
    }

    static async Task<IResult> HandleAsync(
        string id, HttpContext http, NpgsqlDataSource database, EndpointSecrets secrets, CancellationToken token)
    {
        var caller = http.Backend();
        var overlap = (await Body.ReadAsync(http, new Request())).OverlapSeconds ?? DefaultOverlap;
        if (overlap is < 0 or > MaxOverlap)
            throw EndpointRules.Invalid("overlapSeconds", $"must be from 0 to {MaxOverlap}");
        if (EndpointView.Parse(id) is not { } endpoint)
            return EndpointView.NotFound;

        var made = Idempotency.EffectId(http, caller, $"/v1/webhooks/{id}/rotate-secret");
        string secret;
        await using (var connection = await database.OpenConnectionAsync(token))
        await using (var transaction = await connection.BeginTransactionAsync(token))
        {
            // Two calls at once must not both make the last secret.
            if (await EndpointView.LockAsync(connection, caller, endpoint, token) is not { } before)
                return EndpointView.NotFound;
            if (await secrets.MadeAsync(connection, endpoint, made, token) is { } known)
                secret = known;
            else
            {
                await EndOthersAsync(connection, endpoint, TimeSpan.FromSeconds(overlap), token);
                secret = await secrets.AddAsync(connection, endpoint, made, token);
                var after = await EndpointView.LockAsync(connection, caller, endpoint, token);
                var thing = EndpointView.Thing(endpoint);
                await connection.AuditAsync(
                    http,
                    new($"{thing.Kind}.secret_rotated", thing.Subject, before.Audited(), after!.Audited()) { OfSecret = true }, token);
            }
            await transaction.CommitAsync(CancellationToken.None);
        }
        Failpoint.Hit("webhooks.secret.rotated");
        var view = (await EndpointView.ReadAsync(database, caller, endpoint, CancellationToken.None)).Single();
        return Results.Json(CreateEndpoint.WithSecret(view, secret), Defaults.Json);
    }

    /// <summary>The newest one goes on until the overlap ends, those before it until theirs; without an overlap all end now.</summary>
    static async Task EndOthersAsync(NpgsqlConnection connection, Guid endpoint, TimeSpan overlap, CancellationToken token)
    {
        await connection.RunAsync("""
            update endpoint_secret set expires_at = now() + $2
            where endpoint = $1 and (expires_at is null or $2 = interval '0' and expires_at > now())
            """, token, endpoint, overlap);
        await using var live = connection.Sql("select count(*) from endpoint_secret where endpoint = $1 and expires_at > now()", endpoint);
        if (await live.ExecuteScalarAsync(token) is >= (long)MaxSecrets)
            throw new ProblemException(Problems.Conflict(
                "too_many_secrets", $"{MaxSecrets} secrets sign already. End their rotation, or give 'overlapSeconds': 0."));
    }

    static async Task<IResult> EndAsync(string id, HttpContext http, NpgsqlDataSource database, CancellationToken token)
    {
        var caller = http.Backend();
        if (EndpointView.Parse(id) is not { } endpoint)
            return EndpointView.NotFound;
        await database.ChangeAuditedAsync(
            http, EndpointView.Thing(endpoint, "rotation_ended"),
            connection => EndpointView.LockAsync(connection, caller, endpoint, token), known => known.Audited(),
            async connection =>
            {
                await using var end = connection.Sql("""
                    update endpoint_secret set expires_at = now()
                    where expires_at > now() and endpoint in (select id from endpoint where id = $1 and project = $2 and test = $3)
                    """, endpoint, caller.Project, caller.Test);
                return await end.ExecuteNonQueryAsync(token);
            },
            token);
        return await EndpointView.FindAsync(database, caller, id, token) is { } view
            ? Results.Json(view, Defaults.Json)
            : EndpointView.NotFound;
    }
}
