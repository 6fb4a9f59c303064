using LlmGateway.Contracts;
using Microsoft.EntityFrameworkCore;

namespace LlmGateway.Sessions;

/// <summary>A model as a file describes it.</summary>
/// <param name="Source">Where and when the price was found.</param>
public sealed record CatalogueEntry(
    string Vendor,
    string Id,
    string Kind,
    long? ContextTokens,
    long MaxOutputTokens,
    Prices Prices,
    string Source,
    DateOnly CheckedOn);

/// <summary>
/// Writes what a file says into the catalogue. A price that differs becomes a new version beside the old one. The same file again changes
/// nothing.
/// </summary>
public static class CatalogueWriter
{
    public sealed record Summary(int Added, int Changed, int Unchanged);

    /// <summary>Adds to the caller's transaction; a lock keeps other writers out until that ends.</summary>
    /// <param name="imported">
    /// False for the file that comes with the gateway. It says something new only when it differs from what it said before, so that a
    /// restart does not undo an import.
    /// </param>
    public static async Task<Summary> WriteAsync(
        SessionsDb db,
        IReadOnlyList<CatalogueEntry> entries,
        bool imported,
        DateTimeOffset now,
        CancellationToken token)
    {
        await db.LockAsync(token);
        var models = await db.CatalogueModels.ToDictionaryAsync(model => (model.Vendor, model.Id), token);
        var versions = await db.CataloguePrices
            .AsNoTracking()
            .OrderBy(price => price.ValidFrom)
            .ThenBy(price => price.Id)
            .ToListAsync(token);
        var prices = versions.ToLookup(price => (price.Vendor, price.ModelId));
        var (added, changed) = (0, 0);
        foreach (var entry in entries)
        {
            var key = (entry.Vendor, entry.Id);
            var isNew = !models.TryGetValue(key, out var model);
            if (model is null)
                db.Add(models[key] = model = new() { Vendor = entry.Vendor, Id = entry.Id, Kind = "", MaxOutputTokens = 0 });
            var known = prices[key].LastOrDefault(price => imported || !price.Imported);
            var newPrice = !StoredPrices.IsSame(entry.Prices, known?.Prices);
            if (newPrice)
                db.Add(PriceOf(entry, imported, now));
            var newLimits = (newPrice || imported || !prices[key].Any(price => price.Imported)) && SetLimits(model, entry);
            if (isNew)
                added++;
            else if (newPrice || newLimits)
                changed++;
        }
        await db.SaveChangesAsync(token);
        return new(added, changed, entries.Count - added - changed);
    }

    static CataloguePrice PriceOf(CatalogueEntry entry, bool imported, DateTimeOffset now) => new()
    {
        Id = Ids.New(), Vendor = entry.Vendor, ModelId = entry.Id, Prices = StoredPrices.Text(entry.Prices), ValidFrom = now,
        Imported = imported, Source = entry.Source, CheckedOn = entry.CheckedOn,
    };

    static bool SetLimits(CatalogueModel model, CatalogueEntry entry)
    {
        if ((model.Kind, model.ContextTokens, model.MaxOutputTokens) == (entry.Kind, entry.ContextTokens, entry.MaxOutputTokens))
            return false;
        (model.Kind, model.ContextTokens, model.MaxOutputTokens) = (entry.Kind, entry.ContextTokens, entry.MaxOutputTokens);
        return true;
    }
}
