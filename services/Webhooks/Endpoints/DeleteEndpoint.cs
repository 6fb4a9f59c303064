using LlmGateway.ServiceDefaults;
using Npgsql;

namespace LlmGateway.Webhooks;

/// <summary>
/// <c>DELETE /v1/webhooks/{id}</c> → 200, which is what the official server package reads. Nothing is sent any more, and its secrets are
/// gone. What was sent leaves later, in rounds (<see cref="TableRetention"/>). Whoever lost the answer asks again and is told the same.
/// </summary>
public static class DeleteEndpoint
{
    public static void MapDeleteEndpoint(this WebApplication app) => app.MapDelete("/v1/webhooks/{id}", HandleAsync);

    static async Task<IResult> HandleAsync(string id, HttpContext http, NpgsqlDataSource database, CancellationToken token)
    {
        var caller = http.Backend();
        if (EndpointView.Parse(id) is not { } endpoint)
            return EndpointView.NotFound;
        var deleted = await database.ChangeAuditedAsync(
            http, EndpointView.Thing(endpoint), connection => EndpointView.LockAsync(connection, caller, endpoint, token),
            known => known.Audited(),
            async connection =>
            {
                await using var delete = connection.Sql("""
                    with gone as (
                        update endpoint set status = 2 where id = $1 and project = $2 and test = $3 returning id),
                    secrets as (delete from endpoint_secret where endpoint in (select id from gone))
                    select count(*)::integer from gone
                    """, endpoint, caller.Project, caller.Test);
                return (int)(await delete.ExecuteScalarAsync(token))!;
            },
            token);
        return deleted == 1
            ? Results.Json(new { message = "The webhook endpoint was deleted." }, Defaults.Json)
            : EndpointView.NotFound;
    }
}
