using System.Globalization;
using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using Npgsql;

namespace LlmGateway.Billing;

/// <summary>
/// <c>GET /v1/disputes?wallet=&amp;status=&amp;limit=&amp;cursor=</c>: the project's disputes as Stripe knows them, newest first;
/// <c>cursor</c> is the last one's creation, as it was answered.
/// </summary>
public static class ListDisputes
{
    const int DefaultPage = 20, MaxPage = 100;

    /// <param name="Id">Stripe's.</param>
    /// <param name="Status">Stripe's, as in <see cref="Dispute.Statuses"/>.</param>
    /// <param name="Reason">The bank's, in Stripe's words.</param>
    /// <param name="Taken">Stripe has taken the amount, and not given it back.</param>
    /// <param name="CreatedAt">When we have heard of it first.</param>
    public sealed record View(
        string Id, string PaymentId, string WalletId, string CustomerId, Money Amount, string Currency, string Status, string? Reason,
        bool Taken, DateTimeOffset CreatedAt);

    public static void MapListDisputes(this WebApplication app) =>
        app.MapGet("/v1/disputes", ListAsync).WithQuery("wallet", "status", "limit", "cursor");

    static async Task<IResult> ListAsync(HttpContext http, NpgsqlDataSource database, LedgerClient ledger, CancellationToken token)
    {
        var caller = http.Backend();
        var query = new ListQuery(http.Request.Query);
        var status = query.Text("status");
        if (status is not null && !Dispute.Statuses.Contains(status))
            throw ListQuery.Invalid("status", $"must be one of {string.Join(", ", Dispute.Statuses)}");
        var (before, page) = (query.Time("cursor") ?? DateTimeOffset.MaxValue, query.Limit(DefaultPage, MaxPage));
        var wallet = query.Text("wallet") is { } named
            ? (await WalletOwner.FindAsync(http, named, ledger, token)).Wallet
            : (Guid?)null;
        var disputes = await ReadAsync(
            database.Sql("""
                select d.id, p.id, p.wallet, p.customer, d.cents, d.status, d.reason, d.created_at
                from dispute d join payment p on p.id = d.payment
                where d.project = $1 and d.test = $2 and d.created_at < $3
                    and ($4::uuid is null or p.wallet = $4) and ($5::text is null or d.status = $5)
                order by d.created_at desc limit $6
                """, caller.Project, caller.Test, before.ToUniversalTime(), wallet, status, page),
            token);
        var next = disputes.Count == page ? disputes[^1].CreatedAt.UtcDateTime.ToString("O", CultureInfo.InvariantCulture) : null;
        return Results.Json(new { disputes, nextCursor = next }, Defaults.Json);
    }

    static async Task<List<View>> ReadAsync(NpgsqlCommand query, CancellationToken token)
    {
        await using var _ = query;
        await using var row = await query.ExecuteReaderAsync(token);
        var views = new List<View>();
        while (await row.ReadAsync(token))
        {
            var dispute = new Dispute(row.GetString(0), row.GetInt64(4), row.GetString(5));
            views.Add(new(
                dispute.Id, Ids.Show(Ids.Payment, row.GetGuid(1)), Ids.Show(Ids.Wallet, row.GetGuid(2)),
                Ids.Show(Ids.Customer, row.GetGuid(3)), new(dispute.Cents * Quote.NanosPerCent), "USD", dispute.Status,
                row.IsDBNull(6) ? null : row.GetString(6), dispute.Counts, row.GetFieldValue<DateTimeOffset>(7)));
        }
        return views;
    }
}
