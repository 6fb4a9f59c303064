using LlmGateway.Contracts;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Npgsql;

namespace LlmGateway.ServiceDefaults;

/// <summary>
/// <c>GET /internal/event-numbers?after=</c> of a service that numbers its events (<c>event_sequence</c>): how many each series has, so
/// that who keeps them can prove that none is missing.
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
