using System.Net;
using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Proxy;

/// <summary>What the edge asks the Sessions service.</summary>
public sealed class SessionsClient(HttpClient http, RedisClient redis)
{
    public static readonly TimeSpan AttemptTimeout = TimeSpan.FromSeconds(2);

    /// <param name="Any">Some project allows every origin.</param>
    public sealed record AllowedOrigins(bool Any, IReadOnlyList<string> Origins);

    public Task<Credential?> CredentialAsync(string fingerprint, bool skipRedis) =>
        FindAsync<Credential>(Invalidation.CredentialKey(fingerprint), $"/internal/credentials/{fingerprint}", skipRedis);

    public Task<ProjectCatalog?> ProjectAsync(Guid project, bool skipRedis) =>
        FindAsync<ProjectCatalog>(Invalidation.ProjectKey(project), $"/internal/projects/{project:N}", skipRedis);

    public Task<AllowedOrigins?> OriginsAsync() => GetAsync<AllowedOrigins>("/internal/origins");

    public async Task RecordUseAsync(KeyUses uses)
    {
        using var response = await http.PostAsJsonAsync("/internal/keys/used", uses, Defaults.Json);
        response.EnsureSuccessStatusCode();
    }

    public async Task RegisterAsync(ProviderObject made)
    {
        using var response = await http.PostAsJsonAsync("/internal/provider-objects", made, Defaults.Json);
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
        using var response = await http.DeleteAsync($"/internal/provider-objects/{gone.Customer:N}/{gone.Id}");
        response.EnsureSuccessStatusCode();
    }

    public async Task<IReadOnlyList<ProviderObject>> ClaimAsync(BatchClaim claim)
    {
        using var response = await http.PostAsJsonAsync("/internal/provider-objects/claim", claim, Defaults.Json);
        response.EnsureSuccessStatusCode();
        return (await response.Content.ReadFromJsonAsync<IReadOnlyList<ProviderObject>>(Defaults.Json))!;
    }

    public async Task SettledAsync(string batch, BatchSettled settled)
    {
        using var response = await http.PostAsJsonAsync($"/internal/provider-objects/{batch}/settled", settled, Defaults.Json);
        response.EnsureSuccessStatusCode();
    }

    async Task<T?> FindAsync<T>(string key, string path, bool skipRedis)
        where T : class =>
        (skipRedis ? null : await redis.GetAsync<T>(key)) ?? await GetAsync<T>(path);

    async Task<T?> GetAsync<T>(string path)
        where T : class
    {
        using var response = await http.GetAsync(path);
        if (response.StatusCode == HttpStatusCode.NotFound)
            return null;
        response.EnsureSuccessStatusCode();
        return await response.Content.ReadFromJsonAsync<T>(Defaults.Json);
    }
}
