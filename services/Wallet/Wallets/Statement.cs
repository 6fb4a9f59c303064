using System.Data.Common;
using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using Npgsql;

namespace LlmGateway.Wallet;

/// <summary>A register's statement: its entries, newest first, each with what it was for.</summary>
public static class Statement
{
    /// <param name="before">Only entries with a lower version: the end of the previous page.</param>
    public static async Task<List<(long Version, LedgerLine Line)>> ReadAsync(
        NpgsqlDataSource database, Guid account, int limit, long? before, DateTimeOffset? from, DateTimeOffset? to, CancellationToken token)
    {
        await using var query = database.Sql("""
            select entry.version, entry.transfer, entry.type, entry.amount, entry.balance, entry.created_at,
                coalesce(note.text, usage_record.model)
            from entry
            left join note on note.transfer = entry.transfer
            left join usage_record on usage_record.request_id = entry.transfer
            where account = $1 and version < $2 and entry.created_at >= $3 and entry.created_at < $4
            order by version desc limit $5
            """, account, before ?? long.MaxValue, from ?? DateTimeOffset.MinValue, to ?? DateTimeOffset.MaxValue, limit);
        var lines = new List<(long, LedgerLine)>();
        await using var reader = await query.ExecuteReaderAsync(token);
        while (await reader.ReadAsync(token))
            lines.Add((reader.GetInt64(0), Line(reader)));
        return lines;
    }

    static LedgerLine Line(DbDataReader row)
    {
        var type = (EntryType)row.GetInt16(2);
        return new(
            Ids.Show(type is EntryType.Usage or EntryType.Limit ? Ids.Request : Ids.Transfer, row.GetGuid(1)),
            type.ToString().ToLowerInvariant(),
            new Money(row.GetInt64(3)),
            new Money(row.GetInt64(4)),
            row.GetFieldValue<DateTimeOffset>(5),
            row.IsDBNull(6) ? null : row.GetString(6));
    }
}
