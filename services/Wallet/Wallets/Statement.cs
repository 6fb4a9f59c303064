using System.Data.Common;
using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using Npgsql;

namespace LlmGateway.Wallet;

/// <summary>A register's statement: its entries, newest first, each with what it was for.</summary>
public static class Statement
{
    /// <summary>Movements of one page that have moved a debt alone. Each is a payment, or was taken back of one.</summary>
    public const int MaxOfDebt = 10_000;

    /// <param name="Next">Where the next page begins. Null: this was the last one.</param>
    public sealed record Page(List<LedgerLine> Lines, long? Next);

    /// <summary>
    /// With its entries come movements between them that have moved what its customer owes and not the balance: a top-up of which all has
    /// paid a debt, a refund of which all is owed. They have no entry, so they stand above the entry that was the newest then.
    /// </summary>
    /// <param name="before">Only entries with a lower version: the end of the previous page.</param>
    /// <exception cref="ProblemException">400: there are too many of them, and a page that leaves some out would be wrong.</exception>
    public static async Task<Page> ReadAsync(
        NpgsqlDataSource database, Guid account, int limit, long? before, DateTimeOffset? from, DateTimeOffset? to, CancellationToken token)
    {
        await using var query = database.Sql($"""
            with owes as (
                select owes.id from account {Debts.Join} where account.id = $1),
            own as (
                select account, version, transfer, type, amount, balance, created_at from entry
                where account = $1 and version < $2 and created_at >= $3 and created_at < $4 order by version desc limit $5),
            edges as (
                select case when count(*) = $5 then min(created_at) else $3 end as since,
                    least($4, (select created_at from entry where account = $1 and version = $2)) as ends
                from own),
            beside as (
                select $1 as account, coalesce(newest.version, 0) as version, transfer, type, 0::bigint as amount,
                    coalesce(newest.balance, 0) as balance, created_at
                from entry join owes on entry.account = owes.id cross join edges
                left join lateral (
                    select version, balance from entry own
                    where own.account = $1 and own.version < $2 and own.created_at <= entry.created_at
                    order by own.version desc limit 1) newest on true
                where entry.created_at >= edges.since and entry.created_at < edges.ends and not exists (
                    select from transfer t, jsonb_array_elements(t.result) leg
                    where t.id = entry.transfer and $1::text in (leg ->> 'to', leg ->> 'from'))
                order by entry.version desc limit $6),
            lines as (
                select own.*, true as is_own from own union all select beside.*, false from beside)
            select lines.version, is_own, lines.transfer, lines.type, lines.amount, lines.balance, lines.created_at,
                coalesce(note.text, usage_record.model), debt.paid, transfer.reference
            from lines left join owes on true
            left join transfer on transfer.id = lines.transfer
            left join note on note.transfer = lines.transfer
            left join usage_record on usage_record.request_id = lines.transfer
            {Debts.Of("lines", "owes.id")}
            order by lines.version desc, is_own, lines.created_at desc
            """, account, before ?? long.MaxValue, from ?? DateTimeOffset.MinValue, to ?? DateTimeOffset.MaxValue, limit, MaxOfDebt + 1);
        var (lines, owned, last) = (new List<LedgerLine>(), 0, 0L);
        await using var reader = await query.ExecuteReaderAsync(token);
        while (await reader.ReadAsync(token))
        {
            lines.Add(Line(reader, 2));
            if (reader.GetBoolean(1))
                (owned, last) = (owned + 1, reader.GetInt64(0));
        }
        if (lines.Count - owned > MaxOfDebt)
            throw ListQuery.Invalid("from", $"must be nearer to 'to': more than {MaxOfDebt} movements of a debt are on this page");
        return new(lines, owned == limit ? last : null);
    }

    /// <summary>A wallet as it is shown, with its newest entries.</summary>
    /// <param name="Version">Number of its entries, and of those of what its customer owes.</param>
    /// <param name="Owed">By its customer.</param>
    /// <param name="RightFor">
    /// Until the next of its lots expires, when it is shown otherwise without any entry. Null: until the next entry.
    /// </param>
    public sealed record Recent(Guid Id, long Balance, long Version, TimeSpan? RightFor, long Owed, List<LedgerLine> Lines);

    /// <summary>
    /// Several wallets as they are in one moment. One of which something has expired that is not booked is right for no time.
    /// </summary>
    public static async Task<List<Recent>> RecentAsync(NpgsqlDataSource database, Guid[] wallets, int entries, CancellationToken token)
    {
        await using var query = database.Sql($"""
            select account.id, shown.balance, account.version + coalesce(owes.version, 0),
                case when shown.balance <> account.posted then interval '0' else shown.next_expiry - now() end, {Debts.Owed},
                recent.transfer, recent.type, recent.amount, recent.balance, recent.created_at, coalesce(note.text, usage_record.model),
                debt.paid, transfer.reference
            from account
            cross join lateral (
                select shown_balance(account) balance, case when account.lots > 0 then (
                    select min(expires_at) from lot where wallet = account.id and not used_up and expires_at > now()) end next_expiry
                offset 0) shown -- once for each wallet, not for each entry
            {Debts.Join}
            left join lateral (select * from entry where entry.account = account.id order by version desc limit $3) recent on true
            left join transfer on transfer.id = recent.transfer
            left join note on note.transfer = recent.transfer
            left join usage_record on usage_record.request_id = recent.transfer
            {Debts.Of("recent", "owes.id")}
            where account.id = any($1) and account.kind = $2
            order by account.id, recent.version desc
            """, wallets, (short)AccountKind.Wallet, entries);
        var read = new List<Recent>(wallets.Length);
        await using var row = await query.ExecuteReaderAsync(token);
        while (await row.ReadAsync(token))
        {
            if (read is not [.., var last] || last.Id != row.GetGuid(0))
                read.Add(last = new(
                    row.GetGuid(0), row.GetInt64(1), row.GetInt64(2), row.IsDBNull(3) ? null : row.GetTimeSpan(3), row.GetInt64(4), []));
            if (!row.IsDBNull(5))
                last.Lines.Add(Line(row, 5));
        }
        return read;
    }

    /// <param name="first">The column of the transfer; the others follow.</param>
    static LedgerLine Line(DbDataReader row, int first)
    {
        var type = (EntryType)row.GetInt16(first + 1);
        var paid = row.IsDBNull(first + 6) ? 0 : row.GetInt64(first + 6);
        var reference = row.IsDBNull(first + 7) ? null : row.GetString(first + 7);
        return new(
            Ids.Show(type is EntryType.Usage or EntryType.Limit ? Ids.Request : Ids.Transfer, row.GetGuid(first)),
            type.ToString().ToLowerInvariant(),
            new Money(row.GetInt64(first + 2)),
            new Money(row.GetInt64(first + 3)),
            row.GetFieldValue<DateTimeOffset>(first + 4),
            row.IsDBNull(first + 5) ? Describe(type, reference) : row.GetString(first + 5))
        {
            Reference = reference,
            Owed = paid < 0 ? new Money(-paid) : null, OwedPaid = paid > 0 ? new Money(paid) : null,
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
