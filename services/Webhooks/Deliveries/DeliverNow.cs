using LlmGateway.ServiceDefaults;
using Npgsql;

namespace LlmGateway.Webhooks;

/// <summary>
/// <c>POST /internal/deliveries/now</c>, for operators: ends every wait and pause. What is to be tried again later is tried now. It does
/// not touch a disabled endpoint.
/// </summary>
public static class DeliverNow
{
    const int MaxAtOnce = 10_000;

    public static void MapDeliverNow(this WebApplication app) => app.MapPost("/internal/deliveries/now", HandleAsync);

    static async Task<IResult> HandleAsync(HttpContext http, NpgsqlDataSource database, WakeSignal due, CancellationToken token)
    {
        await using (var resume = database.Sql(
            "update endpoint set paused_until = '-infinity' where status = 0 and paused_until > now()"))
            await resume.ExecuteNonQueryAsync(token);
        var moved = await MoveAsync(database, """
            update delivery set next_at = now() where id in (
                select d.id from delivery d join endpoint e on e.id = endpoint
                where state = 0 and next_at > now() and status = 0 limit $1)
            """, token);
        due.Raise();
        return Say(http, moved, "are sent now");
    }

    /// <summary>Runs the statement, which changes as many deliveries as its parameter says, until it finds fewer.</summary>
    public static async Task<long> MoveAsync(NpgsqlDataSource database, string statement, CancellationToken token)
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

    public static IResult Say(HttpContext http, long moved, string what) => http.WantsText()
        ? PlainText.Of(true, [$"{moved} deliveries {what}."])
        : Results.Json(new { moved }, Defaults.Json);
}
