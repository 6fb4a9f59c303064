using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using Microsoft.EntityFrameworkCore;

namespace LlmGateway.Sessions;

/// <summary>
/// A project's providers, for seed files and calls alike. <see cref="SeedRules"/> has been asked before; who calls this commits.
/// </summary>
public sealed class ProviderWriter
{
    readonly SessionsDb _db;
    readonly Envelope _envelope;
    readonly Guid _project;
    readonly Dictionary<string, Provider> _known;

    ProviderWriter(SessionsDb db, Envelope envelope, Guid project, Dictionary<string, Provider> known) =>
        (_db, _envelope, _project, _known) = (db, envelope, project, known);

    public static async Task<ProviderWriter> ReadAsync(SessionsDb db, Envelope envelope, Guid project, CancellationToken token) => new(
        db, envelope, project,
        await db.Providers.Include(provider => provider.Keys).Where(provider => provider.ProjectId == project)
            .ToDictionaryAsync(provider => provider.Id, token));

    public IReadOnlyDictionary<string, Provider> All => _known;

    /// <param name="tenant">A tenant writes it. A connection of the operator's that it leaves as it is stays the operator's.</param>
    public Provider Write(SeedProvider seed, bool tenant)
    {
        BaseUrls.TryRead(seed.Wire, seed.BaseUrl, out var baseUrl);
        if (!_known.TryGetValue(seed.Id, out var provider))
            _db.Add(_known[seed.Id] = provider = new()
            {
                ProjectId = _project, Id = seed.Id, Wire = "", BaseUrl = "", AuthType = "", TimeoutSeconds = 0, Retries = 0, OnAbort = "",
            });
        provider.Tenant = seed.Tenant == true || (tenant && (provider.Tenant || !IsSameConnection(seed, provider)));
        provider.Wire = seed.Wire;
        provider.BaseUrl = baseUrl;
        (provider.AuthType, provider.AuthName) = seed.Authentication;
        provider.TimeoutSeconds = seed.TimeoutSeconds;
        provider.Retries = seed.Retries;
        provider.OnAbort = seed.OnAbort;
        provider.QueryType = seed.QueryType;
        provider.RawPaths = seed.RawPaths?.ToList();
        WriteKeys(provider, seed.Secrets);
        return provider;
    }

    void WriteKeys(Provider provider, IReadOnlyList<SeedProviderKey> seeds)
    {
        var owner = ProviderConnection.SecretOwner(provider.ProjectId, provider.Id);
        var known = provider.Keys.ToDictionary(key => key.Position);
        provider.Keys.RemoveAll(key => key.Position >= seeds.Count);
        foreach (var (i, seed) in seeds.Index())
        {
            if (!known.TryGetValue(i, out var key))
                provider.Keys.Add(
                    key = new() { ProjectId = provider.ProjectId, ProviderId = provider.Id, Position = i, SealedSecret = "", Weight = 0 });
            key.Weight = seed.Weight;
            // A secret that was sealed by another master key counts as different, because it cannot be opened any more.
            if (_envelope.TryOpen(key.SealedSecret, owner) != seed.Value)
                key.SealedSecret = _envelope.Seal(seed.Value!, owner);
        }
    }

    /// <summary>
    /// The same with the secrets that are stored where it has none. They go where, and how, and for what they went before: whoever may
    /// change that, and does not know the secret, would have it sent to an address of his own, or use more of what it opens.
    /// </summary>
    public SeedProvider WithStoredSecrets(SeedProvider seed)
    {
        if (!_known.TryGetValue(seed.Id, out var stored) || stored.Keys.Count == 0)
            return seed;
        if (seed.Auth is null && seed.Keys is null)
            seed = seed with { Auth = new(stored.AuthType, stored.AuthName) };
        if (!IsSameConnection(seed, stored))
            return seed;
        var owner = ProviderConnection.SecretOwner(_project, seed.Id);
        var secrets = stored.Keys.OrderBy(key => key.Position)
            .Select(key => new SeedProviderKey(_envelope.TryOpen(key.SealedSecret, owner), key.Weight)).ToList();
        if (seed.Keys is { } given)
            return seed with
            {
                Keys = [.. given.Select((key, i) => key with { Value = key.Value ?? secrets.ElementAtOrDefault(i)?.Value })],
            };
        return seed.Auth?.Value is null ? seed with { Keys = secrets } : seed;
    }

    /// <summary>
    /// The same place, spoken to in the same way, with the secret at the same place, and open for the same calls: a wire, a list of raw
    /// paths and a type of call credits each open paths of the provider to whoever may call it.
    /// </summary>
    static bool IsSameConnection(SeedProvider seed, Provider stored) =>
        BaseUrls.TryRead(seed.Wire, seed.BaseUrl, out var baseUrl)
        && (baseUrl, seed.Wire) == (stored.BaseUrl, stored.Wire)
        && seed.Authentication == (stored.AuthType, stored.AuthName)
        && seed.QueryType is null == stored.QueryType is null
        && (seed.RawPaths, stored.RawPaths) switch
        {
            (null, null) => true,
            ({ } wanted, { } open) => wanted.SequenceEqual(open),
            _ => false,
        };

    /// <summary>At another host, or spoken to in another way: what the provider keeps for customers is not found there.</summary>
    public static bool IsElsewhere(SeedProvider seed, Provider stored) =>
        seed.Wire != stored.Wire
        || !BaseUrls.TryRead(seed.Wire, seed.BaseUrl, out var baseUrl)
        || HostOf(baseUrl) != HostOf(stored.BaseUrl);

    static string HostOf(string url) => new Uri(url).GetLeftPart(UriPartial.Authority);

    /// <summary>What would be written to make the provider as it is, without its secrets.</summary>
    public static SeedProvider Describe(Provider provider)
    {
        var keys = provider.Keys.OrderBy(key => key.Position).ToList();
        return new(provider.Id, provider.Wire, provider.BaseUrl)
        {
            Auth = new(provider.AuthType, provider.AuthName),
            Keys = keys is [] or [{ Weight: 1 }] ? null : keys.ConvertAll(key => new SeedProviderKey(null, key.Weight)),
            TimeoutSeconds = provider.TimeoutSeconds,
            Retries = provider.Retries,
            OnAbort = provider.OnAbort,
            QueryType = provider.QueryType,
            RawPaths = provider.RawPaths,
            Tenant = provider.Tenant ? true : null,
        };
    }
}
