using System.Text.Json;
using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using Npgsql;

namespace LlmGateway.Billing;

/// <summary>
/// <c>GET /v1/connect/status</c>: whether the project can be paid, what to do next, and what it has earned. Stripe is asked; without its
/// answer it is what was known at <c>asOf</c>.
/// </summary>
public static class GetConnectStatus
{
    /// <param name="MarginBalance">What can be paid out.</param>
    /// <param name="Owed">
    /// What was paid out and then taken back from customers: the next margins pay it first. One of the two is 0.
    /// </param>
    /// <param name="InPayout">On its way.</param>
    /// <param name="AutomaticThreshold">Null: nothing is paid out by itself.</param>
    public sealed record Answer(
        string? AccountId, bool Onboarded, bool PayoutsEnabled, Money MarginBalance, string State, string? NextStep,
        IReadOnlyList<string> Due, Money Owed, Money InPayout, string Currency, Money? AutomaticThreshold, DateTimeOffset? AsOf);

    public static void MapGetConnectStatus(this WebApplication app) =>
        app.MapGet("/v1/connect/status", HandleAsync).WithQuery();

    static async Task<IResult> HandleAsync(
        HttpContext http, ConnectAccounts accounts, StripeModes modes, LedgerClient ledger, NpgsqlDataSource database,
        CancellationToken token)
    {
        var caller = http.Backend();
        var account = await ReadAsync();
        var margin = await ledger.MarginAsync(caller.Project, caller.Test, token);
        var state = AccountStates.Of(account);
        return Results.Json(
            new Answer(
                account?.Stripe, account is { Stripe: not null, DetailsSubmitted: true }, state == AccountState.Ready,
                PayoutRules.Shown(margin), Name(state), AccountStates.NextStep(account), account?.Due ?? [], PayoutRules.Owed(margin),
                new(margin.InPayout), "USD", await AutomaticPayouts.ThresholdAsync(database, caller.Project, caller.Test, token),
                account is { Stripe: not null } ? account.LookedAt : null),
            Defaults.Json);

        async Task<ConnectAccount?> ReadAsync()
        {
            if (modes.Of(caller.Test) is not { } mode)
                return null;
            try
            {
                return await accounts.FreshAsync(mode, caller.Project, caller.Test, token);
            }
            catch (Exception e) when (Problems.IsOutage(e))
            {
                return await database.ConnectAccountAsync(caller.Project, caller.Test, mode.Livemode, token);
            }
        }
    }

    /// <summary>As in <c>not_begun</c>.</summary>
    public static string Name(AccountState state) => JsonNamingPolicy.SnakeCaseLower.ConvertName(state.ToString());
}
