using System.Collections.Frozen;
using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Proxy;

/// <summary>
/// A project's catalog, prepared for the hot path: models under every name that callers may use, and provider secrets decrypted.
/// </summary>
public sealed class Project
{
    readonly FrozenDictionary<string, Route> _routes;
    readonly FrozenDictionary<string, Upstream> _providers;

    public Project(ProjectCatalog catalog, Envelope envelope)
    {
        Catalog = catalog;
        Origins = catalog.AllowedOrigins?.ToFrozenSet(StringComparer.Ordinal);
        var providers = catalog.Providers.ToDictionary(
            provider => provider.Id, provider => new Upstream(provider, OpenSecrets(catalog, provider, envelope)));
        var routes = new Dictionary<string, Route>(StringComparer.Ordinal);
        foreach (var model in catalog.Models)
        {
            Route? first = null;
            foreach (var offer in model.Fallbacks.Prepend(model).Reverse())
            {
                if (!providers.TryGetValue(offer.Provider, out var upstream))
                    continue;
                routes[$"{offer.Provider}/{offer.Id}"] = new Route(offer, upstream) { QueryType = upstream.QueryType };
                first = new Route(offer, upstream) { Next = first, QueryType = upstream.QueryType };
            }
            if (first is not null)
                routes.TryAdd(model.Id, first);
        }
        _routes = routes.ToFrozenDictionary(StringComparer.Ordinal);
        _providers = providers.ToFrozenDictionary(StringComparer.Ordinal);
        Routes = new(catalog.Routes, FindProvider);
    }

    public ProjectCatalog Catalog { get; }

    public RouteTable Routes { get; }

    /// <summary>As <see cref="ProjectCatalog.AllowedOrigins"/>.</summary>
    public FrozenSet<string>? Origins { get; }

    /// <summary>
    /// Finds <c>model</c> or <c>provider/model</c>, exactly as written; null when the project does not offer it. A bare name gives the
    /// first provider, with the others in <see cref="Route.Next"/>. A name with a provider pins that provider.
    /// </summary>
    public Route? Find(string model) => _routes.GetValueOrDefault(model);

    public Upstream? FindProvider(string id) => _providers.GetValueOrDefault(id);

    static string[] OpenSecrets(ProjectCatalog catalog, ProviderConnection provider, Envelope envelope) =>
        [.. provider.Keys.Select(key => envelope.Open(key.SealedSecret, ProviderConnection.SecretOwner(catalog.Id, provider.Id)))];
}
