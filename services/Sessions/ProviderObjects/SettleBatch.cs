using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using Npgsql;
using NpgsqlTypes;

namespace LlmGateway.Sessions;

/// <summary>
/// <c>POST /internal/provider-objects/{id}/settled</c>: a batch has been charged, or its cost can never be known. Only the first call has
/// an effect.
/// </summary>
public static class SettleBatch
{
    public static void MapSettleBatch(this WebApplication app) =>
        app.MapPost("/internal/provider-objects/{id}/settled", async (string id, HttpContext http, NpgsqlDataSource database) =>
        {
            var settled = await Body.ReadAsync<BatchSettled>(http);
            await using var update = database.Sql(
                "update provider_object set next_check_at = null, settled_at = now(), meters = $2,"
                    + " cost = $3 where id = $1 and settled_at is null",
                id,
                settled.Meters.ToArray());
            update.Parameters.Add(new() { Value = (object?)settled.Cost?.Nanos ?? DBNull.Value, NpgsqlDbType = NpgsqlDbType.Bigint });
            await update.ExecuteNonQueryAsync(http.RequestAborted);
            return Results.NoContent();
        });
}
