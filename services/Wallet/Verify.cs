using LlmGateway.ServiceDefaults;
using Npgsql;

namespace LlmGateway.Wallet;

/// <summary>
/// <c>GET /internal/verify</c>: proves from the rows that the books are correct. Each check is a query that returns what violates it.
/// Leases hold something while requests run; at rest they must hold nothing.
/// </summary>
public static class Verify
{
    const int MaxExamples = 3;

    const int LongestWait = 3600;
    static readonly TimeSpan Between = TimeSpan.FromMilliseconds(500);

    public sealed record Check(string Name, bool Ok, string Detail);

    static readonly (string Name, string Breaches)[] Checks =
    [
        ("the entries of every unit sum to 0",
            """
            select format('unit %s sums to %s', unit, sum(amount)) from entry join account on account.id = entry.account
            group by unit having sum(amount) <> 0
            """),
        ("the entries of every transfer sum to 0",
            """
            select format('transfer %s', transfer) from entry join account on account.id = entry.account
            group by transfer, unit having sum(amount) <> 0
            """),
        ("every transfer that has entries has a header",
            """
            select format('transfer %s', e.transfer) from (select distinct transfer from entry) e
            left join transfer t on t.id = e.transfer left join usage_record u on u.request_id = e.transfer
            where t.id is null and u.request_id is null and not exists (
                select from usage_month where requests is not null and e.transfer >= from_id and e.transfer < to_id)
            """),
        ("what a post says that it moved equals its entries",
            """
            select format('transfer %s: %s of account %s, entries say %s', m.transfer, m.amount, m.account, coalesce(e.amount, 0))
            from (
                select t.id transfer, side.account, sum(side.amount) amount
                from transfer t, jsonb_to_recordset(t.result) as moved ("from" uuid, "to" uuid, amount bigint),
                    lateral (values (moved."from", -moved.amount), (moved."to", moved.amount)) as side (account, amount)
                group by t.id, side.account) m
            full join (
                select transfer, account, sum(entry.amount) amount from entry join transfer on id = transfer
                where result is not null group by transfer, account) e using (transfer, account)
            where coalesce(m.amount, 0) <> coalesce(e.amount, 0)
            """),
        ("nobody owes less than nothing",
            """
            select format('account %s of %s has %s', id, owner, posted) from account where kind = 108 and posted > 0
            """),
        ("every account equals its entries, with none missing",
            """
            select format('account %s has %s posted, its %s entries say %s', a.id, a.posted, coalesce(e.n, 0), coalesce(e.total, 0))
            from account a left join (
                select account, count(*) n, max(version) last, sum(amount) total from entry group by account) e on e.account = a.id
            where (a.kind not between 2 and 6 and a.posted <> coalesce(e.total, 0))
                or a.version <> coalesce(e.n, 0) or a.version <> coalesce(e.last, 0)
            """),
        ("the balance after each entry follows from the one before",
            """
            select format('account %s entry %s', account, version)
            from (select *, sum(amount) over (partition by account order by version) running from entry) e where balance <> running
            """),
        ("every lot equals its entries",
            """
            select format('lot %s of account %s has %s, its entries say %s', id, wallet, coalesce(has, 0), coalesce(total, 0))
            from (
                select l.wallet, l.id,
                    coalesce(l.remaining, a.posted - (select coalesce(sum(remaining), 0) from lot o where o.wallet = a.id)) has
                from lot l join account a on a.id = l.wallet
                union all
                select a.id, a.id, a.posted - (select coalesce(sum(remaining), 0) from lot o where o.wallet = a.id) from account a
                where a.base_lot is null and a.id in (select wallet from lot)
                    and not exists (select from lot own where own.wallet = a.id and own.id = a.id)) l
            full join (
                select account wallet, coalesce(lot, account) id, sum(amount) total from entry
                where account in (select wallet from lot) group by account, coalesce(lot, account)) e using (wallet, id)
            where coalesce(has, 0) <> coalesce(total, 0)
            """),
        ("the lots of every balance are its balance",
            """
            select format('account %s has %s, its lots besides the base %s in %s of %s', a.id, a.posted, l.total, l.open, a.lots)
            from account a left join (
                select wallet, coalesce(sum(remaining), 0) total, count(*) filter (where remaining > 0) open,
                    (array_agg(id) filter (where remaining is null))[1] base, count(*) filter (where remaining is null) bases
                from lot group by wallet) l on l.wallet = a.id
            where l.total > a.posted or coalesce(l.open, 0) <> a.lots or l.base is distinct from a.base_lot or l.bases > 1
            """),
        ("what lots paid for a request is what its wallet paid",
            """
            select format('%s: lots %s and %s, paid %s of %s', id, lots, lot_paid, total, charged)
            from (
                select request_id id, lots, lot_paid, charged, (select sum(part) from unnest(lot_paid) part) total
                from usage_record where lots is not null
                union all
                select transfer, lots, lot_paid, charged, (select sum(part) from unnest(lot_paid) part)
                from correction where lots is not null) x
            where cardinality(lots) <> cardinality(lot_paid) or total <> charged
            """),
        ("no register is below zero or below what is reserved of it",
            """
            select format('account %s: %s posted, %s reserved', id, posted, reserved) from account
            where kind < 100 and (posted < 0 or reserved < 0 or (kind not between 2 and 6 and posted < reserved))
            """),
        ("every counter equals what usage rows say was used of it",
            """
            select format('counter %s has %s, usage rows say %s', a.id, a.posted, coalesce(u.counted, 0))
            from account a left join (
                select c.register, sum(c.count) counted from usage_record, unnest(counted, counts) as c (register, count)
                where counted is not null group by c.register) u on u.register = a.id
            where a.kind between 2 and 6 and a.posted <> coalesce(u.counted, 0) and a.created_at >= coalesce(
                (select max(month + interval '1 month') at time zone 'UTC' from usage_month where requests is not null), '-infinity')
            """),
        ("what is reserved of every register equals what open leases hold of it",
            """
            select format('account %s: %s reserved, leases hold %s', a.id, a.reserved, coalesce(h.held, 0))
            from account a left join (
                select account, sum(granted - consumed - returned) held from lease_line group by account) h on h.account = a.id
            where a.reserved <> coalesce(h.held, 0)
            """),
        ("usage rows and debits agree to the nano-dollar",
            """
            select format('request %s: charged %s, debited %s', u.request_id, u.charged, coalesce(d.debited, 0))
            from usage_record u left join (
                select transfer, -sum(amount) debited from entry join account on account.id = entry.account
                where entry.type = 0 and account.kind = 0 group by transfer) d on d.transfer = u.request_id
            where u.charged <> coalesce(d.debited, 0)
            """),
        ("corrections and their entries agree to the nano-dollar",
            """
            select format('correction %s: charged %s and absorbed %s, entries say %s and %s',
                c.transfer, c.charged, c.absorbed, coalesce(e.charged, 0), coalesce(e.absorbed, 0))
            from correction c left join (
                select transfer, -sum(amount) filter (where account.kind = 0) charged,
                    -sum(amount) filter (where account.kind = 102) absorbed
                from entry join account on account.id = entry.account group by transfer) e on e.transfer = c.transfer
            where c.charged <> coalesce(e.charged, 0) or c.absorbed <> coalesce(e.absorbed, 0)
            """),
        ("every correction starts at the cost that the one before has left",
            """
            select format('request %s: %s after all corrections', u.request_id, u.cost)
            from usage_record u join (
                select request_id, sum(new_cost - old_cost) difference, sum(charged) charged, sum(absorbed) absorbed
                from correction group by request_id) c on c.request_id = u.request_id
            where u.cost + c.difference < 0 or u.charged + c.charged < 0 or u.absorbed + c.absorbed < 0
                or not exists (select 1 from correction last where last.request_id = u.request_id and last.new_cost = u.cost + c.difference)
            """),
        ("what providers are owed equals what was charged, absorbed and covered",
            """
            select format('provider cost %s, usage rows %s', c.posted, u.total)
            from (select coalesce(sum(posted), 0) posted from account where kind = 101) c,
                (select coalesce(sum(total), 0) total from (
                    select charged + absorbed + covered total from usage_record where request_id >= coalesce(
                        (select to_id from usage_month where requests is not null order by month desc limit 1),
                        '00000000-0000-0000-0000-000000000000')
                    union all select charged + absorbed + covered from usage_month where requests is not null
                    union all select charged + absorbed + covered from correction) x) u
            where c.posted <> u.total
            """),
        ("lifetime figures equal the entries",
            """
            select format('account %s: spent %s, entries say %s', a.id, a.spent, coalesce(e.spent, 0))
            from account a left join (
                select account, -sum(amount) filter (where type = 0 or correction.transfer is not null) spent,
                    sum(amount) filter (where type = 3) topped_up
                from entry left join correction on correction.transfer = entry.transfer group by account) e on e.account = a.id
            where a.kind = 0 and (a.spent <> coalesce(e.spent, 0) or a.topped_up <> coalesce(e.topped_up, 0))
            """),
        ("no lease holds anything",
            """
            select format('lease %s of %s still holds %s of %s', lease, holder, granted - consumed - returned, account)
            from lease_line join lease on lease.id = lease_line.lease where granted - consumed - returned <> 0
            """),
    ];

    /// <summary><c>GET /internal/verify?wait=S</c>: what is in flight may take S seconds, at most an hour, to be booked.</summary>
    public static void MapVerify(this WebApplication app) => app.MapGet("/internal/verify", HandleAsync);

    static async Task<IResult> HandleAsync(
        HttpContext http, NpgsqlDataSource database, TimeProvider time, CancellationToken token, int wait = 0)
    {
        if (wait is < 0 or > LongestWait)
            return Problems.Invalid("wait", $"'wait' must be from 0 to {LongestWait} seconds.");
        var started = time.GetTimestamp();
        var results = await RunAsync(database, token);
        while (!IsRight(results) && time.GetElapsedTime(started) < TimeSpan.FromSeconds(wait))
        {
            await Task.Delay(Between, time, token);
            results = await RunAsync(database, token);
        }
        var ok = IsRight(results);
        return http.WantsText()
            ? PlainText.Of(ok, [ok ? "The books balance." : "THE BOOKS ARE WRONG.", .. results.Select(Line)])
            : Results.Json(new { ok, checks = results }, Defaults.Json);
    }

    static bool IsRight(List<Check> results) => results.TrueForAll(check => check.Ok);

    static string Line(Check check) => $"{(check.Ok ? "ok    " : "WRONG ")}{check.Name}{(check.Ok ? "" : $": {check.Detail}")}";

    /// <summary>One snapshot serves all checks, because money may move meanwhile.</summary>
    static async Task<List<Check>> RunAsync(NpgsqlDataSource database, CancellationToken token)
    {
        await using var connection = await database.OpenConnectionAsync(token);
        await using var transaction = await connection.BeginTransactionAsync(System.Data.IsolationLevel.RepeatableRead, token);
        // Before the snapshot: a month that it still has cannot be dropped then.
        await using (var keep = connection.Sql("lock table only usage_record in access share mode"))
            await keep.ExecuteNonQueryAsync(token);
        var results = new List<Check>(Checks.Length);
        foreach (var (name, breaches) in Checks)
            results.Add(await RunAsync(connection, name, breaches, token));
        return results;
    }

    static async Task<Check> RunAsync(NpgsqlConnection connection, string name, string breaches, CancellationToken token)
    {
        await using var query = connection.Sql($"select breach, count(*) over () from ({breaches}) as found (breach) limit {MaxExamples}");
        await using var reader = await query.ExecuteReaderAsync(token);
        var examples = new List<string>();
        var count = 0L;
        while (await reader.ReadAsync(token))
        {
            examples.Add(reader.GetString(0));
            count = reader.GetInt64(1);
        }
        return new(name, count == 0, count == 0 ? "" : $"{count} breaches, e.g. {string.Join("; ", examples)}");
    }
}
