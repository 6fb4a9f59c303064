using LlmGateway.ServiceDefaults;
using Npgsql;

namespace LlmGateway.Billing;

/// <summary>Refunds and disputes as rows. Whoever changes them has locked their payment.</summary>
public static class RefundRows
{
    const string OfRefund = "select id, payment, cents, status, stripe from refund";

    public static Task<List<Refund>> RefundsAsync(this NpgsqlConnection connection, Guid payment, CancellationToken token) =>
        ReadAsync(connection.Sql($"{OfRefund} where payment = $1", payment), token);

    public static async Task<Refund?> RefundAsync(this NpgsqlDataSource database, Guid id, CancellationToken token) =>
        await ReadAsync(database.Sql($"{OfRefund} where id = $1", id), token) is [var refund] ? refund : null;

    /// <summary>Those whose end is not known, that nobody has looked at for longest.</summary>
    public static Task<List<Refund>> RefundsUnderWayAsync(
        this NpgsqlDataSource database, TimeSpan since, int most, CancellationToken token) =>
        ReadAsync(
            database.Sql($"""
                {OfRefund} where status in ('new', 'booked', 'pending', 'requires_action') and looked_at < now() - $1
                order by looked_at limit $2
                """, since, most),
            token);

    public static async Task<List<Dispute>> DisputesAsync(this NpgsqlConnection connection, Guid payment, CancellationToken token)
    {
        await using var query = connection.Sql("select id, cents, status from dispute where payment = $1", payment);
        await using var row = await query.ExecuteReaderAsync(token);
        var disputes = new List<Dispute>();
        while (await row.ReadAsync(token))
            disputes.Add(new(row.GetString(0), row.GetInt64(1), row.GetString(2)));
        return disputes;
    }

    static async Task<List<Refund>> ReadAsync(NpgsqlCommand query, CancellationToken token)
    {
        await using var _ = query;
        await using var row = await query.ExecuteReaderAsync(token);
        var refunds = new List<Refund>();
        while (await row.ReadAsync(token))
            refunds.Add(new(
                row.GetGuid(0), row.GetGuid(1), row.GetInt64(2), row.GetString(3), row.IsDBNull(4) ? null : row.GetString(4)));
        return refunds;
    }
}
