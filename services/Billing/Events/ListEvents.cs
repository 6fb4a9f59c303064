using LlmGateway.ServiceDefaults;
using Npgsql;

namespace LlmGateway.Billing;

/// <summary><c>GET /internal/stripe-events</c>: for who runs the gateway, what is parked or waits for long.</summary>
public static class ListEvents
{
    const int MaxShown = 100;

    public static void MapListEvents(this WebApplication app) => app.MapGet("/internal/stripe-events", ListAsync);

    sealed record Stuck(string Id, string Type, string Status, int Attempts, DateTimeOffset ReceivedAt, string? Reason);

    static async Task<IResult> ListAsync(HttpContext http, NpgsqlDataSource database, CancellationToken token)
    {
        await using var query = database.Sql("""
            select id, type, status, attempts, received_at, reason from stripe_event
            where status = 'parked' or (status = 'waiting' and (attempts > 1 or outages > 1)) order by received_at limit $1
            """, MaxShown);
        await using var row = await query.ExecuteReaderAsync(token);
        var stuck = new List<Stuck>();
        while (await row.ReadAsync(token))
            stuck.Add(new(
                row.GetString(0), row.GetString(1), row.GetString(2), row.GetInt32(3), row.GetFieldValue<DateTimeOffset>(4),
                row.IsDBNull(5) ? null : row.GetString(5)));
        if (!http.WantsText())
            return Results.Json(stuck, Defaults.Json);
        return PlainText.Of(true, stuck.Count == 0
            ? ["No event of Stripe's is parked or waits."]
            : stuck.Select(one => $"{one.ReceivedAt:u} {one.Id} {one.Type}: {one.Status} after {one.Attempts}, {one.Reason}"));
    }
}
