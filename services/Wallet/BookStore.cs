using LlmGateway.Contracts;
using Npgsql;
using NpgsqlTypes;

namespace LlmGateway.Wallet;

/// <summary>How a <see cref="Book"/> gets out of PostgreSQL and back: one round trip to lock and read, one to write, whatever the size of the batch.</summary>
public static class BookStore
{
    public static async Task<Book> LockAsync(NpgsqlConnection connection, NpgsqlTransaction transaction, IReadOnlyList<Command> commands, CancellationToken token)
    {
        // Every writer takes accounts first and leases second, both in id order: two writers can wait for each other, but never in a circle.
        var ensures = commands.SelectMany(command => command.Ensures).DistinctBy(account => account.Id).OrderBy(account => account.Id, IdOrder).ToArray();
        var accounts = commands.SelectMany(command => command.Accounts).Concat(ensures.Select(account => account.Id)).Distinct().Order(IdOrder).ToArray();
        var leases = commands.Where(command => command.Lease is not null).Select(command => command.Lease!.Value).Distinct().Order(IdOrder).ToArray();
        var movements = commands.Where(command => command.Movement is not null).Select(command => command.Movement!.Value).Distinct().ToArray();

        await using var batch = new NpgsqlBatch(connection, transaction);
        if (ensures.Length > 0)
            Add(batch, """
                insert into account (id, kind, unit, organization, project, owner, test)
                select * from unnest($1::uuid[], $2::smallint[], $3::smallint[], $4::uuid[], $5::uuid[], $6::uuid[], $7::boolean[]) as new (id, kind, unit, organization, project, owner, test)
                where not exists (select 1 from account where account.id = new.id)
                order by id on conflict do nothing
                """,
                ensures.Select(a => a.Id).ToArray(), ensures.Select(a => (short)a.Kind).ToArray(), ensures.Select(a => (short)a.Unit).ToArray(),
                ensures.Select(a => a.Organization).ToArray(), ensures.Select(a => a.Project).ToArray(), ensures.Select(a => a.Owner).ToArray(), ensures.Select(a => a.Test).ToArray());
        Add(batch, "select clock_timestamp()");
        Add(batch, "select id, kind, unit, organization, project, owner, test, posted, reserved, version, spent, topped_up, frozen from account where id = any($1) order by id for update", accounts);
        Add(batch, "select id, holder, fence, return_fence, expires_at, expired from lease where id = any($1) order by id for update", leases);
        Add(batch, "select lease, account, granted, consumed, returned, last_granted from lease_line where lease = any($1)", leases);
        Add(batch, "select id from transfer where id = any($1) union all select request_id from usage_record where request_id = any($1)", movements);

        await using var reader = await batch.ExecuteReaderAsync(token);
        await reader.ReadAsync(token);
        var book = new Book(reader.GetFieldValue<DateTimeOffset>(0));
        await reader.NextResultAsync(token);
        await ReadAccountsAsync(reader, book, token);
        await reader.NextResultAsync(token);
        await ReadLeasesAsync(reader, book, token);
        await reader.NextResultAsync(token);
        while (await reader.ReadAsync(token))
            book.Known.Add(reader.GetGuid(0));
        return book;
    }

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
            book.Accounts.Add(account.Id, account);
        }
    }

    static async Task ReadLeasesAsync(NpgsqlDataReader reader, Book book, CancellationToken token)
    {
        while (await reader.ReadAsync(token))
        {
            var lease = new Lease { Id = reader.GetGuid(0), Holder = reader.GetString(1), Fence = reader.GetInt64(2), ReturnFence = reader.GetInt64(3), ExpiresAt = reader.GetFieldValue<DateTimeOffset>(4), Expired = reader.GetBoolean(5) };
            book.Leases.Add(lease.Id, lease);
        }
        await reader.NextResultAsync(token);
        while (await reader.ReadAsync(token))
            book.Leases[reader.GetGuid(0)].Lines.Add(reader.GetGuid(1), new() { Granted = reader.GetInt64(2), Consumed = reader.GetInt64(3), Returned = reader.GetInt64(4), LastGranted = reader.GetInt64(5) });
    }

    public static async Task WriteAsync(NpgsqlConnection connection, NpgsqlTransaction transaction, Book book, CancellationToken token)
    {
        await using var batch = new NpgsqlBatch(connection, transaction);
        AddAccounts(batch, [.. book.Accounts.Values]);
        if (book.Leases.Count > 0)
            AddLeases(batch, [.. book.Leases.Values]);
        if (book.Transfers.Count > 0)
            Add(batch, "insert into transfer (id, type, description, created_at) select t.id, t.type, t.description, $4 from unnest($1::uuid[], $2::smallint[], $3::text[]) as t (id, type, description)",
                book.Transfers.Select(t => t.Id).ToArray(), book.Transfers.Select(t => (short)t.Type).ToArray(), book.Transfers.Select(t => t.Description).ToArray(), book.Now);
        if (book.Usages.Count > 0)
            AddUsages(batch, book.Usages, book.Now);
        if (book.Entries.Count > 0)
            Add(batch, """
                insert into entry (account, version, transfer, type, amount, balance, created_at)
                select e.*, $7 from unnest($1::uuid[], $2::bigint[], $3::uuid[], $4::smallint[], $5::bigint[], $6::bigint[]) as e
                """,
                book.Entries.Select(e => e.Account).ToArray(), book.Entries.Select(e => e.Version).ToArray(), book.Entries.Select(e => e.Transfer).ToArray(),
                book.Entries.Select(e => (short)e.Type).ToArray(), book.Entries.Select(e => e.Amount).ToArray(), book.Entries.Select(e => e.Balance).ToArray(), book.Now);
        await batch.ExecuteNonQueryAsync(token);
    }

    static void AddAccounts(NpgsqlBatch batch, Account[] accounts) => Add(batch, """
        update account set posted = a.posted, reserved = a.reserved, version = a.version, spent = a.spent, topped_up = a.topped_up, frozen = a.frozen
        from unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::boolean[]) as a (id, posted, reserved, version, spent, topped_up, frozen)
        where account.id = a.id
        """,
        accounts.Select(a => a.Id).ToArray(), accounts.Select(a => a.Posted).ToArray(), accounts.Select(a => a.Reserved).ToArray(), accounts.Select(a => a.Version).ToArray(),
        accounts.Select(a => a.Spent).ToArray(), accounts.Select(a => a.ToppedUp).ToArray(), accounts.Select(a => a.Frozen).ToArray());

    static void AddLeases(NpgsqlBatch batch, Lease[] leases)
    {
        Add(batch, """
            insert into lease (id, holder, fence, return_fence, expires_at, expired) select * from unnest($1::uuid[], $2::text[], $3::bigint[], $4::bigint[], $5::timestamptz[], $6::boolean[])
            on conflict (id) do update set fence = excluded.fence, return_fence = excluded.return_fence, expires_at = greatest(lease.expires_at, excluded.expires_at), expired = excluded.expired
            """,
            leases.Select(l => l.Id).ToArray(), leases.Select(l => l.Holder).ToArray(), leases.Select(l => l.Fence).ToArray(), leases.Select(l => l.ReturnFence).ToArray(), leases.Select(l => l.ExpiresAt).ToArray(), leases.Select(l => l.Expired).ToArray());
        var lines = leases.SelectMany(lease => lease.Lines.Select(line => (Lease: lease.Id, Account: line.Key, Hold: line.Value))).ToArray();
        Add(batch, """
            insert into lease_line (lease, account, granted, consumed, returned, last_granted)
            select * from unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[])
            on conflict (lease, account) do update set granted = excluded.granted, consumed = excluded.consumed, returned = excluded.returned, last_granted = excluded.last_granted
            """,
            lines.Select(l => l.Lease).ToArray(), lines.Select(l => l.Account).ToArray(), lines.Select(l => l.Hold.Granted).ToArray(),
            lines.Select(l => l.Hold.Consumed).ToArray(), lines.Select(l => l.Hold.Returned).ToArray(), lines.Select(l => l.Hold.LastGranted).ToArray());
    }

    static void AddUsages(NpgsqlBatch batch, List<UsageRow> rows, DateTimeOffset now)
    {
        T[] Column<T>(Func<UsageRow, T> value) => rows.ConvertAll(row => value(row)).ToArray();
        Add(batch, """
            insert into usage_record (request_id, organization, project, customer, credential, family, test, endpoint, model, provider, upstream_model, price_version, stream,
                started_at, duration_ms, first_byte_ms, status, outcome, meters, cost, charged, absorbed, estimated, reason, raw_usage, created_at)
            select u.id, u.organization, u.project, u.customer, u.credential, u.family, u.test, u.endpoint, u.model, u.provider, u.upstream_model, u.price_version, u.stream,
                u.started_at, u.duration_ms, u.first_byte_ms, u.status, u.outcome, u.meters::bigint[], u.cost, u.charged, u.absorbed, u.estimated, u.reason, u.raw_usage, $26
            from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::uuid[], $6::uuid[], $7::boolean[], $8::text[], $9::text[], $10::text[], $11::text[], $12::uuid[], $13::boolean[],
                $14::timestamptz[], $15::integer[], $16::integer[], $17::smallint[], $18::smallint[], $19::text[], $20::bigint[], $21::bigint[], $22::bigint[], $23::boolean[], $24::text[], $25::text[])
                as u (id, organization, project, customer, credential, family, test, endpoint, model, provider, upstream_model, price_version, stream,
                started_at, duration_ms, first_byte_ms, status, outcome, meters, cost, charged, absorbed, estimated, reason, raw_usage)
            """,
            Column(r => r.RequestId), Column(r => r.Record.Organization), Column(r => r.Record.Project), Column(r => r.Record.Customer), Column(r => r.Record.Credential),
            Column(r => r.Record.Family), Column(r => r.Record.Test), Column(r => r.Record.Endpoint), Column(r => r.Record.Model), Column(r => r.Record.Provider),
            Column(r => r.Record.UpstreamModel), Column(r => r.Record.PriceVersion), Column(r => r.Record.Stream), Column(r => r.Record.StartedAt), Column(r => r.Record.DurationMs),
            Column(r => r.Record.FirstByteMs), Column(r => (short)r.Record.Status), Column(r => (short)r.Record.Outcome), Column(r => $"{{{string.Join(',', r.Record.Meters)}}}"),
            Column(r => r.Record.Cost.Nanos), Column(r => r.Charged), Column(r => r.Absorbed), Column(r => r.Record.Estimated), Column(r => r.Record.Reason), Column(r => r.Record.RawUsage), now);
    }

    static void Add(NpgsqlBatch batch, string sql, params object[] values)
    {
        var command = new NpgsqlBatchCommand(sql);
        foreach (var value in values)
            command.Parameters.Add(value is string?[] texts ? new NpgsqlParameter { Value = texts, NpgsqlDbType = NpgsqlDbType.Array | NpgsqlDbType.Text } : new NpgsqlParameter { Value = value });
        batch.BatchCommands.Add(command);
    }

    static readonly IComparer<Guid> IdOrder = Comparer<Guid>.Create(Ids.Compare);
}
