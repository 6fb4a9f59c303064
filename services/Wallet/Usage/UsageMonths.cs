using LlmGateway.ServiceDefaults;
using Npgsql;

namespace LlmGateway.Wallet;

/// <summary>
/// The months of the usage log. They are opened three months ahead, and dropped as a whole when their time is over. Each step of dropping
/// one can be repeated, and is when the one behind it did not happen.
/// </summary>
public sealed class UsageMonths(
    NpgsqlDataSource database, DatabaseReady ready, Rollups rollups, UsageRetention retention, TimeProvider time,
    ILogger<UsageMonths> log) : BackgroundService
{
    const string Usage = "usage_record", Raw = "usage_raw";

    /// <summary>Of one round, on one connection: another instance does not drop the same month.</summary>
    const long RoundLock = 0x4C47_4452_4F50;

    static readonly TimeSpan Interval = TimeSpan.FromHours(1);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await ready.Task.WaitAsync(stoppingToken);
        await Loop.RunAsync("usage months", async token =>
        {
            await OpenAsync(database, token);
            await using (var clock = database.Sql("select now()"))
                await DropAsync((DateTime)(await clock.ExecuteScalarAsync(token))!, token);
            await Task.Delay(Interval, time, token);
        }, log, time, stoppingToken);
    }

    public static async Task OpenAsync(NpgsqlDataSource database, CancellationToken token)
    {
        await using var open = database.Sql("select open_usage_months((now() at time zone 'UTC' + interval '3 months')::date)");
        await open.ExecuteNonQueryAsync(token);
    }

    /// <summary>Drops the months that are not to be kept any more.</summary>
    /// <param name="now">By the database's clock.</param>
    public async Task DropAsync(DateTimeOffset now, CancellationToken token)
    {
        await using var connection = await database.OpenConnectionAsync(token);
        await using var alone = connection.Sql("select pg_try_advisory_lock($1)", RoundLock);
        if (await alone.ExecuteScalarAsync(token) is not true)
            return;
        try
        {
            await DropAsync(connection, Raw, now - retention.Raw, token);
            if (retention.Usage is { } kept)
                await DropAsync(connection, Usage, now - kept, token);
        }
        finally
        {
            // The pool keeps the session, and with it the lock.
            await using var free = connection.Sql("select pg_advisory_unlock($1)", RoundLock);
            if (connection.State == System.Data.ConnectionState.Open)
                await free.ExecuteNonQueryAsync(CancellationToken.None);
        }
    }

    async Task DropAsync(NpgsqlConnection connection, string table, DateTimeOffset endedBefore, CancellationToken token)
    {
        foreach (var (month, partition) in await FindAsync(connection, table, endedBefore, token))
        {
            await CloseAsync(connection, table, month, token);
            Failpoint.Hit("wallet.month.closed");
            if (table == Usage)
            {
                await rollups.SumUpAsync(token);
                await CountAsync(partition, month, token);
            }
            Failpoint.Hit("wallet.month.summed");
            await DetachAsync(connection, table, partition, token);
            Failpoint.Hit("wallet.month.detached");
            await connection.RunAsync($"drop table {partition}", token);
            Failpoint.Hit("wallet.month.dropped");
            log.LogInformation("dropped {Partition}", partition);
        }
    }

    /// <summary>Oldest first, so that what is kept has no hole.</summary>
    static async Task<List<(DateOnly Month, string Partition)>> FindAsync(
        NpgsqlConnection connection, string table, DateTimeOffset endedBefore, CancellationToken token)
    {
        await using var query = connection.Sql("""
            select month, partition from usage_month, lateral (select $1 || '_' || to_char(month, 'YYYY_MM') as partition) as p
            where (month + interval '1 month') at time zone 'UTC' <= $2 and to_regclass(partition) is not null order by month
            """, table, endedBefore);
        var found = new List<(DateOnly, string)>();
        await using var row = await query.ExecuteReaderAsync(token);
        while (await row.ReadAsync(token))
            found.Add((row.GetFieldValue<DateOnly>(0), row.GetString(1)));
        return found;
    }

    /// <summary>Nothing is written into the month any more, also by batches that are under way.</summary>
    static async Task CloseAsync(NpgsqlConnection connection, string table, DateOnly month, CancellationToken token)
    {
        var change = table == Usage ? "closed = true" : "keeps_raw = false";
        await connection.RunAsync($"update usage_month set {change} where month = $1", token, month);
        await using var wait = await connection.BeginTransactionAsync(token);
        await ClockLock.TakeAloneAsync(connection, token);
    }

    /// <summary>
    /// What the proof needs of the month's rows when they are gone. Nothing is read for that but its corrections, because it is summed up.
    /// </summary>
    Task<int> CountAsync(string partition, DateOnly month, CancellationToken token) => database.ByIndexAsync(async connection =>
    {
        await connection.RunAsync("""
            update usage_month
            set requests = rows.requests, charged = rows.charged - later.charged, absorbed = rows.absorbed - later.absorbed,
                covered = rows.covered - later.covered
            from (
                select coalesce(sum(attempts), 0) requests, coalesce(sum(charged), 0) charged, coalesce(sum(absorbed), 0) absorbed,
                    coalesce(sum(covered), 0) covered
                from usage_month_sum where month = $1) rows,
                (select coalesce(sum(c.charged), 0) charged, coalesce(sum(c.absorbed), 0) absorbed, coalesce(sum(c.covered), 0) covered
                from usage_month m join correction c on request_id >= from_id and request_id < to_id where month = $1) later
            where month = $1 and usage_month.requests is null
            """, token, month);
        Failpoint.Hit("wallet.month.counted");
        // A proof since the seal would miss what was booked in the month after that: the next one reads everything.
        await connection.RunAsync($"""
            update sealed set proved_at = null
            where exists (select from {partition} where created_at >= summed_until)
                or exists (select from correction c join {partition} using (request_id) where c.created_at >= summed_until)
            """, token);
        return 0;
    }, token);

    /// <summary>Locks nobody out, but waits for those who read the log. Where the wait was cut off, it is finished.</summary>
    static async Task DetachAsync(NpgsqlConnection connection, string table, string partition, CancellationToken token)
    {
        await using var query = connection.Sql("select inhdetachpending from pg_inherits where inhrelid = to_regclass($1)", partition);
        if (await query.ExecuteScalarAsync(token) is bool pending)
            await connection.RunAsync($"alter table {table} detach partition {partition} {(pending ? "finalize" : "concurrently")}", token);
    }
}
