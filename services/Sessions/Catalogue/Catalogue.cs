using LlmGateway.Contracts;
using Microsoft.EntityFrameworkCore;

namespace LlmGateway.Sessions;

/// <summary>
/// What is known of vendors' models, whoever sells them: limits, and the newest prices. Projects refer to it where they leave something
/// open; a price that changes here changes for them, and what was admitted before keeps its version.
/// </summary>
public sealed class Catalogue
{
    readonly Dictionary<(string Vendor, string Id), CatalogueModel> _models;
    readonly Dictionary<(string Vendor, string Id), CataloguePrice> _prices;

    Catalogue(Dictionary<(string, string), CatalogueModel> models, Dictionary<(string, string), CataloguePrice> prices) =>
        (_models, _prices) = (models, prices);

    /// <param name="ids">The models to know of; null for all.</param>
    public static async Task<Catalogue> ReadAsync(
        SessionsDb db,
        IReadOnlyCollection<string>? ids,
        DateTimeOffset now,
        CancellationToken token)
    {
        var models = await db.CatalogueModels
            .AsNoTracking()
            .Where(model => ids == null || ids.Contains(model.Id))
            .ToDictionaryAsync(model => (model.Vendor, model.Id), token);
        var prices = await db.CataloguePrices
            .AsNoTracking()
            .Where(price => price.ValidFrom <= now && (ids == null || ids.Contains(price.ModelId)))
            .GroupBy(price => new { price.Vendor, price.ModelId })
            .Select(versions => versions.OrderByDescending(price => price.ValidFrom).ThenByDescending(price => price.Id).First())
            .ToDictionaryAsync(price => (price.Vendor, price.ModelId), token);
        return new(models, prices);
    }

    public IEnumerable<(CatalogueModel Model, CataloguePrice Price)> Entries =>
        _models.Values
            .OrderBy(model => model.Vendor, StringComparer.Ordinal)
            .ThenBy(model => model.Id, StringComparer.Ordinal)
            .Select(model => (model, _prices[(model.Vendor, model.Id)]));

    /// <summary>Null when the catalogue does not know the model at this provider.</summary>
    public (CatalogueModel Model, CataloguePrice Price)? Find(Provider provider, string upstreamModel)
    {
        foreach (var vendor in Vendors(provider.Id, provider.Wire))
        {
            if (_models.TryGetValue((vendor, upstreamModel), out var model) && _prices.TryGetValue((vendor, upstreamModel), out var price))
                return (model, price);
        }
        return null;
    }

    /// <summary>
    /// Whose models a provider serves: the vendor of its own name, if there is one, or else the one whose wire it speaks.
    /// </summary>
    public static IEnumerable<string> Vendors(string provider, string wire)
    {
        yield return provider;
        switch (wire)
        {
            case ProviderWire.OpenAi or ProviderWire.Responses: yield return OpenAi; break;
            case ProviderWire.Anthropic: yield return Anthropic; break;
            case ProviderWire.Gemini: yield return Google; break;
        }
    }

    public const string OpenAi = "openai", Anthropic = "anthropic", Google = "google";
}
