using System.Net;
using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Proxy;

/// <summary>What the edge asks the Sessions service.</summary>
public sealed class SessionsClient(HttpClient http, Redis redis)
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
