using LlmGateway.ServiceDefaults;
using Microsoft.EntityFrameworkCore;

namespace LlmGateway.Sessions;

/// <summary>
/// <c>GET /v1/query-types</c> → <c>{queryTypes: [{type, providers, customers}]}</c> and <c>GET /v1/query-types/{type}</c>: the types of
/// call credits that the project's providers ask, and how many customers have a balance of each. A type is there while one of them has it;
/// <c>PUT /v1/providers/{id}</c> and <c>POST /v1/customers/{id}/balances</c> make it.
/// </summary>
public static class ListQueryTypes
{
    /// <param name="Providers">Whose calls cost one. Empty: nobody's, any more.</param>
    public sealed record View(string Type, IReadOnlyList<string> Providers, int Customers);

    public static void MapListQueryTypes(this WebApplication app)
    {
        app.MapGet("/v1/query-types", async (HttpContext http, SessionsDb db, CancellationToken token) =>
            Results.Json(new { queryTypes = await ReadAsync(http, db, token) }, Defaults.Json)).WithQuery();
        app.MapGet("/v1/query-types/{type}", async (string type, HttpContext http, SessionsDb db, CancellationToken token) =>
            (await ReadAsync(http, db, token)).Find(one => one.Type == type) is { } found
                ? Results.Json(found, Defaults.Json)
                : Problems.NotFound("query type")).WithQuery();
    }

    static async Task<List<View>> ReadAsync(HttpContext http, SessionsDb db, CancellationToken token)
    {
        var caller = http.Backend();
        var providers = (await db.Providers.AsNoTracking().Where(one => one.ProjectId == caller.Project && one.QueryType != null)
            .OrderBy(one => one.Id).ToListAsync(token)).ToLookup(one => one.QueryType!);
        var customers = await db.CustomerCredits
            .Where(has => db.Customers.Any(
                one => one.Id == has.CustomerId && one.ProjectId == caller.Project && one.Test == caller.Test))
            .GroupBy(has => has.QueryType).Select(same => new { Type = same.Key, Count = same.Count() })
            .ToDictionaryAsync(same => same.Type, same => same.Count, token);
        return
        [
            .. providers.Select(same => same.Key).Union(customers.Keys).Order(StringComparer.Ordinal).Select(type =>
                new View(type, [.. providers[type].Select(provider => provider.Id)], customers.GetValueOrDefault(type))),
        ];
    }
}
