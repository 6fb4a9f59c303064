using System.Net.Http.Json;
using LlmGateway.Contracts;

namespace LlmGateway.ServiceDefaults;

/// <summary><c>POST /internal/credits/balances</c>, which both the proxy and Sessions ask of Wallet.</summary>
public static class CreditsCall
{
    /// <summary>What is left in balances of call credits. Those that are not open are absent.</summary>
    public static async Task<IReadOnlyDictionary<Guid, long>> CreditsLeftAsync(
        this HttpClient wallet, IReadOnlyList<Guid> balances, CancellationToken token)
    {
        var left = new Dictionary<Guid, long>();
        foreach (var some in balances.Chunk(CallCredits.MaxTypes))
        {
            using var response = await wallet.PostAsJsonAsync("/internal/credits/balances", new CreditsQuery(some), Defaults.Json, token);
            response.EnsureSuccessStatusCode();
            foreach (var (balance, count) in (await response.Content.ReadFromJsonAsync<CreditsLeft>(Defaults.Json, token))!.Balances)
                left[balance] = count;
        }
        return left;
    }
}
