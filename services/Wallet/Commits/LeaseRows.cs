using Npgsql;

namespace LlmGateway.Wallet;

/// <summary>
/// Rows of <c>lease</c>, as batches read and write them. All lines of a lease stand in its row, because a settlement changes all of them.
/// Those of several leases stand one after the other in a parameter: PostgreSQL cannot unnest arrays of several lengths row by row.
/// </summary>
static class LeaseRows
{
    const string Columns = """
        id, holder, fence, return_fence, expires_at, expired, slots, until, accounts, holds, uses, returns, latest_grants, unposted_uses
        """;

    public static void AddLocks(NpgsqlBatch batch, Footprint touched) =>
        batch.Add($"select {Columns} from lease where id = any($1) order by id for update", touched.Leases.ToArray());

    public static async Task ReadAsync(NpgsqlDataReader reader, Book book, CancellationToken token)
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
            ReadLines(reader, lease);
            book.Leases.Add(lease.Id, lease);
        }
    }

    static void ReadLines(NpgsqlDataReader reader, Lease lease)
    {
        var accounts = reader.GetFieldValue<Guid[]>(8);
        var (holds, uses, returns, grants, unposted) = (Amounts(9), Amounts(10), Amounts(11), Amounts(12), Amounts(13));
        for (var i = 0; i < accounts.Length; i++)
        {
            var line = new LeaseLine
            {
                Granted = checked(holds[i] + uses[i] + returns[i]), Consumed = uses[i], Returned = returns[i], LastGranted = grants[i],
                Unposted = unposted[i],
            };
            line.Stored = line.Figures;
            lease.Lines.Add(accounts[i], line);
        }

        long[] Amounts(int column) => reader.GetFieldValue<long[]>(column);
    }

    /// <summary>A settlement changes what is held and used, and posting what is not posted. Nothing else of a lease changes then.</summary>
    public static void AddTo(NpgsqlBatch batch, Book book)
    {
        AddLeases(batch, [.. book.Leases.Values.Where(lease => lease.Figures != lease.Stored)]);
        AddUses(batch, [..
            from lease in book.Leases.Values
            where lease.Figures == lease.Stored && lease.Lines.Values.Any(line => line.Figures != line.Stored)
            select lease]);
        AddAccounts(batch, [..
            from lease in book.Leases.Values
            from line in lease.Lines
            where line.Value.Stored is null
            select (line.Key, lease.Id)]);
    }

    static void AddUses(NpgsqlBatch batch, Lease[] leases)
    {
        if (leases.Length > 0)
            batch.Add("""
                update lease set
                    holds = ($4::bigint[])[first_line : last_line], uses = ($5::bigint[])[first_line : last_line],
                    unposted_uses = ($6::bigint[])[first_line : last_line]
                from unnest($1::uuid[], $2::int[], $3::int[]) as l (id, first_line, last_line) where lease.id = l.id
                """,
                leases.Column(l => l.Id),
                Ends(leases, first: true),
                Ends(leases, first: false),
                Lines(leases, line => line.Outstanding),
                Lines(leases, line => line.Consumed),
                Lines(leases, line => line.Unposted));
    }

    static void AddLeases(NpgsqlBatch batch, Lease[] leases)
    {
        if (leases.Length > 0)
            batch.Add($"""
                insert into lease ({Columns})
                select id, holder, fence, return_fence, expires_at, expired, slots, until,
                    ($11::uuid[])[first_line : last_line], ($12::bigint[])[first_line : last_line],
                    ($13::bigint[])[first_line : last_line], ($14::bigint[])[first_line : last_line],
                    ($15::bigint[])[first_line : last_line], ($16::bigint[])[first_line : last_line]
                from unnest(
                    $1::uuid[], $2::text[], $3::bigint[], $4::bigint[], $5::timestamptz[], $6::boolean[], $7::smallint[], $8::timestamptz[],
                    $9::int[], $10::int[])
                    as l (id, holder, fence, return_fence, expires_at, expired, slots, until, first_line, last_line)
                on conflict (id) do update set
                    fence = excluded.fence, return_fence = excluded.return_fence,
                    expires_at = greatest(lease.expires_at, excluded.expires_at), expired = excluded.expired,
                    slots = excluded.slots, until = excluded.until, accounts = excluded.accounts, holds = excluded.holds,
                    uses = excluded.uses, returns = excluded.returns, latest_grants = excluded.latest_grants,
                    unposted_uses = excluded.unposted_uses
                """,
                leases.Column(l => l.Id),
                leases.Column(l => l.Holder),
                leases.Column(l => l.Fence),
                leases.Column(l => l.ReturnFence),
                leases.Column(l => l.ExpiresAt),
                leases.Column(l => l.Expired),
                leases.Column(l => (short)l.Slots),
                leases.Column(l => l.LotsExpireAt),
                Ends(leases, first: true),
                Ends(leases, first: false),
                leases.SelectMany(l => l.Lines.Keys).ToArray(),
                Lines(leases, line => line.Outstanding),
                Lines(leases, line => line.Consumed),
                Lines(leases, line => line.Returned),
                Lines(leases, line => line.LastGranted),
                Lines(leases, line => line.Unposted));
    }

    /// <summary>By them the leases on an account are found.</summary>
    static void AddAccounts(NpgsqlBatch batch, (Guid Account, Guid Lease)[] lines)
    {
        if (lines.Length > 0)
            batch.Add("insert into lease_account (account, lease) select * from unnest($1::uuid[], $2::uuid[])",
                lines.Column(line => line.Account), lines.Column(line => line.Lease));
    }

    /// <summary>Where the lines of each lease begin, or end, among those of all. They are counted from one.</summary>
    static int[] Ends(Lease[] leases, bool first)
    {
        var (ends, before) = (new int[leases.Length], 0);
        for (var i = 0; i < ends.Length; i++)
        {
            ends[i] = first ? before + 1 : before + leases[i].Lines.Count;
            before += leases[i].Lines.Count;
        }
        return ends;
    }

    static long[] Lines(Lease[] leases, Func<LeaseLine, long> amount) =>
        [.. leases.SelectMany(lease => lease.Lines.Values).Select(amount)];
}
