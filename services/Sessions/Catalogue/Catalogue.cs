using LlmGateway.Contracts;
using Microsoft.EntityFrameworkCore;

namespace LlmGateway.Sessions;

/// <summary>
/// Limits and newest prices of vendors' models, whichever provider sells them. Projects take from it what they leave open. A price that
/// changes here changes for them; requests that were admitted before keep their version.
/// </summary>
public sealed class Catalogue
{
    readonly Dictionary<(string Vendor, string Id), CatalogueModel> _models;
    readonly Dictionary<(string Vendor, string Id), CataloguePrice> _prices;

    public Catalogue(Dictionary<(string, string), CatalogueModel> models, Dictionary<(string, string), CataloguePrice> prices) =>
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
    /// The vendors whose models a provider may serve: first the vendor of the provider's own name, then the one whose wire it speaks.
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
