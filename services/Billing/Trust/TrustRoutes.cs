using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using Npgsql;

namespace LlmGateway.Billing;

/// <summary>
/// For who runs the gateway: <c>GET /internal/top-up-freezes</c>, <c>POST /internal/top-up-freezes/lift?customer=</c>, <c>PUT</c> and
/// <c>DELETE /internal/projects/{project}/top-up-limits?test=</c>.
/// </summary>
public static class TrustRoutes
{
    const int MaxShown = 100;

    sealed record Frozen(string Customer, int Declines, DateTimeOffset FrozenAt);

    public static void MapTrustRoutes(this WebApplication app)
    {
        app.MapGet("/internal/top-up-freezes", ListAsync);
        app.MapPost("/internal/top-up-freezes/lift", LiftAsync);
        app.MapPut("/internal/projects/{project:guid}/top-up-limits", SetAsync);
        app.MapDelete("/internal/projects/{project:guid}/top-up-limits", ResetAsync);
    }

    static async Task<IResult> ListAsync(HttpContext http, NpgsqlDataSource database, CancellationToken token)
    {
        await using var query = database.Sql(
            "select customer, declines, frozen_at from top_up_freeze where lifted_at is null order by frozen_at limit $1", MaxShown);
        await using var row = await query.ExecuteReaderAsync(token);
        var frozen = new List<Frozen>();
        while (await row.ReadAsync(token))
            frozen.Add(new(Ids.Show(Ids.Customer, row.GetGuid(0)), row.GetInt32(1), row.GetFieldValue<DateTimeOffset>(2)));
        return !http.WantsText() ? Results.Json(frozen, Defaults.Json)
            : PlainText.Of(true, frozen.Count == 0
                ? ["Nobody's top-ups are frozen."]
                : frozen.Select(one => $"{one.FrozenAt:u} {one.Customer}: {one.Declines} declined attempts"));
    }

    static async Task<IResult> LiftAsync(HttpContext http, NpgsqlDataSource database, CancellationToken token)
    {
        if (new ListQuery(http.Request.Query).Text("customer") is not { } id || !Ids.TryParse(Ids.Customer, id, out var customer))
            throw ListQuery.Invalid("customer", "must be the id of a customer (cus_…)");
        await using var lift = database.Sql(
            "update top_up_freeze set lifted_at = now(), lifted_by = $2 where customer = $1 and lifted_at is null", customer,
            ServiceCall.Operator);
        var lifted = await lift.ExecuteNonQueryAsync(token) == 1;
        return http.WantsText() ? PlainText.Of(true, [lifted ? $"{id} may top up again." : $"The top-ups of {id} are not frozen."])
            : Results.Json(new { lifted }, Defaults.Json);
    }

    /// <summary>A member that is absent is no limit.</summary>
    static async Task<IResult> SetAsync(Guid project, HttpContext http, NpgsqlDataSource database, CancellationToken token)
    {
        var limits = await Body.ReadAsync<TopUpAllowance>(http);
        if (limits.Mistake() is var (member, must))
            return Problems.Invalid(member, $"'{member}' {must}.");
        await using var set = database.Sql("""
            insert into top_up_limits (
                project, test, per_day, per_card_and_day, first_amount, declines, first_days, decline_minutes, begun_per_hour)
            values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
            on conflict (project, test) do update set per_day = excluded.per_day, per_card_and_day = excluded.per_card_and_day,
                first_amount = excluded.first_amount, declines = excluded.declines, first_days = excluded.first_days,
                decline_minutes = excluded.decline_minutes, begun_per_hour = excluded.begun_per_hour
            """,
            project, IsTest(http), limits.PerDay, limits.PerCardAndDay,
            limits.FirstAmount?.Nanos, limits.Declines, limits.FirstDays, limits.DeclineMinutes, limits.BegunPerHour);
        await set.ExecuteNonQueryAsync(token);
        return Results.NoContent();
    }

    /// <summary>To what the project's seed file says, or the program.</summary>
    static async Task<IResult> ResetAsync(Guid project, HttpContext http, NpgsqlDataSource database, CancellationToken token)
    {
        await using var reset = database.Sql("delete from top_up_limits where project = $1 and test = $2", project, IsTest(http));
        await reset.ExecuteNonQueryAsync(token);
        return Results.NoContent();
    }

    static bool IsTest(HttpContext http) => new ListQuery(http.Request.Query).Text("test") switch
    {
        null or "false" => false,
        "true" => true,
        _ => throw ListQuery.Invalid("test", "must be true or false"),
    };
}
