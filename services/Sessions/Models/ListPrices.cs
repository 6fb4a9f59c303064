using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using Microsoft.EntityFrameworkCore;

namespace LlmGateway.Sessions;

/// <summary>
/// <c>GET /v1/models/{id}/prices?limit=&amp;cursor=</c> → <c>{prices: [{id, provider?, validFrom, prices}], nextCursor}</c>: every price
/// that the model has had in this project, newest first. Usage records name the <c>id</c>. <c>provider</c> is there where the price is its
/// own.
/// </summary>
public static class ListPrices
{
    const int DefaultPage = 50, MaxPage = 200;

    public sealed record View(Guid Id, string? Provider, DateTimeOffset ValidFrom, Prices Prices);

    public static void MapListPrices(this WebApplication app) =>
        app.MapGet("/v1/models/{id}/prices", HandleAsync).WithQuery("limit", "cursor");

    static async Task<IResult> HandleAsync(string id, HttpContext http, SessionsDb db, CancellationToken token)
    {
        var (caller, name, query) = (http.Backend(), SeedPart.NameIn(id), new ListQuery(http.Request.Query));
        var limit = query.Limit(DefaultPage, MaxPage);
        if (!await db.Models.AnyAsync(model => model.ProjectId == caller.Project && model.Id == name, token))
            return ListModels.NotFound;
        var versions = db.PriceVersions.AsNoTracking().Where(one => one.ProjectId == caller.Project && one.ModelId == name);
        if (query.Text("cursor") is { } cursor)
        {
            if (!Guid.TryParse(cursor, out var last))
                throw Fields.Invalid("cursor", "is not one of ours");
            versions = versions.Where(one => one.Id < last);
        }
        var page = await versions.OrderByDescending(one => one.Id).Take(limit + 1).ToListAsync(token);
        return Results.Json(new
        {
            prices = page.Take(limit).Select(one => new View(one.Id, one.ProviderId, one.ValidFrom, StoredPrices.Read(one.Prices))),
            nextCursor = page.Count > limit ? page[limit - 1].Id : (Guid?)null,
        }, SeedPart.Shown);
    }
}
