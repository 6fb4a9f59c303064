using System.Net;
using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Sessions;

/// <summary>What this service asks of Wallet. An outage surfaces as an exception and becomes a 503.</summary>
public sealed class WalletClient(HttpClient http)
{
    /// <summary>Registers that Wallet opens in one call.</summary>
    const int MaxAtOnce = 200;

    public static readonly TimeSpan AttemptTimeout = TimeSpan.FromSeconds(2);

    /// <summary>Opens what is not open yet; the amounts of what is open stay as they are.</summary>
    public async Task OpenAsync(IEnumerable<OpenRegister> registers, CancellationToken token)
    {
        foreach (var batch in registers.Chunk(MaxAtOnce))
        {
            using var response = await http.PostAsJsonAsync("/internal/registers", new OpenRegisters(batch), Defaults.Json, token);
            response.EnsureSuccessStatusCode();
        }
    }

    /// <param name="wallets">At most <see cref="WalletSummariesQuery.MaxIds"/>.</param>
    public async Task<IReadOnlyDictionary<Guid, WalletSummary>> SummariesAsync(
        IReadOnlyList<Guid> wallets,
        bool withLedger,
        CancellationToken token)
    {
        if (wallets.Count == 0)
            return new Dictionary<Guid, WalletSummary>();
        using var response =
            await http.PostAsJsonAsync("/internal/wallets/summaries", new WalletSummariesQuery(wallets, withLedger), Defaults.Json, token);
        response.EnsureSuccessStatusCode();
        var answer = await response.Content.ReadFromJsonAsync<Answer>(Defaults.Json, token);
        return answer!.Summaries.ToDictionary(summary => summary.Id);
    }

    /// <summary>Counters that no request has used yet are absent.</summary>
    /// <param name="counters">At most <see cref="CountersQuery.MaxIds"/>.</param>
    public async Task<IReadOnlyDictionary<Guid, CounterState>> CountersAsync(IReadOnlyList<Guid> counters, CancellationToken token)
    {
        if (counters.Count == 0)
            return new Dictionary<Guid, CounterState>();
        using var response = await http.PostAsJsonAsync("/internal/counters", new CountersQuery(counters), Defaults.Json, token);
        response.EnsureSuccessStatusCode();
        var answer = await response.Content.ReadFromJsonAsync<States>(Defaults.Json, token);
        return answer!.Counters.ToDictionary(counter => counter.Id);
    }

    /// <summary>What fails now is owed by Wallet, which was told before.</summary>
    public async Task TryOpenCountersAsync(OpenCounters counters, CancellationToken token)
    {
        try
        {
            await OpenCountersAsync(counters, token);
        }
        catch (Exception e) when (Problems.IsOutage(e))
        {
            // It is done in a minute.
        }
    }

    public async Task OpenCountersAsync(OpenCounters counters, CancellationToken token)
    {
        if (counters.Counters.Count == 0)
            return;
        using var response = await http.PostAsJsonAsync("/internal/counters/openings", counters, Defaults.Json, token);
        response.EnsureSuccessStatusCode();
    }

    /// <summary>What says who a customer is will leave the ledger, which owes that from now on; its money stays.</summary>
    public async Task EraseAsync(Guid customer, CancellationToken token)
    {
        using var response = await http.PostAsync($"/internal/customers/{customer:D}/erase", null, token);
        response.EnsureSuccessStatusCode();
    }

    /// <summary>Call credits that are left. Balances that are not open are absent.</summary>
    public Task<IReadOnlyDictionary<Guid, long>> CreditsLeftAsync(IReadOnlyList<Guid> balances, CancellationToken token) =>
        http.CreditsLeftAsync(balances, token);

    public async Task<AdjustedCredits> AdjustCreditsAsync(AdjustCredits adjustment, CancellationToken token)
    {
        using var response = await http.PostAsJsonAsync("/internal/credits", adjustment, Defaults.Json, token);
        response.EnsureSuccessStatusCode();
        return (await response.Content.ReadFromJsonAsync<AdjustedCredits>(Defaults.Json, token))!;
    }

    /// <summary>Null when the project has no such request, or it is not booked yet.</summary>
    public async Task<BookedRequest?> RequestAsync(Guid project, bool test, Guid request, CancellationToken token)
    {
        using var response = await http.GetAsync(
            $"/internal/projects/{project:D}/usage/{request:D}?test={(test ? "true" : "false")}", token);
        if (response.StatusCode == HttpStatusCode.NotFound)
            return null;
        response.EnsureSuccessStatusCode();
        return await response.Content.ReadFromJsonAsync<BookedRequest>(Defaults.Json, token);
    }

    sealed record Answer(IReadOnlyList<WalletSummary> Summaries);

    sealed record States(IReadOnlyList<CounterState> Counters);
}
