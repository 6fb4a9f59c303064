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
/// Tells the edge what projects sell and from where they may be called (<c>POST /internal/projects</c>). Preflights carry no credential
/// and hence no project, so <c>GET /internal/origins</c> has the origins of all projects, and the hosts of their routes for everybody.
/// </summary>
public static class ReadProject
{
    public static void MapProjects(this WebApplication app)
    {
        app.MapPost("/internal/projects", CatalogsAsync);
        app.MapGet("/internal/origins", OriginsAsync);
    }

    static async Task<IResult> CatalogsAsync(
        HttpContext http, SessionsDb db, HotCopies copies, SandboxAddress sandbox, TimeProvider time, CancellationToken token)
    {
        var asked = (await Body.ReadAsync<ProjectQuestion>(http)).Projects;
        if (asked.Count > ProjectQuestion.MaxAtOnce)
            return Problems.Invalid("projects", $"'projects' may have at most {ProjectQuestion.MaxAtOnce} entries.");
        var started = time.GetTimestamp();
        var catalogs = await ReadAsync(db, asked, sandbox.Url, time.GetUtcNow(), token);
        foreach (var catalog in catalogs)
            _ = copies.KeepAsync(Invalidation.ProjectKey(catalog.Id), catalog, started); // the answer does not wait for Redis
        return Results.Json(catalogs.ToDictionary(catalog => catalog.Id), Defaults.Json);
    }

    static async Task<IResult> OriginsAsync(SessionsDb db, CancellationToken token)
    {
        var lists = await db.Projects.Where(project => project.Active).Select(project => project.AllowedOrigins).ToListAsync(token);
        var hosts = await db.ProjectRoutes.Where(route => route.PublicHost != null)
            .Select(route => new { route.PublicHost, route.ProjectId }).Distinct().OrderBy(one => one.ProjectId).ToListAsync(token);
        return Results.Json(
            new
            {
                any = lists.Contains(null),
                origins = lists.SelectMany(list => list ?? []).Distinct(),
                hosts = hosts.DistinctBy(one => one.PublicHost).ToDictionary(one => one.PublicHost!, one => one.ProjectId),
            },
            Defaults.Json);
    }

    /// <summary>True when <paramref name="baseUrl"/> is the sandbox or lies under it.</summary>
    public static bool IsSandbox(string baseUrl, string? sandbox) =>
        !string.IsNullOrEmpty(sandbox) && $"{baseUrl}/".StartsWith($"{sandbox.TrimEnd('/')}/", StringComparison.OrdinalIgnoreCase);

    static async Task<List<ProjectCatalog>> ReadAsync(
        SessionsDb db, IReadOnlyList<Guid> ids, string? sandbox, DateTimeOffset now, CancellationToken token)
    {
        var projects = await db.Projects.AsNoTracking().Where(project => ids.Contains(project.Id)).ToListAsync(token);
        var providers = await db.Providers
            .AsNoTracking()
            .Include(provider => provider.Keys)
            .Where(provider => ids.Contains(provider.ProjectId))
            .OrderBy(provider => provider.Id)
            .ToListAsync(token);
        var models = await db.Models
            .AsNoTracking()
            .Include(model => model.Providers)
            .Where(model => ids.Contains(model.ProjectId) && model.Providers.Count > 0)
            .OrderBy(model => model.Id)
            .ToListAsync(token);
        var routes = (await db.ProjectRoutes.AsNoTracking().Where(route => ids.Contains(route.ProjectId)).OrderBy(route => route.Id)
            .ToListAsync(token)).ToLookup(route => route.ProjectId);
        var prices = (await db.CurrentPricesAsync(ids, token)).ToLookup(price => price.ProjectId);
        var catalogue = await Catalogue.ReadAsync(
            db,
            [.. models.SelectMany(model => model.Providers).Select(offer => offer.UpstreamModel)],
            now,
            token);
        return [.. projects.Select(project => Catalog(
            project,
            [.. providers.Where(provider => provider.ProjectId == project.Id)],
            models.Where(model => model.ProjectId == project.Id),
            ByOffer(prices[project.Id])))];

        ProjectCatalog Catalog(
            Project project, List<Provider> providers, IEnumerable<Model> models,
            Dictionary<(string Model, string? Provider), PriceVersion> prices)
        {
            var byId = providers.ToDictionary(provider => provider.Id);
            return new(
                project.Id, project.OrganizationId, project.Name, project.Active, project.EndUserSessions, project.AllowedOrigins,
                [.. providers.Select(provider => Connection(provider, sandbox))],
                [.. models.Select(model => Offer(model, byId, prices, catalogue)).OfType<ModelOffer>()])
            {
                KeysInQuery = project.KeysInQuery, Routes = [.. routes[project.Id].Select(RouteWriter.Read)],
            };
        }
    }

    static ProviderConnection Connection(Provider provider, string? sandbox) => new(
        provider.Id, provider.Wire, provider.BaseUrl, provider.AuthType, provider.AuthName,
        [.. provider.Keys.OrderBy(key => key.Position).Select(key => new SealedKey(key.SealedSecret, key.Weight))],
        provider.TimeoutSeconds, provider.Retries, provider.OnAbort, IsSandbox(provider.BaseUrl, sandbox))
    {
        Tenant = provider.Tenant, QueryType = provider.QueryType, RawPaths = provider.RawPaths,
    };

    /// <summary>
    /// The first provider's offer, with those of the others to fall back on. Null while neither the project nor the catalogue says what the
    /// model can do. An offer of a provider that was not there yet when providers were read is left out: whoever adds both pushes them.
    /// </summary>
    public static ModelOffer? Offer(
        Model model,
        Dictionary<string, Provider> providers,
        Dictionary<(string Model, string? Provider), PriceVersion> prices,
        Catalogue catalogue)
    {
        if (ModelLimits.Of(model, providers, catalogue).Limits is not { } limits)
            return null;
        ModelOffer[] offers =
        [
            .. model.Providers.Where(offer => providers.ContainsKey(offer.ProviderId)).OrderBy(offer => offer.Position).Select(Offered),
        ];
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

    /// <summary>The prices of one project.</summary>
    public static Dictionary<(string Model, string? Provider), PriceVersion> ByOffer(IEnumerable<PriceVersion> prices) =>
        prices.ToDictionary(version => (version.ModelId, version.ProviderId));
}
