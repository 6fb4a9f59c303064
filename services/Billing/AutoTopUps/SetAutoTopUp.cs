using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using Npgsql;

namespace LlmGateway.Billing;

/// <summary>
/// <c>PUT|GET|DELETE /v1/wallet/auto-top-up</c> for a session, <c>/v1/wallets/{id}/auto-top-up</c> for a backend: below which balance a
/// wallet is topped up by itself, by how much, and how much of it a month may have.
/// </summary>
public static class SetAutoTopUp
{
    static readonly Money MaxCeiling = Money.Usd(100_000);

    public sealed record Request(Money Below, Money Amount, Money MonthlyCeiling);

    /// <param name="Status"><c>active</c>, <c>off</c>, or <c>paused</c> for a reason until a person has done something.</param>
    /// <param name="Reason">
    /// Of a pause; of one that is active, why nothing is charged now: the attempt before, the month's ceiling, or a rule of trust.
    /// </param>
    /// <param name="Failure">Of the attempt before, while the next one waits or a person is waited for.</param>
    /// <param name="ChargedThisMonth">What was charged and is under way, in the unit of the amount.</param>
    /// <param name="NextTry">When nothing that is known keeps it any more; null: with the next look.</param>
    /// <param name="Confirm">A payment that its owner is to confirm.</param>
    sealed record View(
        string Status, string? Reason, ListTopUps.Failure? Failure, Money? Below, Money? Amount, Money? MonthlyCeiling,
        Money ChargedThisMonth, DateTimeOffset? NextTry, CardView? Card, object? Confirm);

    sealed record Wait(string Reason, DateTimeOffset? Until);

    /// <summary>What the audit has of it.</summary>
    sealed record Wish(Money Below, Money Amount, Money MonthlyCeiling, string Status);

    public static void MapSetAutoTopUp(this WebApplication app)
    {
        foreach (var path in (string[])["/v1/wallet/auto-top-up", "/v1/wallets/{id}/auto-top-up"])
        {
            app.MapPut(path, PutAsync);
            app.MapGet(path, GetAsync).WithQuery();
            app.MapDelete(path, DeleteAsync);
        }
    }

    static async Task<IResult> PutAsync(
        HttpContext http, NpgsqlDataSource database, LedgerClient ledger, SessionsClient sessions, StripeModes modes, StripeCalls stripe,
        SavedCards cards, AutoTopUps topUps, Trust trust, TimeProvider time, CancellationToken token)
    {
        var input = await Body.ReadAsync<Request>(http);
        if (Refuse(input) is { } refused)
            return refused;
        var owner = await OwnerAsync(http, ledger, token);
        if (await sessions.TermsAsync(owner.Project, token, owner.Customer) is not { CustomerActive: true })
            return Problems.NotFound("wallet");
        var mode = owner.ModeOf(modes);
        await cards.LookAsync(mode, owner.Wallet, token);
        if (await cards.CardAsync(owner.Wallet, mode.Livemode, token) is null)
            return Problems.Conflict(
                "no_payment_method", "No card is saved for this wallet. Save one with POST /v1/wallet/payment-method first.");
        await ChangeAsync(
            http, owner, database,
            connection => connection.ChangeAsync("""
                insert into auto_top_up as t (wallet, organization, project, customer, test, below, amount, ceiling)
                values ($1, $2, $3, $4, $5, $6, $7, $8)
                on conflict (wallet) do update set below = excluded.below, amount = excluded.amount, ceiling = excluded.ceiling,
                    status = case when t.reason = $9 and t.payment is not null then t.status else 'active' end,
                    reason = case when t.reason = $9 and t.payment is not null then t.reason end,
                    failures = case when t.status = 'active' then t.failures else 0 end, due_at = now()
                """, token,
                owner.Wallet, owner.Organization, owner.Project, owner.Customer, owner.Test, input.Below.Nanos, input.Amount.Nanos,
                input.MonthlyCeiling.Nanos, AutoTopUp.Authentication),
            token);
        await topUps.TellAsync(owner.Wallet, token);
        return await ShowAsync(http, owner.Wallet, mode, database, stripe, cards, trust, time, token);
    }

    static Problem? Refuse(Request input) =>
        input.Below.Nanos <= 0 || input.Below.Nanos > Quote.Most.Nanos
            ? Problems.Invalid("below", $"'below' must be above 0 and at most {Quote.Most} USD.")
        : input.Below.Nanos % Quote.NanosPerCent != 0 ? Problems.Invalid("below", "'below' must have at most two decimals.")
        : Quote.Refuse(input.Amount)
            ?? (input.MonthlyCeiling.Nanos < input.Amount.Nanos || input.MonthlyCeiling.Nanos > MaxCeiling.Nanos
                ? Problems.Invalid("monthlyCeiling", $"'monthlyCeiling' must be from 'amount' to {MaxCeiling} USD.")
            : input.MonthlyCeiling.Nanos % Quote.NanosPerCent != 0
                ? Problems.Invalid("monthlyCeiling", "'monthlyCeiling' must have at most two decimals.")
            : null);

    static async Task<IResult> GetAsync(
        HttpContext http, NpgsqlDataSource database, LedgerClient ledger, StripeModes modes, StripeCalls stripe, SavedCards cards,
        Trust trust, TimeProvider time, CancellationToken token)
    {
        var owner = await OwnerAsync(http, ledger, token);
        return await ShowAsync(http, owner.Wallet, modes.Of(owner.Test), database, stripe, cards, trust, time, token);
    }

    static async Task<IResult> DeleteAsync(
        HttpContext http, NpgsqlDataSource database, LedgerClient ledger, AutoTopUps topUps, CancellationToken token)
    {
        await TurnOffAsync(http, await OwnerAsync(http, ledger, token), database, topUps, token);
        return Results.NoContent();
    }

    /// <summary>What was charged stays; what waits for its owner is ended. Repeatable.</summary>
    public static async Task TurnOffAsync(
        HttpContext http, WalletOwner owner, NpgsqlDataSource database, AutoTopUps topUps, CancellationToken token)
    {
        await ChangeAsync(
            http, owner, database,
            connection => connection.ChangeAsync(
                "update auto_top_up set status = 'off', reason = null, due_at = now() where wallet = $1", token, owner.Wallet),
            token);
        await topUps.TellAsync(owner.Wallet, token);
    }

    /// <summary>Whoever looks at the wallet meanwhile waits for its row.</summary>
    static Task<int> ChangeAsync(
        HttpContext http, WalletOwner owner, NpgsqlDataSource database, Func<NpgsqlConnection, Task<int>> change,
        CancellationToken token) =>
        database.ChangeAuditedAsync(
            http, owner.Thing("auto_top_up", "auto-top-up"),
            async connection => await AutoTopUpRows.ReadAsync(
                connection.Sql($"select {AutoTopUpRows.Columns} from auto_top_up where wallet = $1 for update", owner.Wallet), token)
                is [{ Status: not AutoTopUp.Off } row]
                    ? new Wish(new(row.Below), new(row.Amount), new(row.Ceiling), row.Status)
                    : null,
            wish => wish, change, token);

    static Task<WalletOwner> OwnerAsync(HttpContext http, LedgerClient ledger, CancellationToken token) =>
        WalletOwner.FindAsync(http, http.Request.RouteValues["id"] as string, ledger, token);

    static async Task<IResult> ShowAsync(
        HttpContext http, Guid wallet, StripeMode? mode, NpgsqlDataSource database, StripeCalls stripe, SavedCards cards, Trust trust,
        TimeProvider time, CancellationToken token)
    {
        var row = await database.AutoTopUpAsync(wallet, token);
        var card = mode is null ? null : await cards.CardAsync(wallet, mode.Livemode, token);
        await using var connection = await database.OpenConnectionAsync(token);
        var charged = await connection.ChargedThisMonthAsync(wallet, token);
        if (row is null || row.Status == AutoTopUp.Off)
            return Results.Json(
                new View(AutoTopUp.Off, null, null, null, null, null, new(charged), null, card?.Shown, null), Defaults.Json);
        var now = time.GetUtcNow();
        var failed = row.NotBefore > now ? await database.LatestChargeAsync(wallet, token) : null;
        var waits = new List<Wait>();
        if (row.Status == AutoTopUp.Active)
        {
            if (failed is not null)
                waits.Add(new(AutoTopUp.ReasonAfter(failed), row.NotBefore));
            if (row.IsAtCeiling(charged))
                waits.Add(new(AutoTopUp.AtCeiling, AutoTopUp.NextMonth(now)));
            if (mode is not null
                && (await trust.OfAsync(mode, row.Project, row.Customer, token)).Refuse(new(row.Amount))?.Limit is { Id: { } rule } held)
                waits.Add(new(rule, held.Resets));
        }
        return Results.Json(
            new View(
                row.Status, row.Reason ?? waits.FirstOrDefault()?.Reason,
                failed?.FailureCode is { } code ? new(code, failed.FailureMessage) : null, new(row.Below), new(row.Amount),
                new(row.Ceiling), new(charged), waits.Select(wait => wait.Until).Append(row.NotBefore).Max(), card?.Shown,
                await ToConfirmAsync(row, mode, MayPay(http), database, stripe, token)),
            Defaults.Json);
    }

    /// <summary>The wallet's own session, or who may change what is charged.</summary>
    static bool MayPay(HttpContext http) => Permissions.Lacking("PUT /v1/wallets/{id}/auto-top-up", http.Principal()) is null;

    /// <summary>Stripe's secret is not kept here: it is asked for, for who may pay.</summary>
    static async Task<object?> ToConfirmAsync(
        AutoTopUp row, StripeMode? mode, bool mayPay, NpgsqlDataSource database, StripeCalls stripe, CancellationToken token) =>
        row is { AwaitsOwner: true, Payment: { } id } && mode is not null
        && await database.PaymentAsync(id, token) is { Status: Payment.Open, Intent: { } intent } payment
        && payment.Livemode == mode.Livemode
            ? AutoCharges.ToConfirm(mode, payment, mayPay ? await stripe.IntentAsync(mode, intent, token) : null)
            : null;
}
