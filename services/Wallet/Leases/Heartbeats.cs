using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using Npgsql;

namespace LlmGateway.Wallet;

/// <summary>
/// <c>POST /internal/heartbeat</c>: a proxy says four times a second that it lives. Losing the last of these rows in a crash of the
/// database does no harm, so nobody waits for the disk.
/// </summary>
public static class Heartbeats
{
    public static void MapHeartbeats(this WebApplication app)
    {
        app.MapPost("/internal/heartbeat", HandleAsync);
        app.MapPost("/internal/alive", HandleAsync); // of proxies of the version before, while they are updated
    }

    static async Task<IResult> HandleAsync(HttpContext http, NpgsqlDataSource database)
    {
        var heartbeat = await Body.ReadAsync<Heartbeat>(http);
        await using var beat = database.Sql("""
            insert into holder (holder, seen_at, epoch, gone)
            select $1, clock_timestamp(), gen_random_uuid(), false from set_config('synchronous_commit', 'off', true)
            on conflict (holder) do update set seen_at = clock_timestamp(), gone = false
            returning epoch, clock_timestamp()
            """, heartbeat.Holder);
        await using var row = await beat.ExecuteReaderAsync(http.RequestAborted);
        await row.ReadAsync(http.RequestAborted);
        return Results.Json(new HeartbeatAnswer(row.GetGuid(0)) { Now = row.GetFieldValue<DateTimeOffset>(1) }, Defaults.Json);
    }
}
