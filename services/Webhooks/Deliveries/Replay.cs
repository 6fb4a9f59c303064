using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using Npgsql;

namespace LlmGateway.Webhooks;

/// <summary>
/// <c>POST /v1/webhooks/{id}/replay</c> <c>{since}</c> → 202 <c>{queued, next}</c>: everything that the endpoint asks for and that has
/// happened since then is sent again, in its order, with the ids and bytes that it had; also what happened before there was the endpoint.
/// <c>next</c> is where another replay goes on, when there was too much for one.
/// </summary>
public static class Replay
{
    const int MaxEvents = 100_000;

    public sealed record Request(DateTimeOffset Since);

    public static void MapReplay(this WebApplication app) => app.MapPost("/v1/webhooks/{id}/replay", HandleAsync).WithIdempotency();

    static async Task<IResult> HandleAsync(
        string id, HttpContext http, NpgsqlDataSource database, WakeSignal due, TimeProvider time, CancellationToken token)
    {
        var caller = http.Backend();
        var request = await Body.ReadAsync<Request>(http);
        var now = time.GetUtcNow();
        if (request.Since > now || request.Since < now - TimeSpan.FromDays(EventRetention.LeastDays))
            throw EndpointRules.Invalid("since", $"must be within the last {EventRetention.LeastDays} days");
        if (await EndpointView.FindAsync(database, caller, id, token) is not { } view)
            return EndpointView.NotFound;
        if (view.Status == EndpointStatus.Disabled)
            return EndpointView.Disabled;
        await using var replay = database.Sql("""
            with told as (
                select v.id, subject, sequence, v.created from event v join endpoint e on e.id = $1
                where v.project = e.project and v.test = e.test and v.created >= $2 and v.type <> $3
                    and (e.enabled_events is null or v.type = any(e.enabled_events))
                order by v.created, sequence limit $4 + 1),
            queue as (select * from told order by created, sequence limit $4),
            queued as (
                insert into delivery (event, endpoint, subject, sequence, next_at) select id, $1, subject, sequence, now() from queue
                on conflict (event, endpoint) do update set state = 0, tries = 0, next_at = now(), finished_at = null)
            select (select count(*) from queue), case when (select count(*) from told) > $4 then (select max(created) from told) end
            """, EndpointView.Parse(id)!.Value, request.Since.ToUniversalTime(), EventTypes.Test, MaxEvents);
        await using var row = await replay.ExecuteReaderAsync(token);
        await row.ReadAsync(token);
        due.Raise();
        DateTimeOffset? next = row.IsDBNull(1) ? null : row.GetFieldValue<DateTimeOffset>(1);
        return Results.Json(new { queued = row.GetInt64(0), next }, Defaults.Json, statusCode: 202);
    }
}
