using LlmGateway.ServiceDefaults;
using Npgsql;

namespace LlmGateway.Sessions;

/// <summary>
/// <c>GET /internal/provider-objects/{customer}/{id}</c> and <c>…/{customer}?kind=&amp;limit=&amp;after=</c>, newest first: the objects of
/// one customer. Those of others are answered as not found.
/// </summary>
public static class FindObjects
{
    const int DefaultPage = 20, MaxPage = 101;

    public static void MapFindObjects(this WebApplication app)
    {
        app.MapGet("/internal/provider-objects/{customer:guid}/{id}", FindAsync);
        app.MapGet("/internal/provider-objects/{customer:guid}", ListAsync);
    }

    static async Task<IResult> FindAsync(Guid customer, string id, NpgsqlDataSource database, CancellationToken token)
    {
        await using var query = database.Sql(
            $"select {StoredObjects.Columns} from provider_object where id = $1 and customer_id = $2 and deleted_at is null",
            id,
            customer);
        return await StoredObjects.ReadAsync(query, token) is [var found]
            ? Results.Json(found, Defaults.Json)
            : Problems.NotFound("object");
    }

    static async Task<IResult> ListAsync(
        Guid customer,
        string kind,
        string? after,
        HttpContext http,
        NpgsqlDataSource database,
        CancellationToken token)
    {
        var limit = new ListQuery(http.Request.Query).Limit(DefaultPage, MaxPage);
        await using var query = database.Sql($"""
            select {StoredObjects.Columns} from provider_object o
            where customer_id = $1 and kind = $2 and deleted_at is null
                and ($3 = '' or (created_at, id) < (select created_at, id from provider_object where id = $3 and customer_id = $1))
            order by created_at desc, id desc limit $4
            """, customer, kind, after ?? "", limit);
        return Results.Json(await StoredObjects.ReadAsync(query, token), Defaults.Json);
    }
}
