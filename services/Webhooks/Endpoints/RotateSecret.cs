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
            await using (var held = connection.Sql(
                "select id from endpoint where id = $1 and project = $2 and test = $3 and status <> 2 for no key update",
                endpoint, caller.Project, caller.Test))
                if (await held.ExecuteScalarAsync(token) is null)
                    return EndpointView.NotFound;
            if (await secrets.MadeAsync(connection, endpoint, made, token) is { } known)
                secret = known;
            else
            {
                await EndOthersAsync(connection, endpoint, TimeSpan.FromSeconds(overlap), token);
                secret = await secrets.AddAsync(connection, endpoint, made, token);
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
        if (await EndpointView.FindAsync(database, caller, id, token) is null)
            return EndpointView.NotFound;
        await using var end = database.Sql(
            "update endpoint_secret set expires_at = now() where endpoint = $1 and expires_at > now()", EndpointView.Parse(id)!.Value);
        await end.ExecuteNonQueryAsync(token);
        return Results.Json(await EndpointView.FindAsync(database, caller, id, token), Defaults.Json);
    }
}
