using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using Npgsql;

namespace LlmGateway.Webhooks;

/// <summary>
/// <c>POST /v1/webhooks</c> <c>{url, enabledEvents?}</c> → 201 with <c>secret</c>, which is shown this once. It is told what happens from
/// now on.
/// </summary>
public static class CreateEndpoint
{
    /// <summary>That a project may have in one mode.</summary>
    const int MaxEndpoints = 100;

    public sealed record Request(string Url, IReadOnlyList<string>? EnabledEvents = null);

    public static void MapCreateEndpoint(this WebApplication app) => app.MapPost("/v1/webhooks", HandleAsync).WithIdempotency();

    static async Task<IResult> HandleAsync(
        HttpContext http, NpgsqlDataSource database, EndpointRules rules, EndpointSecrets secrets, CancellationToken token)
    {
        var caller = http.Backend();
        var request = await Body.ReadAsync<Request>(http);
        await rules.CheckUrlAsync(request.Url, caller.Organization, token);
        var events = EndpointRules.Events(request.EnabledEvents, "enabledEvents");

        // The same for every repetition of the call: a process may die before it has answered.
        var endpoint = Idempotency.EffectId(http, caller, "/v1/webhooks");
        string? secret;
        await using (var connection = await database.OpenConnectionAsync(token))
        await using (var transaction = await connection.BeginTransactionAsync(token))
        {
            // Two calls at once must not both be the last endpoint.
            await connection.RunAsync("select pg_advisory_xact_lock(hashtextextended($1, 0))", token, $"endpoints of {caller.Project:N}");
            secret = await secrets.MadeAsync(connection, endpoint, id: endpoint, token);
            if (secret is null)
            {
                if (await InsertAsync(connection, caller, endpoint, request.Url, events, token) is { } problem)
                    return problem;
                secret = await secrets.AddAsync(connection, endpoint, id: endpoint, token);
                var made = await EndpointView.LockAsync(connection, caller, endpoint, token);
                var thing = EndpointView.Thing(endpoint);
                await connection.AuditAsync(
                    http, new($"{thing.Kind}.created", thing.Subject, null, made!.Audited()) { OfSecret = true }, token);
            }
            await transaction.CommitAsync(CancellationToken.None);
        }
        Failpoint.Hit("webhooks.endpoint.created");
        var view = (await EndpointView.ReadAsync(database, caller, endpoint, CancellationToken.None)).Single();
        return Results.Json(WithSecret(view, secret), Defaults.Json, statusCode: 201);
    }

    static async Task<Problem?> InsertAsync(
        NpgsqlConnection connection, Principal caller, Guid endpoint, string url, string[]? events, CancellationToken token)
    {
        await using var insert = connection.Sql("""
            insert into endpoint (id, organization, project, test, url, enabled_events)
            select $1, $2, $3, $4, $5, $6::text[]
            where (select count(*) from endpoint where project = $3 and test = $4 and status <> 2) < $7 on conflict (id) do nothing
            """,
            endpoint, caller.Organization, caller.Project, caller.Test, url, events, MaxEndpoints);
        if (await insert.ExecuteNonQueryAsync(token) == 1)
            return null;
        await using var known = connection.Sql("select from endpoint where id = $1", endpoint);
        await using var row = await known.ExecuteReaderAsync(token);
        return row.HasRows
            ? Problems.IdempotencyReused
            : Problems.Conflict("too_many_endpoints", $"A project may have {MaxEndpoints} endpoints. Delete one first.");
    }

    /// <summary>The view, and the secret beside its other members.</summary>
    public static object WithSecret(EndpointView view, string secret) => new
    {
        view.Id, view.Url, view.EnabledEvents, view.Status, view.CreatedAt, view.DisabledAt, view.DisabledReason, view.Failures,
        view.Secrets, secret,
    };
}
