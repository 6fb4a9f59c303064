using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using Npgsql;

namespace LlmGateway.Wallet;

/// <summary>
/// Reads the lots of locked balances, and writes what has changed of them. A batch that touches no balance with lots pays for neither.
/// </summary>
public static class LotRows
{
    /// <summary>
    /// What balances have left, and, of those that something may be put back into, besides their own lots and those that are named. Each
    /// part has its index. With "or", all that a balance ever had would be read.
    /// </summary>
    public const string OfBalances = """
        select wallet, id, kind, since, amount, paid, expires_at, reference, remaining from lot
        where wallet = any($1) and not used_up
        union all
        select gone.* from unnest($3) as balance (id), unnest(array[balance.id] || array_remove($2, balance.id)) as named (id), lateral (
            select wallet, id, kind, since, amount, paid, expires_at, reference, remaining from lot
            where wallet = balance.id and id = named.id and used_up) as gone
        """;

    /// <summary>What has expired of each is locked behind its balance, so that no two writers can wait for each other.</summary>
    public static async Task ReadAsync(
        NpgsqlConnection connection, NpgsqlTransaction transaction, IReadOnlyList<Command> commands, Book book, CancellationToken token)
    {
        await ReadUndoneAsync(connection, [.. commands.OfType<Post>().SelectMany(post => post.Undoes).Distinct()], book, token);
        // By corrections and by posts.
        Guid[] named =
        [
            .. book.Rated.Values.SelectMany(rated => rated.Lots).Select(part => part.Lot)
                .Concat(commands.OfType<Post>().Select(post => post.Lot).OfType<Guid>())
                .Concat(book.Undone.Select(one => one.Taken.Lot)).Distinct(),
        ];
        var asked = commands.Where(command => command is Post || (command is Rerate && named.Length > 0))
            .SelectMany(command => command.Accounts).ToHashSet();
        var balances = book.Accounts.Values
            .Where(account => account.Lots > 0 || (asked.Contains(account.Id) && (account.BaseLot is not null || named.Length > 0)))
            .ToDictionary(account => account.Id);
        if (balances.Count == 0)
            return;
        book.HasLots = true;
        foreach (var account in balances.Values)
            account.HeldFromBefore = [];
        await using var batch = new NpgsqlBatch(connection, transaction);
        batch.Add($"select {AccountRows.Columns} from account where id = any($1) for update",
            balances.Values.Select(account => HouseAccounts.Expired(account.Id, account.Unit, account.Test)).ToArray());
        var putInto = commands.Where(command => command is Post or Rerate).SelectMany(command => command.Accounts).ToHashSet();
        batch.Add(OfBalances, balances.Keys.ToArray(), named, balances.Keys.Where(putInto.Contains).ToArray());
        await using (var reader = await batch.ExecuteReaderAsync(token))
        {
            await AccountRows.ReadAsync(reader, book, token);
            await reader.NextResultAsync(token);
            while (await reader.ReadAsync(token))
                balances[reader.GetGuid(0)].Parts.Add(Read(reader));
        }
        await ReadHeldAsync(connection, [.. balances.Values.Where(HasExpired)], book, token);

        bool HasExpired(Account balance) => balance.Parts.Exists(lot => lot.IsOver(book.Now));
    }

    /// <summary>
    /// Entries are found by the time of their movement, whose block ranges hold them (see 0001), and not by their account, which may have
    /// millions of others.
    /// </summary>
    static async Task ReadUndoneAsync(NpgsqlConnection connection, Guid[] movements, Book book, CancellationToken token)
    {
        if (movements.Length == 0)
            return;
        await using var query = connection.Sql("""
            with found as materialized (
                select e.transfer, e.account, coalesce(e.lot, e.account) lot, e.amount
                from transfer t join entry e on e.created_at = t.created_at and e.transfer = t.id where t.id = any($1))
            select transfer, account, lot, -sum(amount)::bigint from found join account a on a.id = found.account and a.kind = $2
            group by 1, 2, 3
            """, movements, (short)AccountKind.Wallet);
        await using var reader = await query.ExecuteReaderAsync(token);
        while (await reader.ReadAsync(token))
            book.Undone.Add((reader.GetGuid(0), reader.GetGuid(1), new(reader.GetGuid(2), reader.GetInt64(3))));
    }

    /// <summary>What leases from before the end of a lot hold of its balance. Most batches meet no such lot.</summary>
    static async Task ReadHeldAsync(NpgsqlConnection connection, Account[] balances, Book book, CancellationToken token)
    {
        if (balances.Length == 0)
            return;
        await using var query = connection.Sql("""
            select account, until, sum(granted - consumed - returned)::bigint from lease_line join lease on lease.id = lease_line.lease
            where account = any($1) and until <= $2 group by account, until
            """, balances.Column(balance => balance.Id), book.Now);
        await using var reader = await query.ExecuteReaderAsync(token);
        while (await reader.ReadAsync(token))
            book.Accounts[reader.GetGuid(0)].HeldFromBefore!.Add(reader.GetFieldValue<DateTimeOffset>(1), reader.GetInt64(2));
    }

    static Lot Read(NpgsqlDataReader row)
    {
        var lot = new Lot
        {
            Id = row.GetGuid(1), Kind = (LotKind)row.GetInt16(2), Since = row.GetInt64(3),
            Amount = row.IsDBNull(4) ? null : row.GetInt64(4), Paid = row.GetInt64(5),
            ExpiresAt = row.IsDBNull(6) ? null : row.GetFieldValue<DateTimeOffset>(6),
            Reference = row.IsDBNull(7) ? null : row.GetString(7), Left = row.IsDBNull(8) ? null : row.GetInt64(8),
        };
        lot.Stored = lot.Left;
        return lot;
    }

    public static void AddTo(NpgsqlBatch batch, Book book)
    {
        if (!book.HasLots)
            return;
        (Guid Wallet, Lot Lot)[] changed =
        [
            .. from account in book.Accounts.Values from lot in account.Parts where lot.Left != lot.Stored select (account.Id, lot),
        ];
        var known = Array.FindAll(changed, row => !row.Lot.IsNew);
        if (known.Length > 0)
            batch.Add("""
                update lot set remaining = l.remaining from unnest($1::uuid[], $2::uuid[], $3::bigint[]) as l (wallet, id, remaining)
                where lot.wallet = l.wallet and lot.id = l.id
                """,
                known.Column(row => row.Wallet),
                known.Column(row => row.Lot.Id),
                known.Column(row => row.Lot.Left));
        var added = Array.FindAll(changed, row => row.Lot.IsNew);
        // A correction of what a balance's own lot paid before there were others names no lot, so that none is read. That lot may be used
        // up by then, and its row still there.
        if (added.Length > 0)
            batch.Add("""
                insert into lot (wallet, id, kind, since, amount, paid, expires_at, reference, remaining, created_at)
                select *, $10 from unnest(
                    $1::uuid[], $2::uuid[], $3::smallint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::timestamptz[], $8::text[],
                    $9::bigint[])
                on conflict (wallet, id) do update set remaining = excluded.remaining
                """,
                added.Column(row => row.Wallet),
                added.Column(row => row.Lot.Id),
                added.Column(row => (short)row.Lot.Kind),
                added.Column(row => row.Lot.Since),
                added.Column(row => row.Lot.Amount),
                added.Column(row => row.Lot.Paid),
                added.Column(row => row.Lot.ExpiresAt),
                added.Column(row => row.Lot.Reference),
                added.Column(row => row.Lot.Left),
                book.BookedAt);
    }

    /// <summary>What each lot has paid of the requests that are corrected, by now.</summary>
    public const string OfRequests = """
        select request_id, lot, sum(paid)::bigint from (
            select u.request_id, part.lot, part.paid from usage_record u, unnest(lots, lot_paid) as part (lot, paid)
            where request_id = any($1) and request_id >= $2 and request_id <= $3
            union all
            select c.request_id, part.lot, part.paid from correction c, unnest(lots, lot_paid) as part (lot, paid)
            where request_id = any($1)) x
        group by request_id, lot having sum(paid) > 0
        """;

    public static async Task ReadOfRequestsAsync(NpgsqlDataReader reader, Book book, CancellationToken token)
    {
        while (await reader.ReadAsync(token))
        {
            var (request, part) = (reader.GetGuid(0), new LotPart(reader.GetGuid(1), reader.GetInt64(2)));
            if (book.Rated.TryGetValue(request, out var rated))
                book.Rated[request] = rated with { Lots = [.. rated.Lots, part] };
        }
    }
}
