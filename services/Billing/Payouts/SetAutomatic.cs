using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using Npgsql;

namespace LlmGateway.Billing;

/// <summary>
/// <c>PUT /v1/connect/automatic {threshold}</c>: from so much on, what was earned is paid out by itself, once a day at most; null: never.
/// </summary>
public static class SetAutomatic
{
    public sealed record Request(Money? Threshold);

    public static void MapSetAutomatic(this WebApplication app) => app.MapPut("/v1/connect/automatic", HandleAsync);

    static async Task<IResult> HandleAsync(HttpContext http, NpgsqlDataSource database, CancellationToken token)
    {
        var caller = http.Backend();
        var input = await Body.ReadAsync<Request>(http);
        if (PayoutRules.Refuse("threshold", input.Threshold) is { } refused)
            return refused;
        await database.ChangeAuditedAsync(
            http, new("automatic_payout", "connect/automatic"), connection => FindAsync(connection, caller, token), known => known,
            connection => input.Threshold is { } threshold
                ? connection.ChangeAsync("""
                    insert into automatic_payout (project, test, organization, threshold) values ($1, $2, $3, $4)
                    on conflict (project, test) do update set threshold = excluded.threshold, looked_at = 'epoch'
                    """, token, caller.Project, caller.Test, caller.Organization, threshold.Nanos / Quote.NanosPerCent)
                : connection.ChangeAsync(
                    "delete from automatic_payout where project = $1 and test = $2", token, caller.Project, caller.Test),
            token);
        return Results.Json(new Request(input.Threshold), Defaults.Json);
    }

    static async Task<Request?> FindAsync(NpgsqlConnection connection, Principal caller, CancellationToken token)
    {
        await using var query = connection.Sql(
            "select threshold from automatic_payout where project = $1 and test = $2", caller.Project, caller.Test);
        return await query.ExecuteScalarAsync(token) is long cents ? new(new Money(cents * Quote.NanosPerCent)) : null;
    }
}
