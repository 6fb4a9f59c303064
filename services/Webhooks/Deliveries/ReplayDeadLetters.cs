using LlmGateway.ServiceDefaults;
using Npgsql;

namespace LlmGateway.Webhooks;

/// <summary>
/// <c>POST /internal/dead-letters/replay</c>, for operators: begins anew what had all its tries. It does not touch a disabled endpoint.
/// </summary>
public static class ReplayDeadLetters
{
    public static void MapReplayDeadLetters(this WebApplication app) => app.MapPost("/internal/dead-letters/replay", HandleAsync);

    static async Task<IResult> HandleAsync(HttpContext http, NpgsqlDataSource database, WakeSignal due, CancellationToken token)
    {
        var moved = await DeliverNow.MoveAsync(database, """
            update delivery set state = 0, tries = 0, next_at = now(), finished_at = null where id in (
                select d.id from delivery d join endpoint e on e.id = endpoint where state = 2 and status = 0 limit $1)
            """, token);
        due.Raise();
        return DeliverNow.Say(http, moved, "that had failed are sent again");
    }
}
