using System.Net;
using System.Net.Http.Headers;
using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Proxy.ExternalUsage;

/// <summary>The ledger, which knows what became of each event. It throws where the ledger does not answer.</summary>
public sealed class MeteredEventsClient(HttpClient http)
{
    public static readonly TimeSpan AttemptTimeout = TimeSpan.FromSeconds(3);

    public async Task<IReadOnlyList<ClaimedEvent>> ClaimAsync(EventClaims claims)
    {
        using var response = await http.PostAsJsonAsync("/internal/metered-events", claims, Defaults.Json);
        response.EnsureSuccessStatusCode();
        return (await response.Content.ReadFromJsonAsync<ClaimedEvents>(Defaults.Json))!.Events;
    }

    /// <param name="record">The event's settlement.</param>
    /// <returns>False when its month is closed, which it was not a moment ago: who tells it again gets another id for it.</returns>
    public async Task<bool> BookAsync(Guid request, byte[] record)
    {
        using var body = new ByteArrayContent(record);
        body.Headers.ContentType = new MediaTypeHeaderValue("application/octet-stream");
        using var response = await http.PostAsync($"/internal/metered-events/{request:N}", body);
        if (response.StatusCode == HttpStatusCode.Conflict)
            return false;
        response.EnsureSuccessStatusCode();
        return true;
    }
}
