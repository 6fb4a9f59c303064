using System.Text.Json;
using System.Text.Json.Serialization;
using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Sessions;

/// <summary>
/// The models that come with the gateway: <c>Catalogue/models.json</c>, each price with its source and the day on which it was read there.
/// </summary>
public static class CuratedModels
{
    sealed record CuratedFile(IReadOnlyList<CuratedVendor> Vendors);

    /// <param name="HalfInBatches">The vendor's documentation says that every token costs half in a batch.</param>
    sealed record CuratedVendor(
        string Id,
        string Source,
        DateOnly CheckedOn,
        IReadOnlyList<CuratedModel> Models,
        bool HalfInBatches = false);

    /// <param name="Source">When it is not the vendor's.</param>
    sealed record CuratedModel(
        string Id,
        long? ContextTokens,
        Prices Prices,
        string Kind = "chat",
        long MaxOutputTokens = 0,
        string? Source = null,
        DateOnly? CheckedOn = null);

    static readonly JsonSerializerOptions Json = new(Defaults.Json) { UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow };

    public static IReadOnlyList<CatalogueEntry> Read()
    {
        using var file = typeof(CuratedModels).Assembly.GetManifestResourceStream("models.json")!;
        var curated = JsonSerializer.Deserialize<CuratedFile>(file, Json)!;
        return
        [
            .. curated.Vendors.SelectMany(vendor => vendor.Models.Select(model => new CatalogueEntry(
                vendor.Id,
                model.Id,
                model.Kind,
                model.ContextTokens,
                model.MaxOutputTokens,
                vendor.HalfInBatches ? model.Prices with { Batch = Half(model.Prices) } : model.Prices,
                model.Source ?? vendor.Source,
                model.CheckedOn ?? vendor.CheckedOn))),
        ];
    }

    static Prices Half(Prices prices) => prices with
    {
        Input = Half(prices.Input),
        CachedInput = Half(prices.CachedInput),
        CacheWrite5m = Half(prices.CacheWrite5m),
        CacheWrite1h = Half(prices.CacheWrite1h),
        Output = Half(prices.Output),
        Reasoning = Half(prices.Reasoning),
        Tiers = prices.Tiers?.Select(tier => tier with { Prices = Half(tier.Prices) }).ToArray(),
    };

    static Rate? Half(Rate? rate) => rate is { } whole ? new((whole.Picos + 1) / 2) : null;
}
