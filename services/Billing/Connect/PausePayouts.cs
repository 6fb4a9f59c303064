using LlmGateway.ServiceDefaults;
using Npgsql;

namespace LlmGateway.Billing;

/// <summary>
/// For who runs the gateway: <c>PUT /internal/connect/{project}/paused {paused, test?}</c>. To a project that is paused nothing is paid
/// out, whichever account it has or opens; what is reserved already goes on.
/// </summary>
public static class PausePayouts
{
    public sealed record Request(bool Paused, bool Test = false);

    public static void MapPausePayouts(this WebApplication app) => app.MapPut("/internal/connect/{project:guid}/paused", HandleAsync);

    static async Task<IResult> HandleAsync(Guid project, HttpContext http, NpgsqlDataSource database, CancellationToken token)
    {
        var input = await Body.ReadAsync<Request>(http);
        await database.ChangeAsync(
            input.Paused
                ? "insert into payout_pause (project, test) values ($1, $2) on conflict do nothing"
                : "delete from payout_pause where project = $1 and test = $2",
            token, project, input.Test);
        return Results.NoContent();
    }
}
