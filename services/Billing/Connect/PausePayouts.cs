using LlmGateway.ServiceDefaults;
using Npgsql;

namespace LlmGateway.Billing;

/// <summary>
/// For who runs the gateway: <c>PUT /internal/connect/{project}/paused {paused, test?}</c>. To an account that is paused nothing is begun;
/// what is reserved already goes on.
/// </summary>
public static class PausePayouts
{
    public sealed record Request(bool Paused, bool Test = false);

    public static void MapPausePayouts(this WebApplication app) => app.MapPut("/internal/connect/{project:guid}/paused", HandleAsync);

    static async Task<IResult> HandleAsync(Guid project, HttpContext http, NpgsqlDataSource database, CancellationToken token)
    {
        var input = await Body.ReadAsync<Request>(http);
        await using var pause = database.Sql(
            "update connect_account set paused = $3 where project = $1 and test = $2 and gone_at is null",
            project, input.Test, input.Paused);
        return await pause.ExecuteNonQueryAsync(token) == 1 ? Results.NoContent() : Problems.NotFound("connected account");
    }
}
