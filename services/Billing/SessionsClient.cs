using System.Net;
using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Billing;

/// <summary>What this service asks of Sessions. An outage surfaces as an exception and becomes a 503.</summary>
public sealed class SessionsClient(HttpClient http)
{
    public static readonly TimeSpan AttemptTimeout = TimeSpan.FromSeconds(2);

    /// <summary>No external id is longer.</summary>
    const int MaxName = 1000;

    /// <summary>Null when there is no such project.</summary>
    public Task<ProjectTerms?> TermsAsync(Guid project, CancellationToken token, Guid? customer = null) =>
        FindAsync<ProjectTerms>($"/internal/projects/{project:D}/terms{(customer is { } id ? $"?customer={id:D}" : "")}", token);

    /// <summary>Null when there is no such customer, or not any more.</summary>
    public Task<CustomerProfile?> ProfileAsync(Guid customer, CancellationToken token) =>
        FindAsync<CustomerProfile>($"/internal/customers/{customer:D}/profile", token);

    public async Task<SoldPlans> PlansAsync(Guid project, CancellationToken token)
    {
        using var response = await http.GetAsync($"/internal/projects/{project:D}/plans", token);
        response.EnsureSuccessStatusCode();
        return (await response.Content.ReadFromJsonAsync<SoldPlans>(Defaults.Json, token))!;
    }

    /// <summary>By an id or an external id. Null when there is no such customer, or it is not served.</summary>
    public async Task<NamedCustomer?> CustomerAsync(Guid project, bool test, string name, CancellationToken token) =>
        name.Length is 0 or > MaxName ? null : await FindAsync<NamedCustomer>(
            $"/internal/projects/{project:D}/customers?test={(test ? "true" : "false")}&name={Uri.EscapeDataString(name)}", token);

    /// <summary>What a subscription gives its customer.</summary>
    public async Task GivePlanAsync(Guid customer, SubscribedPlan plan, CancellationToken token)
    {
        using var response = await http.PutAsJsonAsync($"/internal/customers/{customer:D}/plan", plan, Defaults.Json, token);
        if (response.StatusCode == HttpStatusCode.NotFound)
            throw new InvalidOperationException($"customer {customer:N} or plan {plan.Plan} is not there any more");
        response.EnsureSuccessStatusCode();
    }

    async Task<TAnswer?> FindAsync<TAnswer>(string path, CancellationToken token) where TAnswer : class
    {
        using var response = await http.GetAsync(path, token);
        if (response.StatusCode == HttpStatusCode.NotFound)
            return null;
        response.EnsureSuccessStatusCode();
        return await response.Content.ReadFromJsonAsync<TAnswer>(Defaults.Json, token);
    }
}
