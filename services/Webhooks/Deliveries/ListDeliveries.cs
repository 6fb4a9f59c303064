using System.Text.Json;
using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using Npgsql;

namespace LlmGateway.Webhooks;

/// <summary>An attempt as an endpoint's owner sees it.</summary>
/// <param name="Error">
/// <c>timeout</c>, <c>connection_failed</c>, <c>name_not_found</c>, <c>tls_failed</c> or <c>address_not_public</c>; null with a status.
/// </param>
/// <param name="Answer">Its first 4 KB.</param>
/// <param name="NextAt">When the next one is to follow; null when none is.</param>
public sealed record AttemptView(
    int Number, DateTimeOffset At, int LatencyMs, int? Status, string? Error, string? Address, string? Answer, DateTimeOffset? NextAt);

public sealed record DeliveryView(
    string Id, string EventId, string Type, long Sequence, DeliveryState Status, DateTimeOffset CreatedAt, DateTimeOffset? NextAt,
    DateTimeOffset? FinishedAt, IReadOnlyList<AttemptView> Attempts)
{
    public static Problem NotFound => Problems.NotFound("delivery");

    /// <param name="endpoint">The caller's own.</param>
    /// <param name="only">Null: all.</param>
    /// <param name="before">The delivery after which the page begins, in the order of the newest first.</param>
    public static async Task<List<DeliveryView>> ReadAsync(
        NpgsqlDataSource database, Guid endpoint, Guid? only, DeliveryState? state, Guid? before, int limit, CancellationToken token)
    {
        await using var query = database.Sql("""
            select d.id, d.event, v.type, d.sequence, d.state, d.created, d.next_at, d.finished_at, coalesce((
                select json_agg(json_build_object('number', number, 'at', at, 'latencyMs', latency_ms, 'status', status, 'error', error,
                    'address', address, 'answer', answer, 'nextAt', next_at) order by number)
                from attempt where delivery = d.id), '[]')::text
            from delivery d join event v on v.id = d.event
            where d.endpoint = $1 and ($2::uuid is null or d.id = $2) and ($3::smallint is null or state = $3)
                and ($4::uuid is null or (d.created, d.id) < (select b.created, b.id from delivery b where b.id = $4 and b.endpoint = $1))
            order by d.created desc, d.id desc limit $5
            """, endpoint, only, (short?)state, before, limit);
        await using var row = await query.ExecuteReaderAsync(token);
        var deliveries = new List<DeliveryView>();
        while (await row.ReadAsync(token))
            deliveries.Add(new(
                Ids.Show(Ids.Delivery, row.GetGuid(0)), Ids.Show(Ids.Event, row.GetGuid(1)), row.GetString(2), row.GetInt64(3),
                (DeliveryState)row.GetInt16(4), row.GetFieldValue<DateTimeOffset>(5), Time(row, 6), Time(row, 7),
                JsonSerializer.Deserialize<AttemptView[]>(row.GetString(8), Defaults.Json)!));
        return deliveries;
    }

    static DateTimeOffset? Time(NpgsqlDataReader row, int column) =>
        row.IsDBNull(column) ? null : row.GetFieldValue<DateTimeOffset>(column);
}

/// <summary><c>GET /v1/webhooks/{id}/deliveries?limit=&amp;cursor=&amp;status=</c>: the newest first, each with its attempts.</summary>
public static class ListDeliveries
{
    const int DefaultPage = 20, MaxPage = 100;

    public static void MapListDeliveries(this WebApplication app) =>
        app.MapGet("/v1/webhooks/{id}/deliveries", HandleAsync).WithQuery("limit", "cursor", "status");

    static async Task<IResult> HandleAsync(string id, HttpContext http, NpgsqlDataSource database, CancellationToken token)
    {
        var query = new ListQuery(http.Request.Query);
        var limit = query.Limit(DefaultPage, MaxPage);
        var (state, before) = (State(query.Text("status")), Cursor(query.Text("cursor")));
        if (await EndpointView.FindAsync(database, http.Backend(), id, token) is null)
            return EndpointView.NotFound;
        // One more than asked for tells whether there is a next page.
        var page = await DeliveryView.ReadAsync(database, EndpointView.Parse(id)!.Value, null, state, before, limit + 1, token);
        var shown = page.Take(limit).ToList();
        return Results.Json(
            new { deliveries = shown, nextCursor = page.Count > limit ? shown[^1].Id : null }, Defaults.Json);
    }

    static DeliveryState? State(string? text) => text switch
    {
        null => null,
        "pending" => DeliveryState.Pending,
        "delivered" => DeliveryState.Delivered,
        "failed" => DeliveryState.Failed,
        "expired" => DeliveryState.Expired,
        _ => throw EndpointRules.Invalid("status", "must be pending, delivered, failed or expired"),
    };

    static Guid? Cursor(string? text) => text is null ? null
        : Ids.TryParse(Ids.Delivery, text, out var delivery) ? delivery
        : throw EndpointRules.Invalid("cursor", "is not one of ours");
}
