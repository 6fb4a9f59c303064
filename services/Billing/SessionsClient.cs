using System.Net;
using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Billing;

/// <summary>What this service asks of Sessions. An outage surfaces as an exception and becomes a 503.</summary>
public sealed class SessionsClient(HttpClient http)
{
    public static readonly TimeSpan AttemptTimeout = TimeSpan.FromSeconds(2);

    /// <summary>Null when there is no such project.</summary>
    public async Task<ProjectTerms?> TermsAsync(Guid project, CancellationToken token, Guid? customer = null)
    {
        var path = $"/internal/projects/{project:D}/terms{(customer is { } id ? $"?customer={id:D}" : "")}";
        using var response = await http.GetAsync(path, token);
        if (response.StatusCode == HttpStatusCode.NotFound)
            return null;
        response.EnsureSuccessStatusCode();
        return await response.Content.ReadFromJsonAsync<ProjectTerms>(Defaults.Json, token);
    }

    /// <summary>Null when there is no such customer, or not any more.</summary>
    public async Task<CustomerProfile?> ProfileAsync(Guid customer, CancellationToken token)
    {
        using var response = await http.GetAsync($"/internal/customers/{customer:D}/profile", token);
        if (response.StatusCode == HttpStatusCode.NotFound)
            return null;
        response.EnsureSuccessStatusCode();
        return await response.Content.ReadFromJsonAsync<CustomerProfile>(Defaults.Json, token);
    }
}
