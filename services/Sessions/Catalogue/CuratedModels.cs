using System.Text.Json;
using System.Text.Json.Serialization;
using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Sessions;

/// <summary>The models that come with the gateway: <c>Catalogue/models.json</c>, each price with its source and the day on which it was read there.</summary>
public static class CuratedModels
{
    sealed record CuratedFile(IReadOnlyList<CuratedVendor> Vendors);

    sealed record CuratedVendor(string Id, string Source, DateOnly CheckedOn, IReadOnlyList<CuratedModel> Models);

    /// <param name="Source">When it is not the vendor's.</param>
    sealed record CuratedModel(
        string Id, long? ContextTokens, Prices Prices, string Kind = "chat", long MaxOutputTokens = 0, string? Source = null, DateOnly? CheckedOn = null);

    static readonly JsonSerializerOptions Json = new(Defaults.Json) { UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow };

    public static IReadOnlyList<CatalogueEntry> Read()
    {
        using var file = typeof(CuratedModels).Assembly.GetManifestResourceStream("models.json")!;
        var curated = JsonSerializer.Deserialize<CuratedFile>(file, Json)!;
        return
        [
            .. curated.Vendors.SelectMany(vendor => vendor.Models.Select(model => new CatalogueEntry(
                vendor.Id, model.Id, model.Kind, model.ContextTokens, model.MaxOutputTokens, model.Prices, model.Source ?? vendor.Source, model.CheckedOn ?? vendor.CheckedOn))),
        ];
    }
}
