using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Sessions;

/// <summary>What this service asks of Wallet about call credits. An outage surfaces as an exception and becomes a 503.</summary>
public sealed class CreditsClient(HttpClient http)
{
    public static readonly TimeSpan AttemptTimeout = TimeSpan.FromSeconds(2);

    /// <summary>Balances that are not open are absent.</summary>
    public Task<IReadOnlyDictionary<Guid, long>> LeftAsync(IReadOnlyList<Guid> balances, CancellationToken token) =>
        http.CreditsLeftAsync(balances, token);

    public async Task<AdjustedCredits> AdjustAsync(AdjustCredits adjustment, CancellationToken token)
    {
        using var response = await http.PostAsJsonAsync("/internal/credits", adjustment, Defaults.Json, token);
        response.EnsureSuccessStatusCode();
        return (await response.Content.ReadFromJsonAsync<AdjustedCredits>(Defaults.Json, token))!;
    }
}
