using Npgsql;

namespace LlmGateway.Wallet;

/// <summary>Rows of <c>lease</c> and <c>lease_line</c>, as batches read and write them.</summary>
static class LeaseRows
{
    const string Columns = "id, holder, fence, return_fence, expires_at, expired, slots, until";

    /// <summary>Leases that change, which are locked, and those that only pay.</summary>
    public static void AddLocks(NpgsqlBatch batch, Footprint touched)
    {
        batch.Add($"select {Columns} from lease where id = any($1) order by id for update", touched.ChangedLeases.ToArray());
        batch.Add($"select {Columns} from lease where id = any($1)", touched.PayingLeases.ToArray());
        batch.Add(
            "select lease, account, granted, consumed, returned, last_granted from lease_line where lease = any($1)",
            (Guid[])[.. touched.ChangedLeases, .. touched.PayingLeases]);
    }

    public static async Task ReadAsync(NpgsqlDataReader reader, Book book, CancellationToken token)
    {
        await ReadLeasesAsync(reader, book, token);
        await reader.NextResultAsync(token);
        await ReadLeasesAsync(reader, book, token);
        await reader.NextResultAsync(token);
        await ReadLinesAsync(reader, book, token);
    }

    static async Task ReadLeasesAsync(NpgsqlDataReader reader, Book book, CancellationToken token)
    {
        while (await reader.ReadAsync(token))
        {
            var lease = new Lease
            {
                Id = reader.GetGuid(0), Holder = reader.GetString(1), Fence = reader.GetInt64(2), ReturnFence = reader.GetInt64(3),
                ExpiresAt = reader.GetFieldValue<DateTimeOffset>(4), Expired = reader.GetBoolean(5),
                Slots = (LeaseSlots)reader.GetInt16(6), LotsExpireAt = reader.IsDBNull(7) ? null : reader.GetFieldValue<DateTimeOffset>(7),
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

    public static void AddTo(NpgsqlBatch batch, Book book)
    {
        AddLeases(batch, [.. book.Leases.Values.Where(lease => lease.Figures != lease.Stored)]);
        AddLines(batch, [..
            from lease in book.Leases.Values
            from line in lease.Lines
            where line.Value.Figures != line.Value.Stored
            select (lease.Id, line.Key, line.Value)]);
    }

    static void AddLeases(NpgsqlBatch batch, Lease[] leases)
    {
        if (leases.Length > 0)
            batch.Add($"""
                insert into lease ({Columns})
                select * from unnest(
                    $1::uuid[], $2::text[], $3::bigint[], $4::bigint[], $5::timestamptz[], $6::boolean[], $7::smallint[], $8::timestamptz[])
                on conflict (id) do update set
                    fence = excluded.fence, return_fence = excluded.return_fence,
                    expires_at = greatest(lease.expires_at, excluded.expires_at), expired = excluded.expired,
                    slots = excluded.slots, until = excluded.until
                """,
                leases.Column(l => l.Id),
                leases.Column(l => l.Holder),
                leases.Column(l => l.Fence),
                leases.Column(l => l.ReturnFence),
                leases.Column(l => l.ExpiresAt),
                leases.Column(l => l.Expired),
                leases.Column(l => (short)l.Slots),
                leases.Column(l => l.LotsExpireAt));
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
            batch.Add(sql,
                lines.Column(l => l.Lease),
                lines.Column(l => l.Account),
                lines.Column(l => l.Line.Granted),
                lines.Column(l => l.Line.Consumed),
                lines.Column(l => l.Line.Returned),
                lines.Column(l => l.Line.LastGranted));
    }
}
