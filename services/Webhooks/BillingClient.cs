using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Webhooks;

/// <summary>What this service asks of Billing.</summary>
public sealed class BillingClient(HttpClient http)
{
    public static readonly TimeSpan AttemptTimeout = TimeSpan.FromSeconds(5);

    /// <summary>How many events Billing has decided for each series behind that one.</summary>
    public async Task<IReadOnlyList<EventNumber>> NumbersAsync(Guid after, CancellationToken token) =>
        (await http.GetFromJsonAsync<EventNumbers>($"/internal/event-numbers?after={after}", Defaults.Json, token))!.Subjects;
}
