using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using Npgsql;

namespace LlmGateway.Billing;

/// <summary><c>GET /internal/top-up-freezes</c>: for who runs the gateway, whose top-ups are frozen.</summary>
public static class ListFreezes
{
    const int MaxShown = 100;

    sealed record Frozen(string Customer, int Declines, DateTimeOffset FrozenAt);

    public static void MapListFreezes(this WebApplication app) => app.MapGet("/internal/top-up-freezes", ListAsync);

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
}
