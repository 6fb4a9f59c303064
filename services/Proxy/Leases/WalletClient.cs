using System.Net;
using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Proxy;

/// <summary>What a slice asks of the ledger. Every call may be repeated, because leases number their calls.</summary>
public interface ILeaseLedger
{
    Task<LeaseAnswer> ExtendAsync(LeaseRequest request);

    Task ReturnAsync(LeaseReturn give);
}

/// <summary>The edge's calls to the ledger.</summary>
public sealed class WalletClient(HttpClient http, LedgerClock clock, TimeProvider time) : ILeaseLedger, IWindowLedger
{
    public static readonly TimeSpan AttemptTimeout = TimeSpan.FromSeconds(3);

    public async Task<LeaseAnswer> ExtendAsync(LeaseRequest request)
    {
        var answer = await AskAsync<LeaseRequest, LeaseAnswer>("/internal/leases", request, said => (said.Refusal, said.Now));
        EdgeMetrics.Leased(answer);
        return answer;
    }

    public async Task ReturnAsync(LeaseReturn give)
    {
        using var response = await http.PostAsJsonAsync("/internal/leases/return", give, Defaults.Json);
        response.EnsureSuccessStatusCode();
    }

    public Task<WindowsAnswer> OpenAsync(WindowsRequest request) =>
        AskAsync<WindowsRequest, WindowsAnswer>("/internal/windows", request, said => (said.Refusal, said.Now));

    /// <summary>Each answer tells the ledger's clock. A refusal because of it says that ours is wrong.</summary>
    async Task<TAnswer> AskAsync<TRequest, TAnswer>(
        string path, TRequest request, Func<TAnswer, (LeaseRefusal? Refusal, DateTimeOffset Now)> heard)
    {
        var asked = time.GetTimestamp();
        using var response = await http.PostAsJsonAsync(path, request, Defaults.Json);
        response.EnsureSuccessStatusCode();
        var answer = (await response.Content.ReadFromJsonAsync<TAnswer>(Defaults.Json))!;
        var (refusal, now) = heard(answer);
        if (refusal?.Reason == RefusalReason.CycleOver)
            clock.Distrust();
        clock.Heard(asked, time.GetTimestamp(), now);
        return answer;
    }

    public async Task<Guid> BeatAsync(Heartbeat heartbeat, CancellationToken token)
    {
        var asked = time.GetTimestamp();
        using var response = await http.PostAsJsonAsync("/internal/heartbeat", heartbeat, Defaults.Json, token);
        response.EnsureSuccessStatusCode();
        var answer = (await response.Content.ReadFromJsonAsync<HeartbeatAnswer>(Defaults.Json, token))!;
        clock.Heard(asked, time.GetTimestamp(), answer.Now);
        return answer.Epoch;
    }

    /// <summary>
    /// Books the real cost of a batch. False when the ledger does not know the batch yet, because its settlement is still on the way.
    /// </summary>
    public async Task<bool> BookAsync(BatchCost cost)
    {
        using var response = await http.PostAsJsonAsync("/internal/batch-costs", cost, Defaults.Json);
        if (response.StatusCode == HttpStatusCode.NotFound)
            return false;
        response.EnsureSuccessStatusCode();
        return true;
    }

    /// <summary>What is left in balances of call credits. Those that are not open are absent.</summary>
    public Task<IReadOnlyDictionary<Guid, long>> CreditsLeftAsync(IReadOnlyList<Guid> balances, CancellationToken token) =>
        http.CreditsLeftAsync(balances, token);

    public async Task<RenewedLeases> RenewAsync(LeaseRenewal renewal)
    {
        using var response = await http.PostAsJsonAsync("/internal/leases/renew", renewal, Defaults.Json);
        response.EnsureSuccessStatusCode();
        return (await response.Content.ReadFromJsonAsync<RenewedLeases>(Defaults.Json))!;
    }
}
