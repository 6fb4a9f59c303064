using System.Net;
using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Billing;

/// <summary>What this service asks of Wallet. An outage surfaces as an exception and becomes a 503, or a later attempt.</summary>
public sealed class LedgerClient(HttpClient http)
{
    public static readonly TimeSpan AttemptTimeout = TimeSpan.FromSeconds(5);

    public async Task<BookedPayment> BookAsync(BookPayment payment, CancellationToken token)
    {
        using var response = await http.PostAsJsonAsync("/internal/posts", payment, Defaults.Json, token);
        response.EnsureSuccessStatusCode();
        return (await response.Content.ReadFromJsonAsync<BookedPayment>(Defaults.Json, token))!;
    }

    public async Task<BookedPayment> BookPayoutAsync(BookPayout payout, CancellationToken token)
    {
        using var response = await http.PostAsJsonAsync("/internal/payouts", payout, Defaults.Json, token);
        response.EnsureSuccessStatusCode();
        return (await response.Content.ReadFromJsonAsync<BookedPayment>(Defaults.Json, token))!;
    }

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
        {
            using var response = await http.PostAsJsonAsync("/internal/wallets/below", new BelowQuery(some), Defaults.Json, token);
            response.EnsureSuccessStatusCode();
            below.AddRange((await response.Content.ReadFromJsonAsync<BelowAnswer>(Defaults.Json, token))!.Wallets);
        }
        return below;
    }

    public async Task SetFrozenAsync(Guid wallet, bool frozen, CancellationToken token)
    {
        using var response = await http.PutAsJsonAsync($"/internal/wallets/{wallet:D}/frozen", new SetFrozen(frozen), Defaults.Json, token);
        response.EnsureSuccessStatusCode();
    }
}
