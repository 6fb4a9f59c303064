using System.Globalization;
using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using Npgsql;

namespace LlmGateway.Billing;

/// <summary>
/// <c>GET /v1/wallet/top-ups</c> for a session, <c>GET /v1/wallets/{id}/top-ups</c> for a backend: a wallet's purchases, newest first, with
/// what has become of each. <c>cursor</c> is the last one's creation, as it was answered.
/// </summary>
public static class ListTopUps
{
    const int DefaultPage = 20, MaxPage = 100;

    public sealed record Failure(string Code, string? Message);

    /// <param name="Status"><c>open</c>, <c>failed</c> (may be tried again), <c>processing</c>, <c>succeeded</c>, <c>canceled</c>.</param>
    /// <param name="NetCredited">What the wallet got; of what is not credited yet, what it brings.</param>
    /// <param name="OwedPaid">What of it has paid what the customer owed, and did not reach the wallet.</param>
    /// <param name="Refunded">What went back to the card or is on its way there, disputes included.</param>
    /// <param name="Disputed">What of that disputes have taken, and not given back.</param>
    /// <param name="Automatic">Charged by itself, with the saved card.</param>
    public sealed record View(
        string Id, Money Amount, Money TotalAmount, Money NetCredited, Money OwedPaid, string Currency, string Status, Failure? Failure,
        Money Refunded, Money Disputed, bool Automatic, DateTimeOffset CreatedAt, DateTimeOffset? PaidAt);

    public static void MapListTopUps(this WebApplication app)
    {
        app.MapGet("/v1/wallet/top-ups", (HttpContext http, NpgsqlDataSource database, LedgerClient ledger) =>
            http.EndUser() is { Wallet: { } wallet } caller ? ListAsync(http, database, ledger, wallet, caller) : NoWallet)
            .WithQuery("cursor", "limit");
        app.MapGet("/v1/wallets/{id}/top-ups", (string id, HttpContext http, NpgsqlDataSource database, LedgerClient ledger) =>
            Ids.TryParse(Ids.Wallet, id, out var wallet) ? ListAsync(http, database, ledger, wallet, http.Backend()) : NoWallet)
            .WithQuery("cursor", "limit");
    }

    static Task<IResult> NoWallet => Task.FromResult<IResult>(Problems.NotFound("wallet"));

    /// <summary>
    /// A wallet of somebody else has no purchases for this caller, and is not there. The ledger is asked only where nothing is known here.
    /// </summary>
    static async Task<IResult> ListAsync(
        HttpContext http, NpgsqlDataSource database, LedgerClient ledger, Guid wallet, Principal caller)
    {
        var query = new ListQuery(http.Request.Query);
        var before = query.Time("cursor") ?? DateTimeOffset.MaxValue;
        var page = query.Limit(DefaultPage, MaxPage);
        var payments = await PaymentRows.PaymentsAsync(
            database.Sql($"""
                select {PaymentRows.Columns} from payment
                where wallet = $1 and project = $2 and test = $3 and created_at < $4 order by created_at desc limit $5
                """, wallet, caller.Project, caller.Test, before.ToUniversalTime(), page),
            http.RequestAborted);
        if (payments.Count == 0 && caller.Wallet != wallet && !await ledger.HasAsync(wallet, caller, http.RequestAborted))
            return Problems.NotFound("wallet");
        var views = new List<View>();
        foreach (var payment in payments)
            views.Add(await ViewAsync(database, payment, http.RequestAborted));
        var next = payments.Count == page ? payments[^1].CreatedAt.UtcDateTime.ToString("O", CultureInfo.InvariantCulture) : null;
        return Results.Json(new { topUps = views, nextCursor = next }, Defaults.Json);
    }

    static async Task<View> ViewAsync(NpgsqlDataSource database, Payment payment, CancellationToken token)
    {
        var (refunded, disputed, owedPaid) = (0L, 0L, 0L);
        if (payment.Status == Payment.Succeeded)
        {
            await using var connection = await database.OpenConnectionAsync(token);
            var disputes = await connection.DisputesAsync(payment.Id, token);
            refunded = Reversal.CentsOf(payment.Cents, await connection.RefundsAsync(payment.Id, token), disputes);
            disputed = Reversal.CentsOf(payment.Cents, [], disputes);
            owedPaid = await connection.OwedPaidAsync(payment.Id, token);
        }
        return new(
            Ids.Show(Ids.Payment, payment.Id), new(payment.Amount), new(payment.Parts.Sum), new(payment.Parts.Net - owedPaid),
            new(owedPaid), "USD", payment.ShownStatus,
            payment.FailureCode is { } code ? new(code, payment.FailureMessage) : null, new(refunded * Quote.NanosPerCent),
            new(disputed * Quote.NanosPerCent), payment.OffSession is not null, payment.CreatedAt, payment.PaidAt);
    }
}
