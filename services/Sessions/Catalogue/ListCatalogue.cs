using System.Text.Json;
using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Sessions;

/// <summary>
/// <c>GET /internal/catalogue?filter=</c>: every model that is known, with its newest price, or those whose name contains the filter.
/// </summary>
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

    public static void MapListCatalogue(this WebApplication app) => app.MapGet("/internal/catalogue",
        async (HttpContext http, SessionsDb db, TimeProvider time, CancellationToken token, string filter = "") =>
        {
            var catalogue = await Catalogue.ReadAsync(db, null, time.GetUtcNow(), token);
            var models = catalogue.Entries.Select(entry => Show(entry.Model, entry.Price))
                .Where(model => $"{model.Vendor}/{model.Id}".Contains(filter, StringComparison.OrdinalIgnoreCase)).ToList();
            return http.WantsText()
                ? PlainText.Of(true, [$"{models.Count} models; prices in USD for a million units", .. models.Select(Line)])
                : Results.Json(new { models }, Defaults.Json);
        });

    static string Line(View model) =>
        $"{$"{model.Vendor}/{model.Id}",-48} {model.Kind,-10} {model.ContextTokens,9} {model.MaxOutputTokens,7}"
        + $"  {Text(JsonSerializer.SerializeToElement(model.Prices, Defaults.Json))}  ({model.Source}, {model.CheckedOn:yyyy-MM-dd})";

    /// <summary>Meters and their rates, named as in a seed file.</summary>
    static string Text(JsonElement prices) => string.Join(", ",
        prices.EnumerateObject().Where(meter => meter.Value.ValueKind != JsonValueKind.Null).Select(meter => meter.Value.ValueKind switch
        {
            JsonValueKind.String => $"{meter.Name} {meter.Value}",
            JsonValueKind.Object => $"in a {meter.Name}: {Text(meter.Value)}",
            _ => string.Join(", ", meter.Value.EnumerateArray().Select(tier =>
                $"above {tier.GetProperty("aboveInput")}: {Text(tier.GetProperty("prices"))}")),
        }));

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
