using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Sessions;

/// <summary><c>GET /internal/catalogue</c>: every model that is known, with its newest price.</summary>
public static class ListCatalogue
{
    sealed record View(
        string Vendor,
        string Id,
        string Kind,
        long? ContextTokens,
        long MaxOutputTokens,
        Prices Prices,
        DateTimeOffset ValidFrom,
        string Source,
        DateOnly CheckedOn);

    public static void MapListCatalogue(this WebApplication app) =>
        app.MapGet("/internal/catalogue", async (SessionsDb db, TimeProvider time, CancellationToken token) =>
        {
            var catalogue = await Catalogue.ReadAsync(db, null, time.GetUtcNow(), token);
            return Results.Json(new { models = catalogue.Entries.Select(entry => Show(entry.Model, entry.Price)) }, Defaults.Json);
        });

    static View Show(CatalogueModel model, CataloguePrice price) => new(
        model.Vendor,
        model.Id,
        model.Kind,
        model.ContextTokens,
        model.MaxOutputTokens,
        StoredPrices.Read(price.Prices),
        price.ValidFrom,
        price.Source,
        price.CheckedOn);
}
