using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using Npgsql;

namespace LlmGateway.Billing;

/// <summary>
/// <c>POST /v1/connect/payouts {amount?}</c>: sends what the project has earned to its account, without an amount all of it. Without a
/// clear answer of Stripe's it is 202 and <c>pending</c>: it is reserved, and will be paid or earned again.
/// </summary>
public static class StartPayout
{
    public sealed record Request(Money? Amount = null);

    /// <param name="TransferId">Stripe's; null while it is pending.</param>
    /// <param name="MarginBalance">What is left to be paid out; null while the ledger does not say.</param>
    public sealed record Answer(string Id, string? TransferId, Money Amount, string Currency, string Status, Money? MarginBalance);

    public static void MapStartPayout(this WebApplication app) => app.MapPost("/v1/connect/payouts", HandleAsync).WithIdempotency();

    static async Task<IResult> HandleAsync(
        HttpContext http, ConnectAccounts accounts, Payouts payouts, LedgerClient ledger, StripeModes modes, NpgsqlDataSource database,
        CancellationToken token)
    {
        var caller = http.Backend();
        var input = await Body.ReadAsync(http, new Request()); // the official package sends none
        if (PayoutRules.Refuse("amount", input.Amount) is { } refused)
            return refused;
        var id = Idempotency.EffectId(http, caller, "/v1/connect/payouts");
        var known = await database.PayoutAsync(id, token);
        if (known is null)
        {
            if (await AddAsync() is { } problem)
                return problem;
        }
        else if (input.Amount is { } asked && asked.Nanos != known.Nanos)
            return Problems.IdempotencyReused;
        Failpoint.Hit("billing.payout.added");
        return await AnswerAsync(await AdvanceAsync(payouts, database, id, again: known is not null, token), caller, ledger, token);

        async Task<Problem?> AddAsync()
        {
            if (modes.Of(caller.Test) is not { } mode)
                return NotSetUp(caller);
            var account = await accounts.FreshAsync(mode, caller.Project, caller.Test, token);
            if (NotReady(account) is { } notReady)
                return notReady;
            var (cents, problem) = PayoutRules.Payable(await ledger.MarginAsync(caller.Project, caller.Test, token), input.Amount);
            if (problem is null)
                await database.TryAddPayoutAsync(id, account!, cents, automatic: null, caller.Actor(), token);
            return problem;
        }
    }

    /// <summary>What a caller learns without Stripe's answer, or the ledger's: how far it got.</summary>
    static async Task<Payout> AdvanceAsync(
        Payouts payouts, NpgsqlDataSource database, Guid id, bool again, CancellationToken token)
    {
        try
        {
            return await payouts.AdvanceAsync(id, again, token);
        }
        catch (Exception e) when (Problems.IsOutage(e))
        {
            return (await database.PayoutAsync(id, token))!;
        }
    }

    static async Task<IResult> AnswerAsync(Payout payout, Principal caller, LedgerClient ledger, CancellationToken token)
    {
        if (payout.Status == Payout.Refused)
            return Problems.Conflict(
                "margin_changed", "The margin is another than a moment ago. Nothing was paid out; ask for the status and try again.",
                "amount");
        if (payout.Status == Payout.Failed)
            return Problems.Conflict("payout_failed", $"Nothing was paid out: {payout.Failure}");
        return Results.Json(
            new Answer(
                Ids.Show(Ids.Payout, payout.Id), payout.Transfer, new(payout.Nanos), "USD", payout.ShownStatus,
                await LeftAsync(caller, ledger, token)),
            Defaults.Json,
            statusCode: payout.Status == Payout.Paid ? StatusCodes.Status200OK : StatusCodes.Status202Accepted);
    }

    /// <summary>
    /// The payout stands. A caller who was told that it does not, because nobody knows what is left, would begin another one.
    /// </summary>
    static async Task<Money?> LeftAsync(Principal caller, LedgerClient ledger, CancellationToken token)
    {
        try
        {
            return PayoutRules.Shown(await ledger.MarginAsync(caller.Project, caller.Test, token));
        }
        catch (Exception e) when (Problems.IsOutage(e))
        {
            return null;
        }
    }

    public static Problem NotSetUp(Principal caller) => Problems.Conflict(
        "payments_not_set_up", $"Payments are not set up here for the {(caller.Test ? "test" : "live")} mode.");

    /// <summary>Null when the account can be paid. Onboarding is the caller's to end; any other state is for Stripe to change.</summary>
    public static Problem? NotReady(ConnectAccount? account) => AccountStates.Of(account) switch
    {
        AccountState.Ready => null,
        AccountState.NotBegun or AccountState.Incomplete => Problems.Invalid("accountId", Reason(account)) with { Code = "not_onboarded" },
        var state => Problems.Conflict($"account_{GetConnectStatus.Name(state)}", Reason(account), "accountId"),
    };

    static string Reason(ConnectAccount? account) =>
        $"The project's account ('accountId') cannot be paid. {AccountStates.NextStep(account)}";
}
