using System.Net;
using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Billing;

/// <summary>What this service asks of Sessions. An outage surfaces as an exception and becomes a 503.</summary>
public sealed class SessionsClient(HttpClient http)
{
    public static readonly TimeSpan AttemptTimeout = TimeSpan.FromSeconds(2);

    /// <summary>Null when there is no such project.</summary>
    public Task<ProjectTerms?> TermsAsync(Guid project, CancellationToken token, Guid? customer = null) =>
        FindAsync<ProjectTerms>($"/internal/projects/{project:D}/terms{(customer is { } id ? $"?customer={id:D}" : "")}", token);

    /// <summary>Null when there is no such customer, or not any more.</summary>
    public Task<CustomerProfile?> ProfileAsync(Guid customer, CancellationToken token) =>
        FindAsync<CustomerProfile>($"/internal/customers/{customer:D}/profile", token);

    async Task<TAnswer?> FindAsync<TAnswer>(string path, CancellationToken token) where TAnswer : class
    {
        using var response = await http.GetAsync(path, token);
        if (response.StatusCode == HttpStatusCode.NotFound)
            return null;
        response.EnsureSuccessStatusCode();
        return await response.Content.ReadFromJsonAsync<TAnswer>(Defaults.Json, token);
    }
}
