using LlmGateway.Contracts;
using Npgsql;
using NpgsqlTypes;

namespace LlmGateway.Wallet;

/// <summary>How a <see cref="Book"/> gets out of PostgreSQL and back: one round trip to lock and read, one to write, whatever the size of the batch.</summary>
public static class BookStore
{
    public static async Task<Book> LockAsync(NpgsqlConnection connection, NpgsqlTransaction transaction, IReadOnlyList<Command> commands, ExistingAccounts existing, CancellationToken token)
    {
        var (missing, accounts) = (new Dictionary<Guid, Account>(), new HashSet<Guid>());
        var (changing, paying) = (new HashSet<Guid>(), new HashSet<Guid>());
        var (requests, transfers, rerated) = (new List<Guid>(commands.Count), new List<Guid>(), new HashSet<Guid>());
        foreach (var command in commands)
        {
            accounts.UnionWith(command.Accounts);
            foreach (var account in command.Ensures)
            {
                accounts.Add(account.Id);
                if (!existing.Contains(account.Id))
                    missing.TryAdd(account.Id, account);
            }
            if (command.Lease is { } lease)
                (command.ChangesLease ? changing : paying).Add(lease);
            if (command.Movement is { } movement)
                (command is Settle ? requests : transfers).Add(movement);
            if (command is Rerate { RequestId: var request })
                rerated.Add(request);
        }
        paying.ExceptWith(changing);

        // Every writer takes accounts first and leases second, both in id order: two writers can wait for each other, but never in a circle.
        await using var batch = new NpgsqlBatch(connection, transaction);
        // Plans are made once per connection, whatever is in the tables by then: on the first day they would read tables from end to end for as long as the connection lives.
        Add(batch, "set local enable_seqscan = off");
        Add(batch, "set local plan_cache_mode = force_generic_plan");
        if (missing.Count > 0)
            AddMissing(batch, [.. missing.Values]);
        Add(batch, "select clock_timestamp()");
        Add(batch, "select id, kind, unit, organization, project, owner, test, posted, reserved, version, spent, topped_up, frozen from account where id = any($1) order by id for update", accounts.ToArray());
        Add(batch, "select id, holder, fence, return_fence, expires_at, expired from lease where id = any($1) order by id for update", changing.ToArray());
        Add(batch, "select id, holder, fence, return_fence, expires_at, expired from lease where id = any($1)", paying.ToArray());
        Add(batch, "select lease, account, granted, consumed, returned, last_granted from lease_line where lease = any($1)", (Guid[])[.. changing, .. paying]);
        Add(batch, "select request_id from usage_record where request_id = any($1) union all select id from transfer where id = any($2)", requests.ToArray(), transfers.ToArray());
        if (rerated.Count > 0)
            Add(batch, """
                select request_id, cost, charged, absorbed from usage_record where request_id = any($1)
                union all select request_id, new_cost - old_cost, charged, absorbed from correction where request_id = any($1)
                """, rerated.ToArray());

        await using var reader = await batch.ExecuteReaderAsync(token);
        await reader.ReadAsync(token);
        var book = new Book(reader.GetFieldValue<DateTimeOffset>(0));
        await reader.NextResultAsync(token);
        await ReadAccountsAsync(reader, book, token);
        await reader.NextResultAsync(token);
        await ReadLeasesAsync(reader, book, token);
        await reader.NextResultAsync(token);
        await ReadLeasesAsync(reader, book, token);
        await reader.NextResultAsync(token);
        await ReadLinesAsync(reader, book, token);
        await reader.NextResultAsync(token);
        while (await reader.ReadAsync(token))
            book.Known.Add(reader.GetGuid(0));
        if (rerated.Count > 0 && await reader.NextResultAsync(token))
            await ReadRatedAsync(reader, book, token);
        return book;
    }

    static void AddMissing(NpgsqlBatch batch, Account[] accounts) => Add(batch, """
        insert into account (id, kind, unit, organization, project, owner, test)
        select * from unnest($1::uuid[], $2::smallint[], $3::smallint[], $4::uuid[], $5::uuid[], $6::uuid[], $7::boolean[]) as new (id, kind, unit, organization, project, owner, test)
        where not exists (select 1 from account where account.id = new.id)
        order by id on conflict do nothing
        """,
        Column(accounts, a => a.Id), Column(accounts, a => (short)a.Kind), Column(accounts, a => (short)a.Unit), Column(accounts, a => a.Organization), Column(accounts, a => a.Project),
        Column(accounts, a => a.Owner), Column(accounts, a => a.Test));

    static async Task ReadAccountsAsync(NpgsqlDataReader reader, Book book, CancellationToken token)
    {
        while (await reader.ReadAsync(token))
        {
            var account = new Account
            {
                Id = reader.GetGuid(0), Kind = (AccountKind)reader.GetInt16(1), Unit = (Unit)reader.GetInt16(2),
                Organization = reader.GetGuid(3), Project = reader.GetGuid(4), Owner = reader.IsDBNull(5) ? null : reader.GetGuid(5), Test = reader.GetBoolean(6),
                Posted = reader.GetInt64(7), Reserved = reader.GetInt64(8), Version = reader.GetInt64(9),
                Spent = reader.GetInt64(10), ToppedUp = reader.GetInt64(11), Frozen = reader.GetBoolean(12),
            };
            account.Stored = account.Figures;
            book.Accounts.Add(account.Id, account);
        }
    }

    static async Task ReadLeasesAsync(NpgsqlDataReader reader, Book book, CancellationToken token)
    {
        while (await reader.ReadAsync(token))
        {
            var lease = new Lease { Id = reader.GetGuid(0), Holder = reader.GetString(1), Fence = reader.GetInt64(2), ReturnFence = reader.GetInt64(3), ExpiresAt = reader.GetFieldValue<DateTimeOffset>(4), Expired = reader.GetBoolean(5) };
            lease.Stored = lease.Figures;
            book.Leases.Add(lease.Id, lease);
        }
    }

    static async Task ReadLinesAsync(NpgsqlDataReader reader, Book book, CancellationToken token)
    {
        while (await reader.ReadAsync(token))
        {
            var hold = new LeaseLine { Granted = reader.GetInt64(2), Consumed = reader.GetInt64(3), Returned = reader.GetInt64(4), LastGranted = reader.GetInt64(5) };
            hold.Stored = hold.Figures;
            book.Leases[reader.GetGuid(0)].Lines.Add(reader.GetGuid(1), hold);
        }
    }

    static async Task ReadRatedAsync(NpgsqlDataReader reader, Book book, CancellationToken token)
    {
        while (await reader.ReadAsync(token))
        {
            var rated = book.Rated.GetValueOrDefault(reader.GetGuid(0));
            book.Rated[reader.GetGuid(0)] = new(rated.Cost + reader.GetInt64(1), rated.Charged + reader.GetInt64(2), rated.Absorbed + reader.GetInt64(3));
        }
    }

    /// <summary>Writes what differs from what was read, and what is new.</summary>
    public static async Task WriteAsync(NpgsqlConnection connection, NpgsqlTransaction transaction, Book book, CancellationToken token)
    {
        await using var batch = new NpgsqlBatch(connection, transaction);
        AddAccounts(batch, [.. book.Accounts.Values.Where(account => account.Figures != account.Stored)]);
        AddLeases(batch, [.. book.Leases.Values.Where(lease => lease.Figures != lease.Stored)]);
        AddLines(batch, [.. book.Leases.Values.SelectMany(lease => lease.Lines.Where(line => line.Value.Figures != line.Value.Stored).Select(line => (lease.Id, line.Key, line.Value)))]);
        AddTransfers(batch, book.Transfers, book.Now);
        AddUsages(batch, book.Usages, book.Now);
        AddCorrections(batch, book.Corrections, book.Now);
        AddEntries(batch, book.Entries, book.Now);
        if (batch.BatchCommands.Count > 0)
            await batch.ExecuteNonQueryAsync(token);
    }

    static void AddAccounts(NpgsqlBatch batch, Account[] accounts)
    {
        if (accounts.Length > 0)
            Add(batch, """
                update account set posted = a.posted, reserved = a.reserved, version = a.version, spent = a.spent, topped_up = a.topped_up, frozen = a.frozen
                from unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::boolean[]) as a (id, posted, reserved, version, spent, topped_up, frozen)
                where account.id = a.id
                """,
                Column(accounts, a => a.Id), Column(accounts, a => a.Posted), Column(accounts, a => a.Reserved), Column(accounts, a => a.Version),
                Column(accounts, a => a.Spent), Column(accounts, a => a.ToppedUp), Column(accounts, a => a.Frozen));
    }

    static void AddLeases(NpgsqlBatch batch, Lease[] leases)
    {
        if (leases.Length > 0)
            Add(batch, """
                insert into lease (id, holder, fence, return_fence, expires_at, expired) select * from unnest($1::uuid[], $2::text[], $3::bigint[], $4::bigint[], $5::timestamptz[], $6::boolean[])
                on conflict (id) do update set fence = excluded.fence, return_fence = excluded.return_fence, expires_at = greatest(lease.expires_at, excluded.expires_at), expired = excluded.expired
                """,
                Column(leases, l => l.Id), Column(leases, l => l.Holder), Column(leases, l => l.Fence), Column(leases, l => l.ReturnFence), Column(leases, l => l.ExpiresAt), Column(leases, l => l.Expired));
    }

    static void AddLines(NpgsqlBatch batch, (Guid Lease, Guid Account, LeaseLine Hold)[] lines)
    {
        if (lines.Length > 0)
            Add(batch, """
                insert into lease_line (lease, account, granted, consumed, returned, last_granted)
                select * from unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[])
                on conflict (lease, account) do update set granted = excluded.granted, consumed = excluded.consumed, returned = excluded.returned, last_granted = excluded.last_granted
                """,
                Column(lines, l => l.Lease), Column(lines, l => l.Account), Column(lines, l => l.Hold.Granted), Column(lines, l => l.Hold.Consumed), Column(lines, l => l.Hold.Returned), Column(lines, l => l.Hold.LastGranted));
    }

    static void AddTransfers(NpgsqlBatch batch, List<Transfer> transfers, DateTimeOffset now)
    {
        if (transfers.Count > 0)
            Add(batch, "insert into transfer (id, type, description, created_at) select t.id, t.type, t.description, $4 from unnest($1::uuid[], $2::smallint[], $3::text[]) as t (id, type, description)",
                Column(transfers, t => t.Id), Column(transfers, t => (short)t.Type), Column(transfers, t => t.Description), now);
    }

    static void AddCorrections(NpgsqlBatch batch, List<Correction> corrections, DateTimeOffset now)
    {
        if (corrections.Count > 0)
            Add(batch, """
                insert into correction (rerating, request_id, transfer, price_version, old_cost, new_cost, charged, absorbed, created_at)
                select c.*, $9 from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::bigint[], $6::bigint[], $7::bigint[], $8::bigint[]) as c
                """,
                Column(corrections, c => c.Rerating), Column(corrections, c => c.RequestId), Column(corrections, c => c.Transfer), Column(corrections, c => c.PriceVersion),
                Column(corrections, c => c.OldCost), Column(corrections, c => c.NewCost), Column(corrections, c => c.Charged), Column(corrections, c => c.Absorbed), now);
    }

    static void AddEntries(NpgsqlBatch batch, List<Entry> entries, DateTimeOffset now)
    {
        if (entries.Count > 0)
            Add(batch, """
                insert into entry (account, version, transfer, type, amount, balance, created_at)
                select e.*, $7 from unnest($1::uuid[], $2::bigint[], $3::uuid[], $4::smallint[], $5::bigint[], $6::bigint[]) as e
                """,
                Column(entries, e => e.Account), Column(entries, e => e.Version), Column(entries, e => e.Transfer), Column(entries, e => (short)e.Type), Column(entries, e => e.Amount), Column(entries, e => e.Balance), now);
    }

    static void AddUsages(NpgsqlBatch batch, List<UsageRow> rows, DateTimeOffset now)
    {
        if (rows.Count > 0)
            Add(batch, """
                insert into usage_record (request_id, organization, project, customer, credential, family, test, endpoint, model, provider, upstream_model, price_version, stream,
                    started_at, duration_ms, first_byte_ms, status, outcome, meters, cost, charged, absorbed, estimated, reason, raw_usage, created_at, attempt_of)
                select u.id, u.organization, u.project, u.customer, u.credential, u.family, u.test, u.endpoint, u.model, u.provider, u.upstream_model, u.price_version, u.stream,
                    u.started_at, u.duration_ms, u.first_byte_ms, u.status, u.outcome, ($19::bigint[])[(u.n - 1) * $27 + 1 : u.n * $27], u.cost, u.charged, u.absorbed, u.estimated, u.reason, u.raw_usage, $26, u.attempt_of
                from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::uuid[], $6::uuid[], $7::boolean[], $8::text[], $9::text[], $10::text[], $11::text[], $12::uuid[], $13::boolean[],
                    $14::timestamptz[], $15::integer[], $16::integer[], $17::smallint[], $18::smallint[], $20::bigint[], $21::bigint[], $22::bigint[], $23::boolean[], $24::text[], $25::text[], $28::uuid[])
                    with ordinality as u (id, organization, project, customer, credential, family, test, endpoint, model, provider, upstream_model, price_version, stream,
                    started_at, duration_ms, first_byte_ms, status, outcome, cost, charged, absorbed, estimated, reason, raw_usage, attempt_of, n)
                """,
                Column(rows, r => r.RequestId), Column(rows, r => r.Record.Organization), Column(rows, r => r.Record.Project), Column(rows, r => r.Record.Customer), Column(rows, r => r.Record.Credential),
                Column(rows, r => r.Record.Family), Column(rows, r => r.Record.Test), Column(rows, r => r.Record.Endpoint), Column(rows, r => r.Record.Model), Column(rows, r => r.Record.Provider),
                Column(rows, r => r.Record.UpstreamModel), Column(rows, r => r.Record.PriceVersion), Column(rows, r => r.Record.Stream), Column(rows, r => r.Record.StartedAt), Column(rows, r => r.Record.DurationMs),
                Column(rows, r => r.Record.FirstByteMs), Column(rows, r => (short)r.Record.Status), Column(rows, r => (short)r.Record.Outcome), Meters(rows),
                Column(rows, r => r.Record.Cost.Nanos), Column(rows, r => r.Charged), Column(rows, r => r.Absorbed), Column(rows, r => r.Record.Estimated), Column(rows, r => r.Record.Reason), Column(rows, r => r.Record.RawUsage),
                now, Usage.Meters, Column(rows, r => r.Record.AttemptOf));
    }

    /// <summary>The meters of all rows one after the other: an array of arrays cannot be unnested row by row.</summary>
    static long[] Meters(List<UsageRow> rows)
    {
        var meters = new long[rows.Count * Usage.Meters];
        for (var row = 0; row < rows.Count; row++)
            for (var meter = 0; meter < rows[row].Record.Meters.Count; meter++)
                meters[(row * Usage.Meters) + meter] = rows[row].Record.Meters[meter];
        return meters;
    }

    static TColumn[] Column<TRow, TColumn>(IReadOnlyList<TRow> rows, Func<TRow, TColumn> value)
    {
        var column = new TColumn[rows.Count];
        for (var i = 0; i < column.Length; i++)
            column[i] = value(rows[i]);
        return column;
    }

    static void Add(NpgsqlBatch batch, string sql, params object[] values)
    {
        var command = new NpgsqlBatchCommand(sql);
        foreach (var value in values)
            command.Parameters.Add(value is string?[] texts ? new NpgsqlParameter { Value = texts, NpgsqlDbType = NpgsqlDbType.Array | NpgsqlDbType.Text } : new NpgsqlParameter { Value = value });
        batch.BatchCommands.Add(command);
    }
}
