using System.Net;
using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Billing;

/// <summary>What this service asks of Wallet. An outage surfaces as an exception and becomes a 503, or a later attempt.</summary>
public sealed class LedgerClient(HttpClient http)
{
    public static readonly TimeSpan AttemptTimeout = TimeSpan.FromSeconds(5);

    public Task<BookedPayment> BookAsync(BookPayment payment, CancellationToken token) =>
        PostAsync<BookPayment, BookedPayment>("/internal/posts", payment, token);

    public Task<BookedPayment> BookPayoutAsync(BookPayout payout, CancellationToken token) =>
        PostAsync<BookPayout, BookedPayment>("/internal/payouts", payout, token);

    public Task<BookedPayment> BookPlanPaymentAsync(BookPlanPayment payment, CancellationToken token) =>
        PostAsync<BookPlanPayment, BookedPayment>("/internal/plan-payments", payment, token);

    public async Task<ProjectMargin> MarginAsync(Guid project, bool test, CancellationToken token)
    {
        using var response = await http.GetAsync($"/internal/projects/{project:D}/margin?test={(test ? "true" : "false")}", token);
        response.EnsureSuccessStatusCode();
        return (await response.Content.ReadFromJsonAsync<ProjectMargin>(Defaults.Json, token))!;
    }

    /// <summary>Null when there is no such wallet.</summary>
    public async Task<WalletState?> StateAsync(Guid wallet, CancellationToken token)
    {
        using var response = await http.GetAsync($"/internal/wallets/{wallet:D}", token);
        if (response.StatusCode == HttpStatusCode.NotFound)
            return null;
        response.EnsureSuccessStatusCode();
        return await response.Content.ReadFromJsonAsync<WalletState>(Defaults.Json, token);
    }

    /// <summary>Whether the caller's project has this wallet.</summary>
    public async Task<bool> HasAsync(Guid wallet, Principal caller, CancellationToken token) =>
        await StateAsync(wallet, token) is { } state && (state.Project, state.Test) == (caller.Project, caller.Test);

    /// <summary>Which of them have less than their mark. Any number.</summary>
    public async Task<IReadOnlyList<Guid>> BelowAsync(IReadOnlyList<BelowMark> marks, CancellationToken token)
    {
        var below = new List<Guid>();
        foreach (var some in marks.Chunk(BelowQuery.MaxAtOnce))
            below.AddRange((await PostAsync<BelowQuery, BelowAnswer>("/internal/wallets/below", new(some), token)).Wallets);
        return below;
    }

    /// <summary>What each has counted. One that nothing has counted on yet is absent.</summary>
    public async Task<IReadOnlyDictionary<Guid, long>> UsedAsync(IReadOnlyList<Guid> counters, CancellationToken token)
    {
        var used = new Dictionary<Guid, long>();
        foreach (var some in counters.Chunk(CountersQuery.MaxIds))
            foreach (var counter in (await PostAsync<CountersQuery, Counted>("/internal/counters", new(some), token)).Counters)
                used[counter.Id] = counter.Used;
        return used;
    }

    sealed record Counted(IReadOnlyList<CounterState> Counters);

    public async Task SetFrozenAsync(Guid wallet, bool frozen, CancellationToken token)
    {
        using var response = await http.PutAsJsonAsync($"/internal/wallets/{wallet:D}/frozen", new SetFrozen(frozen), Defaults.Json, token);
        response.EnsureSuccessStatusCode();
    }

    async Task<TAnswer> PostAsync<TAsked, TAnswer>(string path, TAsked asked, CancellationToken token)
    {
        using var response = await http.PostAsJsonAsync(path, asked, Defaults.Json, token);
        response.EnsureSuccessStatusCode();
        return (await response.Content.ReadFromJsonAsync<TAnswer>(Defaults.Json, token))!;
    }
}
