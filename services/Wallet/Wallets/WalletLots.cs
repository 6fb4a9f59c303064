using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using Npgsql;

namespace LlmGateway.Wallet;

/// <summary>The lots of a wallet as its backend sees them, in the order in which they will be spent. They sum to its balance.</summary>
public static class WalletLots
{
    /// <param name="Refundable">Something was paid for it.</param>
    public sealed record View(string Id, string Kind, Money Remaining, DateTimeOffset? ExpiresAt, bool Refundable);

    public static async Task<List<View>> ReadAsync(NpgsqlDataSource database, Guid wallet, CancellationToken token)
    {
        await using var query = database.Sql("""
            with balance as (
                select *, posted - (select coalesce(sum(remaining), 0) from lot where wallet = $1 and not used_up)::bigint base_rest
                from account where id = $1)
            select l.id, l.kind, coalesce(remaining, base_rest), expires_at, paid > 0, since,
                case when expires_at <= now() then held_until($1, expires_at) end
            from lot l, balance where l.wallet = $1 and not used_up and coalesce(remaining, base_rest) > 0
            union all
            select id, 0, base_rest, null, false, 0, null from balance where base_lot is null and base_rest > 0
            order by 4 nulls last, 5, 6
            """, wallet);
        var (lots, kept) = (new List<View>(), 0L);
        await using var row = await query.ExecuteReaderAsync(token);
        while (await row.ReadAsync(token))
        {
            var left = row.GetInt64(2);
            // Of a lot that is over is left what leases from before hold, as in Ledger.BookExpiries.
            if (!row.IsDBNull(6))
            {
                left = Math.Min(kept + left, row.GetInt64(6)) - kept;
                kept += left;
            }
            if (left > 0)
                lots.Add(new(
                    Ids.Show(Ids.Lot, row.GetGuid(0)),
                    ((LotKind)row.GetInt32(1)).ToString().ToLowerInvariant(),
                    new(left),
                    row.IsDBNull(3) ? null : row.GetFieldValue<DateTimeOffset>(3),
                    row.GetBoolean(4)));
        }
        return lots;
    }
}
