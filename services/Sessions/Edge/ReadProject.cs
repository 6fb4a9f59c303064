using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using Microsoft.EntityFrameworkCore;

namespace LlmGateway.Sessions;

/// <summary>The address of the sandbox, if there is one. Test credentials may call providers under it, because they cost nothing.</summary>
public sealed record SandboxAddress(string? Url)
{
    public const string Setting = "SANDBOX_URL";
}

/// <summary>
/// Tells the edge what a project sells and from where it may be called (<c>GET /internal/projects/{id}</c>). Preflights carry no credential
/// and hence no project, so <c>GET /internal/origins</c> has the origins of all projects.
/// </summary>
public static class ReadProject
{
    public static void MapProjects(this WebApplication app)
    {
        app.MapGet("/internal/projects/{id:guid}", CatalogAsync);
        app.MapGet("/internal/origins", OriginsAsync);
    }

    static async Task<IResult> CatalogAsync(
        Guid id, SessionsDb db, HotCopies copies, SandboxAddress sandbox, TimeProvider time, CancellationToken token)
    {
        if (await ReadAsync(db, id, sandbox.Url, time.GetUtcNow(), token) is not { } catalog)
            return Problems.NotFound("project");
        _ = copies.KeepAsync(Invalidation.ProjectKey(id), catalog); // the answer does not wait for Redis
        return Results.Json(catalog, Defaults.Json);
    }

    static async Task<IResult> OriginsAsync(SessionsDb db, CancellationToken token)
    {
        var lists = await db.Projects.Where(project => project.Active).Select(project => project.AllowedOrigins).ToListAsync(token);
        return Results.Json(
            new { any = lists.Any(list => list.Count == 0), origins = lists.SelectMany(list => list).Distinct() },
            Defaults.Json);
    }

    /// <summary>True when <paramref name="baseUrl"/> is the sandbox or lies under it.</summary>
    public static bool IsSandbox(string baseUrl, string? sandbox) =>
        !string.IsNullOrEmpty(sandbox) && $"{baseUrl}/".StartsWith($"{sandbox.TrimEnd('/')}/", StringComparison.OrdinalIgnoreCase);

    static async Task<ProjectCatalog?> ReadAsync(SessionsDb db, Guid id, string? sandbox, DateTimeOffset now, CancellationToken token)
    {
        if (await db.Projects.AsNoTracking().SingleOrDefaultAsync(project => project.Id == id, token) is not { } project)
            return null;
        var providers = await db.Providers
            .AsNoTracking()
            .Include(provider => provider.Keys)
            .Where(provider => provider.ProjectId == id)
            .OrderBy(provider => provider.Id)
            .ToListAsync(token);
        var models = await db.Models
            .AsNoTracking()
            .Include(model => model.Providers)
            .Where(model => model.ProjectId == id)
            .OrderBy(model => model.Id)
            .ToListAsync(token);
        var prices = await db.CurrentPricesAsync(id, now, token);
        var catalogue = await Catalogue.ReadAsync(
            db,
            [.. models.SelectMany(model => model.Providers).Select(offer => offer.UpstreamModel)],
            now,
            token);
        var byId = providers.ToDictionary(provider => provider.Id);
        return new(
            project.Id, project.OrganizationId, project.Name, project.Active, project.EndUserSessions, project.AllowedOrigins,
            [.. providers.Select(provider => Connection(provider, sandbox))],
            [.. models.Select(model => Offer(model, byId, prices, catalogue)).OfType<ModelOffer>()],
            now) { KeysInQuery = project.KeysInQuery };
    }

    static ProviderConnection Connection(Provider provider, string? sandbox) => new(
        provider.Id, provider.Wire, provider.BaseUrl, provider.AuthType, provider.AuthName,
        [.. provider.Keys.OrderBy(key => key.Position).Select(key => new SealedKey(key.SealedSecret, key.Weight))],
        provider.TimeoutSeconds, provider.Retries, provider.OnAbort, IsSandbox(provider.BaseUrl, sandbox)) { Tenant = provider.Tenant };

    /// <summary>
    /// The first provider's offer, with those of the others to fall back on. Null while neither the project nor the catalogue says what the
    /// model can do.
    /// </summary>
    static ModelOffer? Offer(
        Model model,
        Dictionary<string, Provider> providers,
        Dictionary<(string Model, string? Provider), PriceVersion> prices,
        Catalogue catalogue)
    {
        if (ModelLimits.Of(model, providers, catalogue).Limits is not { } limits)
            return null;
        ModelOffer[] offers = [.. model.Providers.OrderBy(offer => offer.Position).Select(Offered)];
        return offers is [var first, .. var others] ? first with { Fallbacks = others } : null;

        ModelOffer Offered(ModelProvider offer)
        {
            var price = prices.GetValueOrDefault((model.Id, offer.OwnPrices ? offer.ProviderId : null)) is { } own ? (own.Id, own.Prices)
                : catalogue.Find(providers[offer.ProviderId], offer.UpstreamModel)?.Price is { } listed ? (listed.Id, listed.Prices)
                : ((Guid Id, string Prices)?)null;
            return new(
                model.Id,
                limits.Kind,
                offer.ProviderId,
                offer.UpstreamModel,
                limits.ContextTokens,
                limits.MaxOutputTokens,
                price?.Id,
                price is null ? null : StoredPrices.Read(price.Value.Prices));
        }
    }

    /// <summary>The newest version of each price that is valid by now. A model has a price, and at some providers one of its own.</summary>
    public static Task<Dictionary<(string Model, string? Provider), PriceVersion>> CurrentPricesAsync(
        this SessionsDb db,
        Guid project,
        DateTimeOffset now,
        CancellationToken token) =>
        db.PriceVersions.AsNoTracking().Where(version => version.ProjectId == project && version.ValidFrom <= now)
            .GroupBy(version => new { version.ModelId, version.ProviderId })
            .Select(versions => versions.OrderByDescending(version => version.ValidFrom).ThenByDescending(version => version.Id).First())
            .ToDictionaryAsync(version => (version.ModelId, version.ProviderId), token);
}
