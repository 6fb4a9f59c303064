using System.Text.Json;
using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using Npgsql;
using NpgsqlTypes;

namespace LlmGateway.Wallet;

/// <summary>
/// Reads a <see cref="Book"/> from PostgreSQL and writes it back: one round trip to lock and read, one to write, whatever the size of the
/// batch.
/// </summary>
public static class BookStore
{
    /// <summary>A batch holds this advisory lock, shared, from before it reads the clock.</summary>
    public const long ClockLock = 0x4C47_434C_4F43_4B;

    /// <summary>The months that some request of a batch may belong to, from its lowest id to its highest.</summary>
    const string Months = "select from_id, to_id, keeps_raw from usage_month where not closed and from_id <= $2 and to_id > $1";

    /// <summary>
    /// PostgreSQL leaves out the partitions of other months because of the lowest and the highest id; a list of ids alone does not tell it.
    /// </summary>
    public const string KnownRequests =
        "select request_id from usage_record where request_id = any($1) and request_id >= $2 and request_id <= $3";

    internal const string AccountColumns = """
        id, kind, unit, organization, project, owner, test, posted, reserved, version, spent, topped_up, frozen, denomination, ceiling,
        ends_at, base_lot, lots, low_mark, thresholds, name, told
        """;

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
        await reader.NextResultAsync(token); // the lock is there
        await reader.ReadAsync(token);
        var book = new Book(reader.GetFieldValue<DateTimeOffset>(0));
        await reader.NextResultAsync(token);
        if (touched.Missing.Count > 0)
        {
            while (await reader.ReadAsync(token))
                book.Created.Add(reader.GetGuid(0));
            await reader.NextResultAsync(token);
        }
        await ReadAccountsAsync(reader, book, token);
        await reader.NextResultAsync(token);
        await ReadLeasesAsync(reader, book, token);
        await reader.NextResultAsync(token);
        await ReadLeasesAsync(reader, book, token);
        await reader.NextResultAsync(token);
        await ReadLinesAsync(reader, book, token);
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
        Add(batch, "set local enable_seqscan = off");
        Add(batch, "set local plan_cache_mode = force_generic_plan");
        // Until the commit. Who takes it alone knows that every batch with an earlier clock is committed (see Reratings). The clock is read
        // by a statement of its own, which sees what such a one has written, and by index: a sequential scan that is switched off looks so
        // expensive that PostgreSQL would compile it, each time.
        Add(batch, "select pg_advisory_xact_lock_shared($1)", ClockLock);
        Add(batch, "select greatest(clock_timestamp(), booked_until) from summed where one");
        if (touched.Missing.Count > 0)
            AddMissing(batch, [.. touched.Missing.Values]);
        Add(batch, $"select {AccountColumns} from account where id = any($1) order by id for update", touched.Accounts.ToArray());
        Add(batch, """
            select id, holder, fence, return_fence, expires_at, expired, slots, until from lease where id = any($1) order by id for update
            """, touched.ChangedLeases.ToArray());
        Add(
            batch,
            "select id, holder, fence, return_fence, expires_at, expired, slots, until from lease where id = any($1)",
            touched.PayingLeases.ToArray());
        Add(batch, "select lease, account, granted, consumed, returned, last_granted from lease_line where lease = any($1)",
            (Guid[])[.. touched.ChangedLeases, .. touched.PayingLeases]);
        if (touched.Windows.Count > 0)
            WindowRows.AddLocks(batch, touched);
        if (touched.Requests.Count > 0)
        {
            var (first, last) = (touched.Requests.Min(), touched.Requests.Max());
            Add(batch, Months, first, last);
            Add(batch, KnownRequests, touched.Requests.ToArray(), first, last);
        }
        if (touched.Transfers.Count > 0)
            Add(batch, """
                select id, type, text, input_hash, result, note.transfer is not null and text is null
                from transfer left join note on note.transfer = id where id = any($1)
                """, touched.Transfers.ToArray());
        if (touched.Rerated.Count > 0)
            Add(batch, """
                select u.request_id, cost + coalesce(sum(new_cost - old_cost), 0)::bigint,
                    u.charged + coalesce(sum(c.charged), 0)::bigint, u.absorbed + coalesce(sum(c.absorbed), 0)::bigint,
                    u.covered <> 0 or exists (
                        select from unnest(u.counted) as used (register) left join account on account.id = register
                        where kind in (4, 7) or (kind is null and u.cost = 0))
                from usage_record u left join correction c on c.request_id = u.request_id
                where u.request_id = any($1) and u.request_id >= $2 and u.request_id <= $3
                    and exists (select from usage_month where not closed and from_id <= u.request_id and to_id > u.request_id)
                group by u.request_id
                """, touched.Rerated.ToArray(), touched.Rerated.Min(), touched.Rerated.Max());
        if (touched.Rerated.Count > 0)
            Add(batch, LotRows.OfRequests, touched.Rerated.ToArray(), touched.Rerated.Min(), touched.Rerated.Max());
    }

    static void AddMissing(NpgsqlBatch batch, Account[] accounts) => Add(batch, """
        insert into account (id, kind, unit, organization, project, owner, test, denomination)
        select * from unnest($1::uuid[], $2::smallint[], $3::smallint[], $4::uuid[], $5::uuid[], $6::uuid[], $7::boolean[], $8::uuid[])
            as new (id, kind, unit, organization, project, owner, test, denomination)
        where not exists (select 1 from account where account.id = new.id)
        order by id on conflict do nothing
        returning id
        """,
        Column(accounts, a => a.Id),
        Column(accounts, a => (short)a.Kind),
        Column(accounts, a => (short)a.Unit),
        Column(accounts, a => a.Organization),
        Column(accounts, a => a.Project),
        Column(accounts, a => a.Owner),
        Column(accounts, a => a.Test),
        Column(accounts, a => a.Denomination));

    internal static async Task ReadAccountsAsync(NpgsqlDataReader reader, Book book, CancellationToken token)
    {
        while (await reader.ReadAsync(token))
        {
            var account = new Account
            {
                Id = reader.GetGuid(0), Kind = (AccountKind)reader.GetInt16(1), Unit = (Unit)reader.GetInt16(2),
                Organization = reader.GetGuid(3), Project = reader.GetGuid(4),
                Owner = reader.IsDBNull(5) ? null : reader.GetGuid(5), Test = reader.GetBoolean(6),
                Posted = reader.GetInt64(7), Reserved = reader.GetInt64(8), Version = reader.GetInt64(9),
                Spent = reader.GetInt64(10), ToppedUp = reader.GetInt64(11), Frozen = reader.GetBoolean(12),
                Denomination = reader.IsDBNull(13) ? null : reader.GetGuid(13),
                Ceiling = reader.IsDBNull(14) ? null : reader.GetInt64(14),
                EndsAt = reader.IsDBNull(15) ? null : reader.GetFieldValue<DateTimeOffset>(15),
                BaseLot = reader.IsDBNull(16) ? null : reader.GetGuid(16), Lots = reader.GetInt32(17), Told = reader.GetInt16(21),
                LowMark = reader.IsDBNull(18) ? null : reader.GetInt64(18), Name = reader.IsDBNull(20) ? null : reader.GetString(20),
                Thresholds = reader.IsDBNull(19) ? null : reader.GetFieldValue<byte[]>(19),
            };
            (account.Stored, account.StoredMarks) = (account.Figures, account.Marks);
            book.Accounts.Add(account.Id, account);
        }
    }

    static async Task ReadLeasesAsync(NpgsqlDataReader reader, Book book, CancellationToken token)
    {
        while (await reader.ReadAsync(token))
        {
            var lease = new Lease
            {
                Id = reader.GetGuid(0), Holder = reader.GetString(1), Fence = reader.GetInt64(2), ReturnFence = reader.GetInt64(3),
                ExpiresAt = reader.GetFieldValue<DateTimeOffset>(4), Expired = reader.GetBoolean(5),
                Slots = (LeaseSlots)reader.GetInt16(6), Until = reader.IsDBNull(7) ? null : reader.GetFieldValue<DateTimeOffset>(7),
            };
            lease.Stored = lease.Figures;
            book.Leases.Add(lease.Id, lease);
        }
    }

    static async Task ReadLinesAsync(NpgsqlDataReader reader, Book book, CancellationToken token)
    {
        while (await reader.ReadAsync(token))
        {
            var line = new LeaseLine
            {
                Granted = reader.GetInt64(2), Consumed = reader.GetInt64(3), Returned = reader.GetInt64(4),
                LastGranted = reader.GetInt64(5),
            };
            line.Stored = line.Figures;
            book.Leases[reader.GetGuid(0)].Lines.Add(reader.GetGuid(1), line);
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
            book.Rated.Add(reader.GetGuid(0), new(reader.GetInt64(1), reader.GetInt64(2), reader.GetInt64(3), reader.GetBoolean(4)));
    }

    /// <summary>Writes what differs from what was read, and what is new.</summary>
    public static async Task WriteAsync(NpgsqlConnection connection, NpgsqlTransaction transaction, Book book, CancellationToken token)
    {
        await using var batch = new NpgsqlBatch(connection, transaction);
        AddAccounts(batch, [.. book.Accounts.Values.Where(account => account.Figures != account.Stored)]);
        AddLeases(batch, [.. book.Leases.Values.Where(lease => lease.Figures != lease.Stored)]);
        AddLines(batch, [..
            from lease in book.Leases.Values
            from line in lease.Lines
            where line.Value.Figures != line.Value.Stored
            select (lease.Id, line.Key, line.Value)]);
        Transfers.AddTo(batch, book.Transfers, book.Now);
        AddNotes(batch, book.Transfers.FindAll(transfer => transfer.Description is not null));
        UsageRows.Insert.AddTo(batch, book.Usages, book.Now);
        UsageRows.AddRaw(batch, book);
        UsageRows.AddStale(batch, book);
        WindowRows.AddTo(batch, book);
        EndedCalls.AddTo(batch, book);
        Corrections.AddTo(batch, book.Corrections, book.Now);
        Entries.AddTo(batch, book.Entries, book.Now);
        LotRows.AddTo(batch, book);
        EventRows.AddTo(batch, book);
        if (batch.BatchCommands.Count > 0)
            await batch.ExecuteNonQueryAsync(token);
    }

    static void AddNotes(NpgsqlBatch batch, List<Transfer> noted)
    {
        if (noted.Count > 0)
            Add(batch, "insert into note (transfer, text) select * from unnest($1::uuid[], $2::text[])",
                Column(noted, t => t.Id), Column(noted, t => t.Description!));
    }

    static void AddAccounts(NpgsqlBatch batch, Account[] accounts)
    {
        if (accounts.Length > 0)
            Add(batch, """
                update account set
                    posted = a.posted, reserved = a.reserved, version = a.version,
                    spent = a.spent, topped_up = a.topped_up, frozen = a.frozen, ceiling = a.ceiling, ends_at = a.ends_at,
                    base_lot = a.base_lot, lots = a.lots
                from unnest(
                    $1::uuid[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::boolean[], $8::bigint[],
                    $9::timestamptz[], $10::uuid[], $11::int[])
                    as a (id, posted, reserved, version, spent, topped_up, frozen, ceiling, ends_at, base_lot, lots)
                where account.id = a.id
                """,
                Column(accounts, a => a.Id),
                Column(accounts, a => a.Posted),
                Column(accounts, a => a.Reserved),
                Column(accounts, a => a.Version),
                Column(accounts, a => a.Spent),
                Column(accounts, a => a.ToppedUp),
                Column(accounts, a => a.Frozen),
                Column(accounts, a => a.Ceiling),
                Column(accounts, a => a.EndsAt),
                Column(accounts, a => a.BaseLot),
                Column(accounts, a => a.Lots));
    }

    static void AddLeases(NpgsqlBatch batch, Lease[] leases)
    {
        if (leases.Length > 0)
            Add(batch, """
                insert into lease (id, holder, fence, return_fence, expires_at, expired, slots, until)
                select * from unnest(
                    $1::uuid[], $2::text[], $3::bigint[], $4::bigint[], $5::timestamptz[], $6::boolean[], $7::smallint[], $8::timestamptz[])
                on conflict (id) do update set
                    fence = excluded.fence, return_fence = excluded.return_fence,
                    expires_at = greatest(lease.expires_at, excluded.expires_at), expired = excluded.expired,
                    slots = excluded.slots, until = excluded.until
                """,
                Column(leases, l => l.Id),
                Column(leases, l => l.Holder),
                Column(leases, l => l.Fence),
                Column(leases, l => l.ReturnFence),
                Column(leases, l => l.ExpiresAt),
                Column(leases, l => l.Expired),
                Column(leases, l => (short)l.Slots),
                Column(leases, l => l.Until));
    }

    /// <summary>Most lines of a batch are there. An update of them costs two thirds of an insertion that finds them.</summary>
    static void AddLines(NpgsqlBatch batch, (Guid Lease, Guid Account, LeaseLine Line)[] lines)
    {
        AddLines(batch, Array.FindAll(lines, line => line.Line.Stored is not null), """
            update lease_line set
                granted = l.granted, consumed = l.consumed, returned = l.returned, last_granted = l.last_granted
            from unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[])
                as l (lease, account, granted, consumed, returned, last_granted)
            where lease_line.lease = l.lease and lease_line.account = l.account
            """);
        AddLines(batch, Array.FindAll(lines, line => line.Line.Stored is null), """
            insert into lease_line (lease, account, granted, consumed, returned, last_granted)
            select * from unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[])
            """);
    }

    static void AddLines(NpgsqlBatch batch, (Guid Lease, Guid Account, LeaseLine Line)[] lines, string sql)
    {
        if (lines.Length > 0)
            Add(batch, sql,
                Column(lines, l => l.Lease),
                Column(lines, l => l.Account),
                Column(lines, l => l.Line.Granted),
                Column(lines, l => l.Line.Consumed),
                Column(lines, l => l.Line.Returned),
                Column(lines, l => l.Line.LastGranted));
    }

    internal static TColumn[] Column<TRow, TColumn>(IReadOnlyList<TRow> rows, Func<TRow, TColumn> value)
    {
        var column = new TColumn[rows.Count];
        for (var i = 0; i < column.Length; i++)
            column[i] = value(rows[i]);
        return column;
    }

    internal static void Add(NpgsqlBatch batch, string sql, params object[] values)
    {
        var command = new NpgsqlBatchCommand(sql);
        foreach (var value in values)
            command.Parameters.Add(value is string?[] texts
                ? new NpgsqlParameter { Value = texts, NpgsqlDbType = NpgsqlDbType.Array | NpgsqlDbType.Text }
                : new NpgsqlParameter { Value = value });
        batch.BatchCommands.Add(command);
    }
}
