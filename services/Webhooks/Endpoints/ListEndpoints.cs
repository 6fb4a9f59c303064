using LlmGateway.ServiceDefaults;
using Npgsql;

namespace LlmGateway.Webhooks;

/// <summary><c>GET /v1/webhooks</c> and <c>GET /v1/webhooks/{id}</c>, without secrets.</summary>
public static class ListEndpoints
{
    public static void MapListEndpoints(this WebApplication app)
    {
        app.MapGet("/v1/webhooks", async (HttpContext http, NpgsqlDataSource database, CancellationToken token) =>
            Results.Json(new { endpoints = await EndpointView.ReadAsync(database, http.Backend(), null, token) }, Defaults.Json))
            .WithQuery();
        app.MapGet("/v1/webhooks/{id}", async (string id, HttpContext http, NpgsqlDataSource database, CancellationToken token) =>
            await EndpointView.FindAsync(database, http.Backend(), id, token) is { } endpoint
                ? Results.Json(endpoint, Defaults.Json)
                : EndpointView.NotFound)
            .WithQuery();
    }
}
