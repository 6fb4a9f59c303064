namespace LlmGateway.Wallet;

/// <summary>
/// What must be true of the books: each is a query that returns what breaks it. Every query has two readings. The full proof gives it all
/// rows and no seals. The proof since the last seal gives it the rows that were booked after that under the names of the whole tables, and
/// the seal says what was there before; where a query needs a whole table even then, it says <c>public</c>.
/// </summary>
static class Checks
{
    /// <summary>Makes a query read everything.</summary>
    public const string Full = """
        with seal as (select * from public.seal where false), lot_seal as (select * from public.lot_seal where false),
            rollup_seal as (select * from public.rollup_seal where false),
            unsummed_usage as (select * from public.usage_record), unsummed_correction as (select * from public.correction)
        """;

    /// <summary>Makes a query read what was booked since the seal, see <see cref="ReadFresh"/>.</summary>
    public const string SinceSeal = """
        with entry as (select * from fresh_entry),
            usage_record as (select * from fresh_usage where created_at >= (select proved_at from sealed)),
            correction as (select * from fresh_correction where created_at >= (select proved_at from sealed)),
            unsummed_usage as (select * from fresh_usage), unsummed_correction as (select * from fresh_correction),
            transfer as (select * from public.transfer where created_at >= (select proved_at from sealed)),
            window_opening as (select * from public.window_opening where created_at >= (select proved_at from sealed)),
            usage_month as (select * from public.usage_month where false),
            rollup as (select * from public.rollup where at >= (select days_from from sealed))
        """;

    /// <summary>
    /// Entries by their numbers, so that one that is missing or too many shows; usage records by project, because an index finds them so by
    /// time, and with those that the last proof has read and nobody had summed up then. If the database's clock was set back after the
    /// seal, the proof since then misses some and says so; the full one is right.
    /// </summary>
    public static readonly IReadOnlyList<string> ReadFresh =
    [
        """
        create temp table fresh_entry on commit drop as
        select e.* from account a left join seal s on s.account = a.id,
            lateral (select * from entry where account = a.id and version > coalesce(s.version, 0)) e
        """,
        """
        create temp table fresh_usage on commit drop as
        select u.* from (select distinct project from account where kind = 101) p,
            lateral (select * from usage_record where project = p.project and created_at >= (select summed_until from sealed)) u
        """,
        """
        create temp table fresh_correction on commit drop as
        select * from correction where created_at >= (select summed_until from sealed)
        """,
        "analyze fresh_entry", "analyze fresh_usage",
    ];

    /// <summary>True at rest only. While requests run, leases hold something.</summary>
    public static readonly (string Name, string Breaches) AtRest =
        ("no lease holds anything",
            """
            select format('lease %s of %s still holds %s of %s', lease, holder, granted - consumed - returned, account)
            from lease_line join lease on lease.id = lease_line.lease where granted - consumed - returned <> 0
            """);

    /// <summary>The first id of the usage log behind the months that were dropped, or are summed up and about to be.</summary>
    const string FirstKept = """
        coalesce(
            (select to_id from usage_month where requests is not null order by month desc limit 1), '00000000-0000-0000-0000-000000000000')
        """;

    /// <summary>Months that were dropped before it was noted whose they were.</summary>
    const string MonthsWithoutProjects = """
        select from public.usage_month m where m.requests > 0 and not exists (
            select from public.usage_month_sum s where s.month = m.month)
        """;

    /// <summary>What the proof compares, in one array.</summary>
    public static readonly string RollupSums =
        $"array[{BookedUsage.Listed([.. BookedUsage.OfMonths.Select(figure => $"sum({figure})")])}] sums";

    static readonly string NoSums = $"array_fill(0::numeric, array[{BookedUsage.OfMonths.Length}])";

    /// <summary>Of <c>usage_month_sum s</c>, beside which a month has some figures of the same names.</summary>
    static readonly string SumsOfMonth = BookedUsage.Listed([.. BookedUsage.OfMonths.Select(figure => $"s.{figure}")]);

    /// <summary>What is left of each lot, of the balances that have more than their own. The base has what the others leave.</summary>
    public const string Lots = """
        select wallet, id, coalesce(remaining, (select posted from account where account.id = wallet) - others) balance
        from (select wallet, id, remaining, coalesce(sum(remaining) over (partition by wallet), 0)::bigint others from lot) l
        union all
        select a.id, a.id, a.posted - coalesce(sum(remaining), 0)::bigint from account a join lot on lot.wallet = a.id
        where a.base_lot is null group by a.id, a.posted having not bool_or(lot.id = a.id)
        """;

    public static readonly IReadOnlyList<(string Name, string Breaches)> All =
    [
        ("the entries of every unit sum to 0",
            """
            select format('unit %s %s sums to %s', unit, denomination, sum(amount)) from entry join account on account.id = entry.account
            group by unit, denomination having sum(amount) <> 0
            """),
        ("the entries of every transfer sum to 0",
            """
            select format('transfer %s', transfer) from entry join account on account.id = entry.account
            group by transfer, unit, denomination having sum(amount) <> 0
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
            select format('account %s has %s posted, its %s entries say %s', a.id, a.posted, coalesce(s.version, 0) + coalesce(e.n, 0),
                coalesce(s.balance, 0) + coalesce(e.total, 0))
            from account a left join seal s on s.account = a.id left join (
                select account, count(*) n, max(version) last, sum(amount) total from entry group by account) e on e.account = a.id
            where (a.kind not between 2 and 6 and a.posted <> coalesce(s.balance, 0) + coalesce(e.total, 0))
                or a.version <> coalesce(s.version, 0) + coalesce(e.n, 0) or a.version <> coalesce(e.last, s.version, 0)
            """),
        ("the balance after each entry follows from the one before",
            """
            select format('account %s entry %s', e.account, e.version)
            from (select *, sum(amount) over (partition by account order by version) running from entry) e
            left join seal s on s.account = e.account where e.balance <> coalesce(s.balance, 0) + running
            """),
        ("every lot equals its entries",
            $"""
            select format('lot %s of account %s has %s, its entries say %s', id, wallet, coalesce(l.balance, 0),
                coalesce(s.balance, 0) + coalesce(e.total, 0))
            from ({Lots}) l
            full join (
                select wallet, id, balance from lot_seal
                union all
                select account, account, balance from seal
                where account in (select wallet from lot) and account not in (select wallet from lot_seal)) s using (wallet, id)
            full join (
                select account wallet, coalesce(lot, account) id, sum(amount) total from entry
                where account in (select wallet from lot) group by account, coalesce(lot, account)) e using (wallet, id)
            where coalesce(l.balance, 0) <> coalesce(s.balance, 0) + coalesce(e.total, 0)
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
        ("every counter equals what usage records say was used of it",
            """
            select format('counter %s has %s, usage records say %s', a.id, a.posted,
                coalesce(s.balance, 0) + coalesce(o.amount, 0) + coalesce(u.counted, 0))
            from account a left join seal s on s.account = a.id left join counter_opening o on o.register = a.id left join (
                select register, sum(count) counted, sum(count) filter (where at >= (select proved_at from sealed)) fresh from (
                    select c.register, c.count, created_at as at
                    from usage_record, unnest(counted, counts) as c (register, count) where counted is not null
                    union all select register, 1, created_at from window_opening) c group by register) u on u.register = a.id
                left join public.seal last on last.account = a.id
            where a.kind between 2 and 6 and case
                -- What it has of requests whose month was dropped is in the last seal alone.
                when a.created_at < (select max(month + interval '1 month') at time zone 'UTC' from usage_month where requests is not null)
                then a.posted < coalesce(o.amount, 0) + coalesce(u.counted, 0) or (
                    (select proved_at from sealed) is not null
                    and a.posted <> coalesce(last.balance, 0) + coalesce(o.amount, 0) + coalesce(u.fresh, 0))
                else a.posted <> coalesce(s.balance, 0) + coalesce(o.amount, 0) + coalesce(u.counted, 0) end
            """),
        ("what is reserved of every register equals what open leases hold of it",
            """
            select format('account %s: %s reserved, leases hold %s', a.id, a.reserved, coalesce(h.held, 0))
            from account a left join (
                select account, sum(granted - consumed - returned) held from lease_line group by account) h on h.account = a.id
            where a.reserved <> coalesce(h.held, 0)
            """),
        ("usage records and debits agree to the nano-dollar",
            """
            select format('request %s: charged %s, absorbed %s, covered %s, its entries say %s, %s, %s',
                u.request_id, u.charged, u.absorbed, u.covered, coalesce(d.charged, 0), coalesce(d.absorbed, 0), coalesce(d.covered, 0))
            from usage_record u left join (
                select transfer, -sum(amount) filter (where account.kind = 0 and entry.type = 0) charged,
                    -sum(amount) filter (where account.kind = 102) absorbed, -sum(amount) filter (where account.kind = 104) covered
                from entry join account on account.id = entry.account
                where account.kind in (0, 102, 104) group by transfer) d on d.transfer = u.request_id
            where (u.charged, u.absorbed, u.covered)
                <> (coalesce(d.charged, 0), coalesce(d.absorbed, 0), coalesce(d.covered, 0))
            """),
        ("usage records and spent call credits agree",
            """
            select format('%s, request %s: the row says %s, entries say %s', account, request, coalesce(u.spent, 0), coalesce(e.spent, 0))
            from (
                select c.account, request_id request, c.spent
                from usage_record, unnest(counted, counts) as c (account, spent) join account on account.id = c.account
                where account.kind = 7) u
            full join (
                select account, transfer request, -sum(amount) spent from entry join account on account.id = entry.account
                where entry.type = 0 and account.kind = 7 group by account, transfer) e using (account, request)
            where coalesce(u.spent, 0) <> coalesce(e.spent, 0) and not exists (
                select from usage_month where requests is not null and request >= from_id and request < to_id)
            """),
        ("corrections and their entries agree to the nano-dollar",
            """
            select format('correction %s: charged %s, absorbed %s, covered %s, its entries say %s, %s, %s',
                c.transfer, c.charged, c.absorbed, c.covered, coalesce(e.charged, 0), coalesce(e.absorbed, 0), coalesce(e.covered, 0))
            from correction c left join (
                select transfer, -sum(amount) filter (where account.kind = 0) charged,
                    -sum(amount) filter (where account.kind = 102) absorbed, -sum(amount) filter (where account.kind = 104) covered
                from entry join account on account.id = entry.account group by transfer) e on e.transfer = c.transfer
            where (c.charged, c.absorbed, c.covered)
                <> (coalesce(e.charged, 0), coalesce(e.absorbed, 0), coalesce(e.covered, 0))
            """),
        ("every correction starts at the cost that the one before has left",
            """
            select format('request %s: %s after all corrections', u.request_id, u.cost)
            from (select distinct request_id from correction) corrected
            join public.usage_record u using (request_id), lateral (
                select sum(new_cost - old_cost) difference, sum(charged) charged, sum(absorbed) absorbed
                from public.correction where request_id = u.request_id) c
            where u.cost + c.difference < 0 or u.charged + c.charged < 0 or u.absorbed + c.absorbed < 0 or not exists (
                select from public.correction last where last.request_id = u.request_id and last.new_cost = u.cost + c.difference)
            """),
        ("what providers are owed equals what was charged, absorbed and covered",
            $"""
            select format('provider cost %s, usage records %s', c.posted, u.total)
            from (
                select coalesce(sum(a.posted - coalesce(s.balance, 0)), 0) posted
                from account a left join seal s on s.account = a.id where kind = 101) c,
                (select coalesce(sum(total), 0) total from (
                    select charged + absorbed + covered total from usage_record where request_id >= {FirstKept}
                    union all select charged + absorbed + covered from usage_month where requests is not null
                    union all select charged + absorbed + covered from correction) x) u
            where c.posted <> u.total
            """),
        ("what providers are owed for each project and mode equals what was charged, absorbed and covered there",
            $"""
            select format('project %s, test %s: provider cost %s, usage records %s', project, test, c.posted, u.total)
            from (
                select project, test, sum(a.posted - coalesce(s.balance, 0)) posted
                from account a left join seal s on s.account = a.id where kind = 101 group by project, test) c
            full join (
                select project, test, sum(total) total from (
                    select project, test, charged + absorbed + covered total from usage_record where request_id >= {FirstKept}
                    union all
                    select u.project, test, c.charged + c.absorbed + c.covered
                    from correction c join public.usage_record u using (request_id) where request_id >= {FirstKept}
                    union all
                    select project, test, s.charged + s.absorbed + s.covered
                    from usage_month_sum s join usage_month m using (month) where m.requests is not null) x
                group by project, test) u using (project, test)
            where coalesce(c.posted, 0) <> coalesce(u.total, 0) and not exists ({MonthsWithoutProjects})
            """),
        ("every dimension of the roll-ups splits their total",
            $"""
            select format('%s of project %s, test %s, grain %s', at, project, test, grain)
            from (select project, test, grain, at, {RollupSums}, sum(late) late from rollup group by project, test, grain, dimension, at) d
            group by project, test, grain, at having count(*) <> 6 or count(distinct (sums, late)) <> 1
            """),
        ("the roll-up of each day is that of its quarters of an hour",
            $"""
            select format('%s of project %s, test %s, dimension %s, %s', day, project, test, dimension, value)
            from (
                select project, test, dimension, value, date_bin('1 day', at, 'epoch') as day, {RollupSums}, sum(late) late
                from rollup group by project, test, dimension, value, 5, grain) g
            group by project, test, dimension, value, day having count(*) <> 2 or count(distinct (sums, late)) <> 1
            """),
        ("roll-ups equal the usage log with its corrections",
            $"""
            select format('project %s, test %s: roll-ups %s, usage log %s', project, test, r.sums, u.sums)
            from (
                select project, test, array(
                    select rolled - before from unnest(coalesce(r.sums, {NoSums}), coalesce(s.sums, {NoSums}))
                        with ordinality as pair (rolled, before, n) order by n) sums
                from (select project, test, {RollupSums} from rollup where {BookedUsage.OfAll} group by project, test) r
                full join rollup_seal s using (project, test)) r
            full join (
                select project, test, {RollupSums} from (
                    select project, test, {BookedUsage.Listed(BookedUsage.OfMonths)}
                    from ({BookedUsage.Of("unsummed_usage", "unsummed_correction")}) as kept
                    where created_at < (select until from summed) and request_id >= {FirstKept}
                    union all
                    select project, test, {SumsOfMonth}
                    from usage_month_sum s join usage_month m using (month) where m.requests is not null) as booked
                group by project, test) u using (project, test)
            where coalesce(r.sums, {NoSums}) <> coalesce(u.sums, {NoSums})
            """),
        ("the sums of each month are those of its usage log",
            $"""
            select format('%s of project %s, test %s: sums %s, usage log %s', month, project, test, s.sums, u.sums)
            from (
                select month, project, test, {RollupSums}
                from (
                    select month, project, test, {SumsOfMonth}
                    from usage_month_sum s join usage_month m using (month) where m.requests is null) as kept
                group by month, project, test) s
            full join (
                select month, project, test, {RollupSums}
                from ({BookedUsage.Of("unsummed_usage", "unsummed_correction")}) as booked {BookedUsage.WithMonth}
                where created_at < (select until from summed) group by month, project, test) u using (month, project, test)
            where s.sums is distinct from u.sums
            """),
        ("lifetime figures equal the entries",
            """
            select format('account %s: spent %s, entries say %s', a.id, a.spent, coalesce(s.spent, 0) + coalesce(e.spent, 0))
            from account a left join seal s on s.account = a.id left join (
                select account, -sum(amount) filter (where type = 0 or correction.transfer is not null) spent,
                    sum(amount) filter (where type = 3) topped_up
                from entry left join correction on correction.transfer = entry.transfer group by account) e on e.account = a.id
            where a.kind in (0, 7) and (a.spent <> coalesce(s.spent, 0) + coalesce(e.spent, 0)
                or a.topped_up <> coalesce(s.topped_up, 0) + coalesce(e.topped_up, 0))
            """),
    ];
}
