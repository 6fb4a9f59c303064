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
        await using var set = input.Threshold is { } threshold
            ? database.Sql("""
                insert into automatic_payout (project, test, organization, threshold) values ($1, $2, $3, $4)
                on conflict (project, test) do update set threshold = excluded.threshold, looked_at = 'epoch'
                """, caller.Project, caller.Test, caller.Organization, threshold.Nanos / Quote.NanosPerCent)
            : database.Sql("delete from automatic_payout where project = $1 and test = $2", caller.Project, caller.Test);
        await set.ExecuteNonQueryAsync(token);
        return Results.Json(new Request(input.Threshold), Defaults.Json);
    }
}
