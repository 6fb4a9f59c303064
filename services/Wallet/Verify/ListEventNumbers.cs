using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using Npgsql;

namespace LlmGateway.Wallet;

/// <summary>
/// <c>GET /internal/event-numbers?after=</c>: how many events each customer has, so that who keeps them can prove that none is missing.
/// </summary>
public static class ListEventNumbers
{
    public static void MapEventNumbers(this WebApplication app) => app.MapGet("/internal/event-numbers", HandleAsync);

    static async Task<IResult> HandleAsync(NpgsqlDataSource database, CancellationToken token, Guid? after = null)
    {
        await using var query = database.Sql(
            "select subject, last from event_sequence where subject > $1 order by subject limit $2",
            after ?? Guid.Empty, EventNumbers.MaxAtOnce);
        await using var row = await query.ExecuteReaderAsync(token);
        var numbers = new List<EventNumber>();
        while (await row.ReadAsync(token))
            numbers.Add(new(row.GetGuid(0), row.GetInt64(1)));
        return Results.Json(new EventNumbers(numbers), Defaults.Json);
    }
}
