using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Webhooks;

/// <summary>What this service asks of Wallet.</summary>
public sealed class LedgerClient(HttpClient http)
{
    public static readonly TimeSpan AttemptTimeout = TimeSpan.FromSeconds(5);

    /// <summary>How many events Wallet has decided for each subject behind that one.</summary>
    public async Task<IReadOnlyList<EventNumber>> NumbersAsync(Guid after, CancellationToken token) =>
        (await http.GetFromJsonAsync<EventNumbers>($"/internal/event-numbers?after={after}", Defaults.Json, token))!.Subjects;
}
