using System.Net;
using System.Text.Json.Nodes;
using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Proxy;

/// <summary>What the edge asks the Sessions service.</summary>
public sealed class SessionsClient
{
    public static readonly TimeSpan AttemptTimeout = TimeSpan.FromSeconds(2);

    /// <param name="Any">Some project allows every origin.</param>
    public sealed record AllowedOrigins(bool Any, IReadOnlyList<string> Origins)
    {
        /// <summary>Hosts of routes that everybody may call, and whose they are.</summary>
        public IReadOnlyDictionary<string, Guid> Hosts { get; init; } = new Dictionary<string, Guid>();
    }

    readonly HttpClient _http;
    readonly RedisClient _redis;
    readonly BatchedLookups<string, Credential> _credentials;
    readonly BatchedLookups<Guid, ProjectCatalog> _projects;

    public SessionsClient(HttpClient http, RedisClient redis, TimeProvider time)
    {
        (_http, _redis) = (http, redis);
        _credentials = new(
            keys => AskAsync<string, Credential>("/internal/credentials", new CredentialQuestion(keys)),
            CredentialQuestion.MaxAtOnce,
            time);
        _projects = new(
            keys => AskAsync<Guid, ProjectCatalog>("/internal/projects", new ProjectQuestion(keys)),
            ProjectQuestion.MaxAtOnce,
            time);
    }

    public Task<Found<Credential>> CredentialAsync(string fingerprint, bool skipRedis) =>
        FindAsync(Invalidation.CredentialKey(fingerprint), () => _credentials.FindAsync(fingerprint), skipRedis);

    public Task<Found<ProjectCatalog>> ProjectAsync(Guid project, bool skipRedis) =>
        FindAsync(Invalidation.ProjectKey(project), () => _projects.FindAsync(project), skipRedis);

    public Task<AllowedOrigins?> OriginsAsync() => GetAsync<AllowedOrigins>("/internal/origins");

    /// <summary>As <c>GET /v1/customers/{id}/limits</c> answers.</summary>
    public Task<JsonArray?> LimitsAsync(Guid customer) => GetAsync<JsonArray>($"/internal/limits/{customer:N}");

    public async Task RecordUseAsync(KeyUses uses)
    {
        using var response = await _http.PostAsJsonAsync("/internal/keys/used", uses, Defaults.Json);
        response.EnsureSuccessStatusCode();
    }

    public async Task RegisterAsync(ProviderObject made)
    {
        using var response = await _http.PostAsJsonAsync("/internal/provider-objects", made, Defaults.Json);
        response.EnsureSuccessStatusCode();
    }

    /// <summary>Null when the customer has no such object.</summary>
    public Task<ProviderObject?> ObjectAsync(Guid customer, string id) =>
        GetAsync<ProviderObject>($"/internal/provider-objects/{customer:N}/{Uri.EscapeDataString(id)}");

    /// <summary>Newest first.</summary>
    /// <param name="after">The last object of the previous page.</param>
    public async Task<IReadOnlyList<ProviderObject>> ObjectsAsync(Guid customer, string kind, int limit, string? after) =>
        await GetAsync<IReadOnlyList<ProviderObject>>(
            $"/internal/provider-objects/{customer:N}?kind={kind}&limit={limit}&after={Uri.EscapeDataString(after ?? "")}") ?? [];

    public async Task DeleteAsync(ProviderObject gone)
    {
        using var response = await _http.DeleteAsync($"/internal/provider-objects/{gone.Customer:N}/{gone.Id}");
        response.EnsureSuccessStatusCode();
    }

    public async Task<IReadOnlyList<ProviderObject>> ClaimAsync(BatchClaim claim)
    {
        using var response = await _http.PostAsJsonAsync("/internal/provider-objects/claim", claim, Defaults.Json);
        response.EnsureSuccessStatusCode();
        return (await response.Content.ReadFromJsonAsync<IReadOnlyList<ProviderObject>>(Defaults.Json))!;
    }

    public async Task SettledAsync(string batch, BatchSettled settled)
    {
        using var response = await _http.PostAsJsonAsync($"/internal/provider-objects/{batch}/settled", settled, Defaults.Json);
        response.EnsureSuccessStatusCode();
    }

    /// <summary>A copy in Redis is as old as the time to live that it has lost. Redis measures that on its own clock.</summary>
    async Task<Found<T>> FindAsync<T>(string key, Func<Task<T?>> ask, bool skipRedis)
        where T : class
    {
        if (!skipRedis)
        {
            var (copy, left) = await _redis.GetAsync<T>(key);
            if (copy is not null && left > TimeSpan.Zero && left <= Credential.MaxAge)
                return new(copy, Credential.MaxAge - left);
        }
        return new(await ask(), null);
    }

    async Task<IReadOnlyDictionary<TKey, TValue>> AskAsync<TKey, TValue>(string path, object question)
        where TKey : notnull
    {
        using var response = await _http.PostAsJsonAsync(path, question, Defaults.Json);
        response.EnsureSuccessStatusCode();
        return (await response.Content.ReadFromJsonAsync<Dictionary<TKey, TValue>>(Defaults.Json))!;
    }

    async Task<T?> GetAsync<T>(string path)
        where T : class
    {
        using var response = await _http.GetAsync(path);
        if (response.StatusCode == HttpStatusCode.NotFound)
            return null;
        response.EnsureSuccessStatusCode();
        return await response.Content.ReadFromJsonAsync<T>(Defaults.Json);
    }
}
