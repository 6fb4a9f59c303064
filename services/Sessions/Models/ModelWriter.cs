using LlmGateway.Contracts;
using Microsoft.EntityFrameworkCore;

namespace LlmGateway.Sessions;

/// <summary>
/// A project's models and their prices, for seed files and calls alike. <see cref="SeedRules"/> has been asked before; who calls this
/// commits. Throws <see cref="SeedException"/> for what only the database shows.
/// </summary>
public sealed class ModelWriter
{
    readonly SessionsDb _db;
    readonly Guid _project;
    readonly Dictionary<string, Model> _known;
    readonly IReadOnlyDictionary<string, Provider> _providers;
    readonly Dictionary<(string Model, string? Provider), PriceVersion> _prices;
    readonly Catalogue _catalogue;
    readonly DateTimeOffset _now;

    ModelWriter(
        SessionsDb db, Guid project, Dictionary<string, Model> known, IReadOnlyDictionary<string, Provider> providers,
        Dictionary<(string Model, string? Provider), PriceVersion> prices, Catalogue catalogue, DateTimeOffset now)
    {
        (_db, _project, _known, _providers) = (db, project, known, providers);
        (_prices, _catalogue, _now) = (prices, catalogue, now);
    }

    /// <param name="seeds">Those that will be written.</param>
    /// <param name="providers">All of the project, as they are to be.</param>
    /// <param name="now">Of the transaction that has locked the project: prices are in force in the order of their writers.</param>
    public static async Task<ModelWriter> ReadAsync(
        SessionsDb db, Guid project, IReadOnlyList<SeedModel> seeds, IReadOnlyDictionary<string, Provider> providers, DateTimeOffset now,
        CancellationToken token)
    {
        var names = seeds.Select(seed => seed.Id).ToList();
        return new(
            db, project,
            await db.Models.Include(model => model.Providers)
                .Where(model => model.ProjectId == project && (model.Providers.Count > 0 || names.Contains(model.Id)))
                .ToDictionaryAsync(model => model.Id, token),
            providers,
            ReadProject.ByOffer(await db.PricesBeforeAsync(project, seeds, token)),
            await Catalogue.ReadAsync(db, [.. seeds.SelectMany(seed => seed.Offers).Select(offer => offer.UpstreamModel!)], now, token),
            now);
    }

    /// <summary>Of models that are on offer.</summary>
    public int Count => _known.Values.Count(model => model.Providers.Count > 0);

    /// <summary>The newest of the models that were to be written.</summary>
    public IReadOnlyDictionary<(string Model, string? Provider), PriceVersion> Newest => _prices;

    /// <summary>Prices that are to be saved.</summary>
    public int NewPrices { get; private set; }

    public bool Has(string id) => _known.TryGetValue(id, out var model) && model.Providers.Count > 0;

    /// <param name="path">Of the model, where it is written.</param>
    public Model Write(SeedModel seed, string path)
    {
        if (!_known.TryGetValue(seed.Id, out var model))
            _db.Add(_known[seed.Id] = model = new() { ProjectId = _project, Id = seed.Id });
        model.Kind = seed.Kind;
        model.ContextTokens = seed.ContextTokens;
        model.MaxOutputTokens = seed.MaxOutputTokens;
        WriteProviders(model, seed.Offers);
        WritePrice(model, null, seed.Prices);
        foreach (var offer in seed.Offers)
            WritePrice(model, offer.Id, offer.Prices);
        if (ModelLimits.Of(model, _providers, _catalogue) is (_, var missing) && missing is not null)
            throw new SeedException(
                $"{path}.{missing} is required: the catalogue does not know '{model.Providers[0].UpstreamModel}' of "
                    + $"{model.Providers[0].ProviderId}");
        return model;
    }

    /// <summary>A model that is had from the provider, or null.</summary>
    public string? NameOf(string provider) => Of(provider).FirstOrDefault()?.Id;

    /// <summary>
    /// A model that is had from the provider and from one with another type of call credits, or null. The provider's type may have changed
    /// under a model that only the database has.
    /// </summary>
    public string? OfOtherType(string provider) => Of(provider).FirstOrDefault(
        model => model.Providers.Select(offer => _providers[offer.ProviderId].QueryType).Distinct().Count() > 1)?.Id;

    IEnumerable<Model> Of(string provider) => _known.Values.Where(model => model.Providers.Exists(offer => offer.ProviderId == provider))
        .OrderBy(model => model.Id, StringComparer.Ordinal);

    static void WriteProviders(Model model, IReadOnlyList<SeedModelProvider> seeds)
    {
        var known = model.Providers.ToDictionary(offer => offer.ProviderId);
        model.Providers.RemoveAll(offer => seeds.All(seed => seed.Id != offer.ProviderId));
        foreach (var (i, seed) in seeds.Index())
        {
            if (!known.TryGetValue(seed.Id, out var offer))
                model.Providers.Add(offer = new()
                {
                    ProjectId = model.ProjectId, ModelId = model.Id, ProviderId = seed.Id, Position = i, UpstreamModel = "",
                    OwnPrices = false,
                });
            offer.Position = i;
            offer.UpstreamModel = seed.UpstreamModel!;
            offer.OwnPrices = seed.Prices is not null;
        }
    }

    /// <param name="provider">Null for the model's own price.</param>
    void WritePrice(Model model, string? provider, Prices? price)
    {
        var before = _prices.GetValueOrDefault((model.Id, provider));
        if (price is null || StoredPrices.IsSame(price, before?.Prices))
            return;
        // The clock of the instance that wrote the one before may be ahead. That one must not stay in force.
        var validFrom = before?.ValidFrom.AddMicroseconds(1) is { } first && first > _now ? first : _now;
        _db.Add(_prices[(model.Id, provider)] = new()
        {
            Id = Ids.New(), ProjectId = model.ProjectId, ModelId = model.Id, ProviderId = provider, Prices = StoredPrices.Text(price),
            ValidFrom = validFrom,
        });
        NewPrices++;
    }

    /// <summary>What would be written to make the model as it is.</summary>
    /// <param name="prices">Of the project.</param>
    public static SeedModel Describe(Model model, IReadOnlyDictionary<(string Model, string? Provider), PriceVersion> prices)
    {
        var offers = model.Providers.OrderBy(offer => offer.Position).Select(offer => new SeedModelProvider(
            offer.ProviderId,
            offer.UpstreamModel == model.Id ? null : offer.UpstreamModel,
            offer.OwnPrices ? PriceOf(offer.ProviderId) : null)).ToList();
        var seed = new SeedModel(model.Id)
        {
            Kind = model.Kind, ContextTokens = model.ContextTokens, MaxOutputTokens = model.MaxOutputTokens, Prices = PriceOf(null),
        };
        return offers is [{ Prices: null } only]
            ? seed with { Provider = only.Id, UpstreamModel = only.UpstreamModel }
            : seed with { Providers = offers };

        Prices? PriceOf(string? provider) =>
            prices.GetValueOrDefault((model.Id, provider)) is { } version ? StoredPrices.Read(version.Prices) : null;
    }
}
