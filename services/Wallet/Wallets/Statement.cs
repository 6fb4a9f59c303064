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
                coalesce(note.text, usage_record.model), transfer.reference
            from entry
            left join transfer on transfer.id = entry.transfer
            left join note on note.transfer = entry.transfer
            left join usage_record on usage_record.request_id = entry.transfer
            where account = $1 and version < $2 and entry.created_at >= $3 and entry.created_at < $4
            order by version desc limit $5
            """, account, before ?? long.MaxValue, from ?? DateTimeOffset.MinValue, to ?? DateTimeOffset.MaxValue, limit);
        var lines = new List<(long, LedgerLine)>();
        await using var reader = await query.ExecuteReaderAsync(token);
        while (await reader.ReadAsync(token))
            lines.Add((reader.GetInt64(0), Line(reader, 1)));
        return lines;
    }

    /// <summary>A wallet as it is shown, with its newest entries.</summary>
    /// <param name="Version">Number of its entries.</param>
    /// <param name="RightFor">
    /// Until the next of its lots expires, when it is shown otherwise without any entry. Null: until the next entry.
    /// </param>
    public sealed record Recent(Guid Id, long Balance, long Version, TimeSpan? RightFor, List<LedgerLine> Lines);

    /// <summary>
    /// Several wallets as they are in one moment. One of which something has expired that is not booked is right for no time.
    /// </summary>
    public static async Task<List<Recent>> RecentAsync(NpgsqlDataSource database, Guid[] wallets, int entries, CancellationToken token)
    {
        await using var query = database.Sql("""
            select account.id, shown.balance, account.version,
                case when shown.balance <> account.posted then interval '0' else shown.next_expiry - now() end,
                recent.transfer, recent.type, recent.amount, recent.balance, recent.created_at, coalesce(note.text, usage_record.model),
                transfer.reference
            from account
            cross join lateral (
                select shown_balance(account) balance, case when account.lots > 0 then (
                    select min(expires_at) from lot where wallet = account.id and not used_up and expires_at > now()) end next_expiry
                offset 0) shown -- once for each wallet, not for each entry
            left join lateral (select * from entry where entry.account = account.id order by version desc limit $3) recent on true
            left join transfer on transfer.id = recent.transfer
            left join note on note.transfer = recent.transfer
            left join usage_record on usage_record.request_id = recent.transfer
            where account.id = any($1) and kind = $2
            order by account.id, recent.version desc
            """, wallets, (short)AccountKind.Wallet, entries);
        var read = new List<Recent>(wallets.Length);
        await using var row = await query.ExecuteReaderAsync(token);
        while (await row.ReadAsync(token))
        {
            if (read is not [.., var last] || last.Id != row.GetGuid(0))
                read.Add(last = new(row.GetGuid(0), row.GetInt64(1), row.GetInt64(2), row.IsDBNull(3) ? null : row.GetTimeSpan(3), []));
            if (!row.IsDBNull(4))
                last.Lines.Add(Line(row, 4));
        }
        return read;
    }

    /// <param name="first">The column of the transfer; the others follow.</param>
    static LedgerLine Line(DbDataReader row, int first)
    {
        var type = (EntryType)row.GetInt16(first + 1);
        var reference = row.IsDBNull(first + 6) ? null : row.GetString(first + 6);
        return new(
            Ids.Show(type is EntryType.Usage or EntryType.Limit ? Ids.Request : Ids.Transfer, row.GetGuid(first)),
            type.ToString().ToLowerInvariant(),
            new Money(row.GetInt64(first + 2)),
            new Money(row.GetInt64(first + 3)),
            row.GetFieldValue<DateTimeOffset>(first + 4),
            row.IsDBNull(first + 5) ? Describe(type, reference) : row.GetString(first + 5))
        {
            Reference = reference,
        };
    }

    /// <summary>What nobody has given words, as an accountant reads it. Stripe's disputes alone have ids that begin with a d.</summary>
    static string? Describe(EntryType type, string? reference) => type switch
    {
        EntryType.TopUp => "Top-up",
        EntryType.Refund => "Refund",
        EntryType.Dispute => "Dispute",
        EntryType.Reversal => reference is ['d', ..] ? "Dispute that was won" : "Refund that has failed",
        EntryType.Expiry => "Credit that has expired",
        _ => null,
    };
}
