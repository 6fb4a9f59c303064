using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using Npgsql;

namespace LlmGateway.Billing;

/// <summary><c>GET /v1/wallets/{id}/refunds</c>: the newest hundred of a wallet.</summary>
public static class ListRefunds
{
    /// <param name="Amount">What goes back to the card.</param>
    /// <param name="Status"><c>pending</c>, <c>succeeded</c>, <c>failed</c>, <c>canceled</c>.</param>
    public sealed record View(
        string Id, string Payment, Money Amount, string Currency, string Status, string? Failure, bool ByUs, string? Reason,
        DateTimeOffset CreatedAt);

    public static void MapListRefunds(this WebApplication app) =>
        app.MapGet("/v1/wallets/{id}/refunds", ListAsync).WithQuery();

    /// <summary>A wallet of somebody else is not there. The ledger is asked only where nothing is known here.</summary>
    static async Task<IResult> ListAsync(
        string id, HttpContext http, NpgsqlDataSource database, LedgerClient ledger, CancellationToken token)
    {
        var caller = http.Backend();
        if (!Ids.TryParse(Ids.Wallet, id, out var wallet))
            return Problems.NotFound("wallet");
        var refunds = await ReadAsync(
            database, "p.wallet = $1 and p.project = $2 and p.test = $3", token, wallet, caller.Project, caller.Test);
        return refunds.Count > 0 || await ledger.HasAsync(wallet, caller, token)
            ? Results.Json(new { refunds }, Defaults.Json)
            : Problems.NotFound("wallet");
    }

    public static async Task<List<View>> ReadAsync(
        NpgsqlDataSource database, string which, CancellationToken token, params object?[] values)
    {
        await using var query = database.Sql($"""
            select r.id, r.payment, r.cents, r.status, r.failure, r.by_us, r.reason, r.created_at
            from refund r join payment p on p.id = r.payment where {which} order by r.created_at desc limit 100
            """, values);
        await using var row = await query.ExecuteReaderAsync(token);
        var views = new List<View>();
        while (await row.ReadAsync(token))
            views.Add(new(
                Ids.Show(Ids.Refund, row.GetGuid(0)), Ids.Show(Ids.Payment, row.GetGuid(1)),
                new(row.GetInt64(2) * Quote.NanosPerCent), "USD",
                row.GetString(3) is "new" or "booked" or "requires_action" ? "pending" : row.GetString(3),
                row.IsDBNull(4) ? null : row.GetString(4), row.GetBoolean(5), row.IsDBNull(6) ? null : row.GetString(6),
                row.GetFieldValue<DateTimeOffset>(7)));
        return views;
    }
}
