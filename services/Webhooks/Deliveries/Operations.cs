using LlmGateway.ServiceDefaults;
using Npgsql;

namespace LlmGateway.Webhooks;

/// <summary>
/// For operators. <c>POST /internal/deliveries/now</c> ends every wait: what is to be tried again later is tried now.
/// <c>POST /internal/dead-letters/replay</c> begins anew what had all its tries. Neither touches a disabled endpoint.
/// </summary>
public static class Operations
{
    const int MaxAtOnce = 10_000;

    public static void MapOperations(this WebApplication app)
    {
        app.MapPost("/internal/deliveries/now", async (HttpContext http, NpgsqlDataSource database, WakeSignal due) =>
        {
            await using (var resume = database.Sql(
                "update endpoint set paused_until = '-infinity' where status = 0 and paused_until > now()"))
                await resume.ExecuteNonQueryAsync(http.RequestAborted);
            var moved = await MoveAsync(database, """
                update delivery set next_at = now() where id in (
                    select d.id from delivery d join endpoint e on e.id = endpoint
                    where state = 0 and next_at > now() and status = 0 limit $1)
                """, http.RequestAborted);
            due.Raise();
            return Say(http, moved, "are sent now");
        });
        app.MapPost("/internal/dead-letters/replay", async (HttpContext http, NpgsqlDataSource database, WakeSignal due) =>
        {
            var moved = await MoveAsync(database, """
                update delivery set state = 0, tries = 0, next_at = now(), finished_at = null where id in (
                    select d.id from delivery d join endpoint e on e.id = endpoint where state = 2 and status = 0 limit $1)
                """, http.RequestAborted);
            due.Raise();
            return Say(http, moved, "that had failed are sent again");
        });
    }

    static async Task<long> MoveAsync(NpgsqlDataSource database, string statement, CancellationToken token)
    {
        var moved = 0L;
        await Rounds.UntilNotFullAsync(MaxAtOnce, async () =>
        {
            await using var move = database.Sql(statement, MaxAtOnce);
            var count = await move.ExecuteNonQueryAsync(token);
            moved += count;
            return count;
        });
        return moved;
    }

    static IResult Say(HttpContext http, long moved, string what) => http.WantsText()
        ? PlainText.Of(true, [$"{moved} deliveries {what}."])
        : Results.Json(new { moved }, Defaults.Json);
}
