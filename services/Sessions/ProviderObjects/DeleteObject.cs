using LlmGateway.ServiceDefaults;
using Npgsql;

namespace LlmGateway.Sessions;

/// <summary>
/// <c>DELETE /internal/provider-objects/{customer}/{id}</c>: deletes an object for its customer. The row stays, because it may still have
/// to be settled.
/// </summary>
public static class DeleteObject
{
    public static void MapDeleteObject(this WebApplication app) =>
        app.MapDelete(
            "/internal/provider-objects/{customer:guid}/{id}",
            async (Guid customer, string id, NpgsqlDataSource database, CancellationToken token) =>
            {
                await using var update = database.Sql(
                    "update provider_object set deleted_at = now() where id = $1 and customer_id = $2 and deleted_at is null",
                    id,
                    customer);
                await update.ExecuteNonQueryAsync(token);
                return Results.NoContent();
            });
}
