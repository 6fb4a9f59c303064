using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using Npgsql;

namespace LlmGateway.Webhooks;

/// <summary>
/// <c>POST /v1/webhooks/{id}/test</c> → 202 <c>{deliveryId, eventId}</c>: an event <c>webhook.test</c> for this endpoint alone. It goes the
/// way of every other. Its numbers are the endpoint's own.
/// </summary>
public static class TestEndpoint
{
    public static void MapTestEndpoint(this WebApplication app) => app.MapPost("/v1/webhooks/{id}/test", HandleAsync).WithIdempotency();

    static async Task<IResult> HandleAsync(
        string id, HttpContext http, NpgsqlDataSource database, WakeSignal due, TimeProvider time, CancellationToken token)
    {
        var caller = http.Backend();
        if (await EndpointView.FindAsync(database, caller, id, token) is not { } view)
            return EndpointView.NotFound;
        if (view.Status == EndpointStatus.Disabled)
            return EndpointView.Disabled;
        var (endpoint, told) = (EndpointView.Parse(id)!.Value, Idempotency.EffectId(http, caller, $"/v1/webhooks/{id}/test"));
        await using var connection = await database.OpenConnectionAsync(token);
        await using var transaction = await connection.BeginTransactionAsync(token);
        // Two calls at once must not have one number.
        await connection.RunAsync("select from endpoint where id = $1 for no key update", token, endpoint);
        var delivery = await FindAsync(connection, told, endpoint, token)
            ?? await TellAsync(connection, caller, told, endpoint, time.GetUtcNow(), token);
        await transaction.CommitAsync(CancellationToken.None);
        due.Raise();
        return Results.Json(
            new { deliveryId = Ids.Show(Ids.Delivery, delivery), eventId = Ids.Show(Ids.Event, told) }, Defaults.Json, statusCode: 202);
    }

    /// <summary>That of a call whose process died before it had answered.</summary>
    static async Task<Guid?> FindAsync(NpgsqlConnection connection, Guid told, Guid endpoint, CancellationToken token)
    {
        await using var query = connection.Sql("select id from delivery where event = $1 and endpoint = $2", told, endpoint);
        return (Guid?)await query.ExecuteScalarAsync(token);
    }

    static async Task<Guid> TellAsync(
        NpgsqlConnection connection, Principal caller, Guid id, Guid endpoint, DateTimeOffset now, CancellationToken token)
    {
        // An instance of the version before looks for the highest event and does not count.
        await using var number = connection.Sql("""
            update endpoint set tests = 1 + greatest(tests, (select max(sequence) from event where subject = $1)) where id = $1
            returning tests
            """, endpoint);
        var told = new PublicEvent(
            id, EventTypes.Test, now, endpoint, (long)(await number.ExecuteScalarAsync(token))!, caller.Organization, caller.Project,
            caller.Test, $$"""{"endpointId":"{{Ids.Show(Ids.WebhookEndpoint, endpoint)}}"}""");
        await using var insert = connection.Sql("""
            with kept as (
                insert into event (id, subject, sequence, project, test, type, created, body) values ($1, $2, $3, $4, $5, $6, $7, $8)
                returning id, subject, sequence)
            insert into delivery (event, endpoint, subject, sequence, next_at) select id, $2, subject, sequence, now() from kept
            returning id
            """,
            told.Id, endpoint, told.Sequence, told.Project, told.Test, told.Type, told.Created, EventBody.Of(told));
        return (Guid)(await insert.ExecuteScalarAsync(token))!;
    }
}
