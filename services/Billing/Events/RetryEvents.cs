using LlmGateway.ServiceDefaults;
using Npgsql;

namespace LlmGateway.Billing;

/// <summary><c>POST /internal/stripe-events/retry</c>: for who runs the gateway, what is parked or waits for long is tried now.</summary>
public static class RetryEvents
{
    public static void MapRetryEvents(this WebApplication app) => app.MapPost("/internal/stripe-events/retry", RetryAsync);

    static async Task<IResult> RetryAsync(HttpContext http, NpgsqlDataSource database, EventWorker worker, CancellationToken token)
    {
        var count = await database.ChangeAsync("""
            update stripe_event set status = 'waiting', attempts = 0, outages = 0, next_at = now()
            where status = 'parked' or (status = 'waiting' and (attempts > 1 or outages > 1))
            """, token);
        worker.Wake();
        return http.WantsText()
            ? PlainText.Of(true, [$"Put back: {count}."])
            : Results.Json(new { count }, Defaults.Json);
    }
}
