using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using Npgsql;

namespace LlmGateway.Billing;

/// <summary><c>PUT</c> and <c>DELETE /internal/projects/{project}/top-up-limits?test=</c>: for who runs the gateway.</summary>
public static class SetTopUpLimits
{
    public static void MapSetTopUpLimits(this WebApplication app)
    {
        app.MapPut("/internal/projects/{project:guid}/top-up-limits", SetAsync);
        app.MapDelete("/internal/projects/{project:guid}/top-up-limits", ResetAsync);
    }

    /// <summary>A member that is absent is no limit.</summary>
    static async Task<IResult> SetAsync(Guid project, HttpContext http, NpgsqlDataSource database, CancellationToken token)
    {
        var limits = await Body.ReadAsync<TopUpAllowance>(http);
        if (limits.Mistake() is var (member, must))
            return Problems.Invalid(member, $"'{member}' {must}.");
        await database.ChangeAsync("""
            insert into top_up_limits (
                project, test, per_day, per_card_and_day, first_amount, declines, first_days, decline_minutes, begun_per_hour)
            values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
            on conflict (project, test) do update set per_day = excluded.per_day, per_card_and_day = excluded.per_card_and_day,
                first_amount = excluded.first_amount, declines = excluded.declines, first_days = excluded.first_days,
                decline_minutes = excluded.decline_minutes, begun_per_hour = excluded.begun_per_hour
            """, token,
            project, IsTest(http), limits.PerDay, limits.PerCardAndDay,
            limits.FirstAmount?.Nanos, limits.Declines, limits.FirstDays, limits.DeclineMinutes, limits.BegunPerHour);
        return Results.NoContent();
    }

    /// <summary>To what the project's seed file says, or the program.</summary>
    static async Task<IResult> ResetAsync(Guid project, HttpContext http, NpgsqlDataSource database, CancellationToken token)
    {
        await database.ChangeAsync("delete from top_up_limits where project = $1 and test = $2", token, project, IsTest(http));
        return Results.NoContent();
    }

    static bool IsTest(HttpContext http) => new ListQuery(http.Request.Query).Text("test") switch
    {
        null or "false" => false,
        "true" => true,
        _ => throw ListQuery.Invalid("test", "must be true or false"),
    };
}
