using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using Npgsql;

namespace LlmGateway.Webhooks;

/// <summary>
/// <c>POST /v1/webhooks/{id}/deliveries/{deliveryId}/retry</c> → 202: it is sent at once, also when it was delivered, and has all its tries
/// again.
/// </summary>
public static class RetryDelivery
{
    public static void MapRetryDelivery(this WebApplication app) =>
        app.MapPost("/v1/webhooks/{id}/deliveries/{deliveryId}/retry", HandleAsync).WithIdempotency();

    static async Task<IResult> HandleAsync(
        string id, string deliveryId, HttpContext http, NpgsqlDataSource database, WakeSignal due, CancellationToken token)
    {
        if (await EndpointView.FindAsync(database, http.Backend(), id, token) is not { } view)
            return EndpointView.NotFound;
        if (!Ids.TryParse(Ids.Delivery, deliveryId, out var delivery))
            return DeliveryView.NotFound;
        if (view.Status == EndpointStatus.Disabled)
            return EndpointView.Disabled;
        var endpoint = EndpointView.Parse(id)!.Value;
        // Who asks for it has looked at the receiver: it need not be probed first.
        await using var again = database.Sql("""
            with again as (
                update delivery set state = 0, tries = 0, next_at = now(), finished_at = null where id = $1 and endpoint = $2 returning id)
            update endpoint set paused_until = '-infinity' where id = $2 and exists (select from again)
            """, delivery, endpoint);
        if (await again.ExecuteNonQueryAsync(token) == 0)
            return DeliveryView.NotFound;
        due.Raise();
        return Results.Json(
            (await DeliveryView.ReadAsync(database, endpoint, delivery, null, null, 1, CancellationToken.None)).Single(), Defaults.Json,
            statusCode: 202);
    }
}
