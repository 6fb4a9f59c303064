using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using Npgsql;

namespace LlmGateway.Wallet;

/// <summary>
/// <c>POST /internal/counters</c>: what was used of counters and what requests that run hold. One that no claim has opened yet is absent.
/// </summary>
public static class CounterStates
{
    public static void MapCounterStates(this WebApplication app) => app.MapPost("/internal/counters", HandleAsync);

    static async Task<IResult> HandleAsync(HttpContext http, NpgsqlDataSource database)
    {
        var query = await Body.ReadAsync<CountersQuery>(http);
        if (query.Counters.Count > CountersQuery.MaxIds)
            return Problems.Invalid("counters", $"at most {CountersQuery.MaxIds} counters at once");
        var counters = new List<CounterState>(query.Counters.Count);
        await using var command = database.Sql(
            "select id, posted + late, reserved - late from account, unposted_of(id) as late where id = any($1) and kind between $2 and $3",
            query.Counters.ToArray(), (short)AccountKind.Cap, (short)AccountKind.Windows);
        await using var row = await command.ExecuteReaderAsync(http.RequestAborted);
        while (await row.ReadAsync(http.RequestAborted))
            counters.Add(new(row.GetGuid(0), row.GetInt64(1), row.GetInt64(2)));
        return Results.Json(new { counters }, Defaults.Json);
    }
}
