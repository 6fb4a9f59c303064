using LlmGateway.ServiceDefaults;
using Npgsql;

namespace LlmGateway.Sessions.ResponseState;

/// <summary>
/// <c>DELETE /internal/kept-responses/{customer}/{id}</c> → 204, or 404 where there was none whose time is not over. Later responses of the
/// same conversation have their own copies of its items.
/// </summary>
public static class DeleteResponse
{
    public static void MapDeleteResponse(this WebApplication app) =>
        app.MapDelete(
            "/internal/kept-responses/{customer:guid}/{id:guid}",
            async (Guid customer, Guid id, NpgsqlDataSource database, CancellationToken token) =>
            {
                await using var delete = database.Sql(
                    "delete from kept_response where id = $1 and customer_id = $2 and expires_at > now()", id, customer);
                return await delete.ExecuteNonQueryAsync(token) == 1 ? Results.NoContent() : Problems.NotFound("response");
            });
}
