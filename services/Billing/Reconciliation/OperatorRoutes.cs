using LlmGateway.ServiceDefaults;
using Npgsql;

namespace LlmGateway.Billing;

/// <summary>
/// For who runs the gateway: <c>POST /internal/reconcile</c>, <c>GET /internal/stripe-events</c> (what is parked or waits for long),
/// <c>POST /internal/stripe-events/retry</c>.
/// </summary>
public static class OperatorRoutes
{
    const int MaxShown = 100;

    public static void MapOperatorRoutes(this WebApplication app)
    {
        app.MapPost("/internal/reconcile", ReconcileAsync);
        app.MapGet("/internal/stripe-events", ListAsync);
        app.MapPost("/internal/stripe-events/retry", RetryAsync);
    }

    static async Task<IResult> ReconcileAsync(HttpContext http, Reconciler reconciler, CancellationToken token)
    {
        var found = await reconciler.RunAsync(everything: true, token);
        return http.WantsText()
            ? PlainText.Of(true,
            [
                $"Events that had not come: {found.Events}. Asked after: {found.Payments} purchases, {found.Refunds} refunds, "
                    + $"{found.Payouts} payouts. Booked: {found.Bookings}.",
            ])
            : Results.Json(found, Defaults.Json);
    }

    sealed record Stuck(string Id, string Type, string Status, int Attempts, DateTimeOffset ReceivedAt, string? Reason);

    static async Task<IResult> ListAsync(HttpContext http, NpgsqlDataSource database, CancellationToken token)
    {
        await using var query = database.Sql("""
            select id, type, status, attempts, received_at, reason from stripe_event
            where status = 'parked' or (status = 'waiting' and attempts > 1) order by received_at limit $1
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

    static async Task<IResult> RetryAsync(HttpContext http, NpgsqlDataSource database, EventWorker worker, CancellationToken token)
    {
        await using var retry = database.Sql("""
            update stripe_event set status = 'waiting', attempts = 0, next_at = now()
            where status = 'parked' or (status = 'waiting' and attempts > 1)
            """);
        var count = await retry.ExecuteNonQueryAsync(token);
        worker.Wake();
        return http.WantsText()
            ? PlainText.Of(true, [$"Put back: {count}."])
            : Results.Json(new { count }, Defaults.Json);
    }
}
