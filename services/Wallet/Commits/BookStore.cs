using System.Text.Json;
using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using Npgsql;

namespace LlmGateway.Wallet;

/// <summary>
/// Reads a <see cref="Book"/> from PostgreSQL and writes it back: one round trip to lock and read, one to write, whatever the size of the
/// batch.
/// </summary>
public static class BookStore
{
    /// <summary>The months that some request of a batch may belong to, from its lowest id to its highest.</summary>
    const string Months = "select from_id, to_id, keeps_raw from usage_month where not closed and from_id <= $2 and to_id > $1";

    /// <summary>
    /// PostgreSQL leaves out the partitions of other months because of the lowest and the highest id; a list of ids alone does not tell it.
    /// </summary>
    public const string KnownRequests =
        "select request_id from usage_record where request_id = any($1) and request_id >= $2 and request_id <= $3";

    static readonly RowInsert<Transfer> Transfers = new RowInsert<Transfer>("transfer")
        .Column("id", "uuid", t => t.Id)
        .Column("type", "smallint", t => (short)t.Type)
        .Column("actor", "text", t => t.Actor)
        .Column("reference", "text", t => t.Reference)
        .Column("input_hash", "bytea", t => t.InputHash)
        .Column("result", "text", t => t.Result is { } moved ? JsonSerializer.Serialize(moved, Defaults.Json) : null, cast: "jsonb");

    static readonly RowInsert<Correction> Corrections = new RowInsert<Correction>("correction")
        .Column("rerating", "uuid", c => c.Rerating)
        .Column("request_id", "uuid", c => c.RequestId)
        .Column("customer", "uuid", c => c.Customer)
        .Column("project", "uuid", c => c.Project)
        .Column("transfer", "uuid", c => c.Transfer)
        .Column("price_version", "uuid", c => c.PriceVersion)
        .Column("old_cost", "bigint", c => c.OldCost)
        .Column("new_cost", "bigint", c => c.NewCost)
        .Column("charged", "bigint", c => c.Charged)
        .Column("absorbed", "bigint", c => c.Absorbed)
        .Column("covered", "bigint", c => c.Covered)
        .Column("lots", "text", c => UsageRows.Array(c.Lots, part => part.Lot), cast: "uuid[]")
        .Column("lot_paid", "text", c => UsageRows.Array(c.Lots, part => part.Amount), cast: "bigint[]");

    static readonly RowInsert<Entry> Entries = new RowInsert<Entry>("entry")
        .Column("account", "uuid", e => e.Account)
        .Column("version", "bigint", e => e.Version)
        .Column("transfer", "uuid", e => e.Transfer)
        .Column("type", "smallint", e => (short)e.Type)
        .Column("amount", "bigint", e => e.Amount)
        .Column("balance", "bigint", e => e.Balance)
        .Column("lot", "uuid", e => e.Lot);

    public static async Task<Book> LockAsync(
        NpgsqlConnection connection,
        NpgsqlTransaction transaction,
        IReadOnlyList<Command> commands,
        ExistingAccounts existing,
        CancellationToken token)
    {
        var touched = new Footprint(commands, existing);
        await using var batch = new NpgsqlBatch(connection, transaction);
        AddLocks(batch, touched);
        var book = await ReadAsync(batch, touched, token);
        await LotRows.ReadAsync(connection, transaction, commands, book, token);
        return book;
    }

    static async Task<Book> ReadAsync(NpgsqlBatch batch, Footprint touched, CancellationToken token)
    {
        await using var reader = await batch.ExecuteReaderAsync(token);
        await reader.NextResultAsync(token); // the settings are made
        await reader.NextResultAsync(token); // the lock is there
        await reader.ReadAsync(token);
        var book = new Book(reader.GetFieldValue<DateTimeOffset>(0)) { BookedAt = reader.GetFieldValue<DateTimeOffset>(1) };
        await reader.NextResultAsync(token);
        if (touched.Missing.Count > 0)
        {
            while (await reader.ReadAsync(token))
                book.Created.Add(reader.GetGuid(0));
            await reader.NextResultAsync(token);
        }
        await AccountRows.ReadAsync(reader, book, token);
        await reader.NextResultAsync(token);
        await LeaseRows.ReadAsync(reader, book, token);
        if (touched.Windows.Count > 0 && await reader.NextResultAsync(token))
            await WindowRows.ReadAsync(reader, book, token);
        if (touched.Requests.Count > 0 && await reader.NextResultAsync(token))
            await ReadRequestsAsync(reader, book, token);
        if (touched.Transfers.Count > 0 && await reader.NextResultAsync(token))
            await ReadTransfersAsync(reader, book, token);
        if (touched.Rerated.Count > 0 && await reader.NextResultAsync(token))
        {
            await ReadRatedAsync(reader, book, token);
            await reader.NextResultAsync(token);
            await LotRows.ReadOfRequestsAsync(reader, book, token);
        }
        return book;
    }

    /// <summary>
    /// Every writer takes accounts first, leases second, and windows third, each in id order. So two writers can wait for each other, but
    /// never in a circle.
    /// </summary>
    static void AddLocks(NpgsqlBatch batch, Footprint touched)
    {
        // Each connection plans these statements once, whatever the tables contain at that time. On the first day, with empty tables,
        // it would choose sequential scans and keep them for as long as the connection lives.
        // What an instance has locked that stands still in its batch is free after the last of them.
        batch.Add("""
            select set_config('enable_seqscan', 'off', true), set_config('plan_cache_mode', 'force_generic_plan', true),
                set_config('idle_in_transaction_session_timeout', '30s', true)
            """);
        // The clock is read by a statement of its own, which sees what whoever had the lock alone has written, and by index: a sequential
        // scan that is switched off looks so expensive that PostgreSQL would compile it, each time.
        batch.Add("select pg_advisory_xact_lock_shared($1)", ClockLock.Key);
        batch.Add("select clock, greatest(clock, booked_until) from summed, clock_timestamp() as clock where one");
        if (touched.Missing.Count > 0)
            AccountRows.AddMissing(batch, [.. touched.Missing.Values]);
        batch.Add($"select {AccountRows.Columns} from account where id = any($1) order by id for update", touched.Accounts.ToArray());
        LeaseRows.AddLocks(batch, touched);
        if (touched.Windows.Count > 0)
            WindowRows.AddLocks(batch, touched);
        if (touched.Requests.Count > 0)
        {
            var (first, last) = (touched.Requests.Min(), touched.Requests.Max());
            batch.Add(Months, first, last);
            batch.Add(KnownRequests, touched.Requests.ToArray(), first, last);
        }
        if (touched.Transfers.Count > 0)
            batch.Add("""
                select id, type, text, input_hash, result, note.transfer is not null and text is null
                from transfer left join note on note.transfer = id where id = any($1)
                """, touched.Transfers.ToArray());
        if (touched.Rerated.Count > 0)
        {
            var (requests, lowest, highest) = (touched.Rerated.ToArray(), touched.Rerated.Min(), touched.Rerated.Max());
            batch.Add($"""
                select u.request_id, cost + coalesce(sum(new_cost - old_cost), 0)::bigint,
                    u.charged + coalesce(sum(c.charged), 0)::bigint, u.absorbed + coalesce(sum(c.absorbed), 0)::bigint,
                    u.is_covered or u.covered <> 0 or exists (
                        select from unnest(u.counted) as used (register) left join account on account.id = register
                        where kind in ({(short)AccountKind.Quota}, {(short)AccountKind.Credits}) or (kind is null and u.cost = 0)),
                    u.customer
                from usage_record u left join correction c on c.request_id = u.request_id
                where u.request_id = any($1) and u.request_id >= $2 and u.request_id <= $3
                    and exists (select from usage_month where not closed and from_id <= u.request_id and to_id > u.request_id)
                group by u.request_id
                """, requests, lowest, highest);
            batch.Add(LotRows.OfRequests, requests, lowest, highest);
        }
    }

    static async Task ReadRequestsAsync(NpgsqlDataReader reader, Book book, CancellationToken token)
    {
        var months = new List<UsageMonth>();
        while (await reader.ReadAsync(token))
            months.Add(new(reader.GetGuid(0), reader.GetGuid(1), reader.GetBoolean(2)));
        book.Months = months;
        await reader.NextResultAsync(token);
        while (await reader.ReadAsync(token))
            book.Known.Add(reader.GetGuid(0));
    }

    static async Task ReadTransfersAsync(NpgsqlDataReader reader, Book book, CancellationToken token)
    {
        while (await reader.ReadAsync(token))
        {
            var id = reader.GetGuid(0);
            book.Known.Add(id);
            book.Moved.Add(id, new(id, (EntryType)reader.GetInt16(1), reader.IsDBNull(2) ? null : reader.GetString(2))
            {
                InputHash = reader.IsDBNull(3) ? null : reader.GetFieldValue<byte[]>(3),
                Result = reader.IsDBNull(4) ? null : JsonSerializer.Deserialize<List<Moved>>(reader.GetString(4), Defaults.Json),
                Erased = reader.GetBoolean(5),
            });
        }
    }

    static async Task ReadRatedAsync(NpgsqlDataReader reader, Book book, CancellationToken token)
    {
        while (await reader.ReadAsync(token))
            book.Rated.Add(reader.GetGuid(0), new(reader.GetInt64(1), reader.GetInt64(2), reader.GetInt64(3), reader.GetBoolean(4))
            {
                Customer = reader.IsDBNull(5) ? null : reader.GetGuid(5),
            });
    }

    /// <summary>Writes what differs from what was read, and what is new.</summary>
    public static async Task WriteAsync(NpgsqlConnection connection, NpgsqlTransaction transaction, Book book, CancellationToken token)
    {
        await using var batch = new NpgsqlBatch(connection, transaction);
        AccountRows.AddTo(batch, [.. book.Accounts.Values.Where(account => account.Figures != account.Stored)]);
        LeaseRows.AddTo(batch, book);
        Transfers.AddTo(batch, book.Transfers, book.BookedAt);
        AddNotes(batch, book.Transfers.FindAll(transfer => transfer.Description is not null));
        UsageRows.Insert.AddTo(batch, book.Usages, book.BookedAt);
        UsageRows.AddRaw(batch, book);
        UsageRows.AddStale(batch, book);
        WindowRows.AddTo(batch, book);
        EndedCalls.AddTo(batch, book);
        Corrections.AddTo(batch, book.Corrections, book.BookedAt);
        Entries.AddTo(batch, book.Entries, book.BookedAt);
        LotRows.AddTo(batch, book);
        EventRows.AddTo(batch, book);
        ChangeRows.AddTo(batch, book);
        if (batch.BatchCommands.Count > 0)
            await batch.ExecuteNonQueryAsync(token);
    }

    static void AddNotes(NpgsqlBatch batch, List<Transfer> noted)
    {
        if (noted.Count > 0)
            batch.Add("insert into note (transfer, text) select * from unnest($1::uuid[], $2::text[])",
                noted.Column(t => t.Id), noted.Column(t => t.Description!));
    }
}
