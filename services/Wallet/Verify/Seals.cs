using LlmGateway.ServiceDefaults;
using Npgsql;

namespace LlmGateway.Wallet;

/// <summary>
/// Proves what was booked since the last seal and puts a seal behind it, so that the next proof starts there: at the start, every night,
/// and for <c>POST /internal/seal?full=B</c>. What is wrong is never sealed, so every later proof finds it again.
/// </summary>
public sealed class Seals(NpgsqlDataSource database, DatabaseReady ready, Rollups rollups, TimeProvider time, ILogger<Seals> log)
    : BackgroundService
{
    /// <summary>Of one round, on one connection: another instance does not seal at the same time.</summary>
    public const long RoundLock = 0x4C47_5345_414C;

    static readonly TimeSpan Night = TimeSpan.FromHours(2);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await ready.Task.WaitAsync(stoppingToken);
        await Loop.RunAsync("seals", async token =>
        {
            if (await SealAsync(full: false, token) is { IsRight: false } proof)
                log.LogCritical("the books are wrong: {Checks}", string.Join("; ", proof.Checks.Where(check => !check.Ok)));
            var now = time.GetUtcNow();
            var night = now.UtcDateTime.Date + Night;
            await Task.Delay((night > now ? night : night.AddDays(1)) - now.UtcDateTime, time, token);
        }, log, time, stoppingToken);
    }

    /// <summary>Null when another round is under way.</summary>
    public async Task<Proof?> SealAsync(bool full, CancellationToken token)
    {
        await using var round = await database.OpenConnectionAsync(token);
        await using var alone = await round.BeginTransactionAsync(token);
        await using var locked = round.Sql("select pg_try_advisory_xact_lock($1)", RoundLock);
        if (await locked.ExecuteScalarAsync(token) is not true)
            return null;
        await rollups.SumUpAsync(token);
        Failpoint.Hit("wallet.seal.summed");

        await using var connection = await database.OpenConnectionAsync(token);
        await using var snapshot = await Proof.SnapshotAsync(connection, token);
        var at = await BeginAsync(connection, token);
        var proof = await Proof.RunAsync(connection, full, atRest: false, token);
        if (!proof.IsRight)
            return proof;
        await WriteAsync(connection, at, token);
        await snapshot.CommitAsync(token);
        Failpoint.Hit("wallet.seal.proved");
        return proof;
    }

    /// <summary>
    /// Lets the snapshot begin at a moment, which it returns, so that it has exactly the batches that are booked before that: nobody writes
    /// at that moment. After a leap of the clock that is the date of bookings, which goes on by so much that it tells them apart.
    /// </summary>
    async Task<DateTime> BeginAsync(NpgsqlConnection connection, CancellationToken token)
    {
        await using var pause = await database.OpenConnectionAsync(token);
        await using var transaction = await pause.BeginTransactionAsync(token);
        await ClockLock.TakeAloneAsync(pause, token);
        await connection.RunAsync("select from summed", token); // it begins
        await using var begin = pause.Sql("""
            update summed set booked_until = greatest(clock_timestamp(), booked_until + interval '1 microsecond') returning booked_until
            """);
        var moment = (DateTime)(await begin.ExecuteScalarAsync(token))!;
        await transaction.CommitAsync(token); // the lock was there until now
        return moment;
    }

    /// <summary>Seals what the snapshot has. Whoever calls it has proved that.</summary>
    public static async Task WriteAsync(NpgsqlConnection connection, DateTime at, CancellationToken token)
    {
        await connection.RunAsync("""
            insert into seal (account, version, balance, spent, topped_up)
            select id, version, posted + coalesce(late, 0) - coalesce(amount, 0), spent, topped_up
            from account left join counter_opening on register = id
            left join (select account, sum(unposted)::bigint late from lease_line group by account) used on used.account = id
            on conflict (account) do update set
                version = excluded.version, balance = excluded.balance, spent = excluded.spent, topped_up = excluded.topped_up
            where (seal.version, seal.balance, seal.spent, seal.topped_up)
                <> (excluded.version, excluded.balance, excluded.spent, excluded.topped_up)
            """, token);
        await connection.RunAsync($"""
            insert into lot_seal (wallet, id, balance) {Checks.Lots}
            on conflict (wallet, id) do update set balance = excluded.balance where lot_seal.balance <> excluded.balance
            """, token);
        // What is summed up later was booked later, and counts a day before that at the earliest.
        await connection.RunAsync("""
            update sealed set
                proved_at = $1, summed_until = until, days_from = date_bin('1 day', until - interval '24 hours', 'epoch')
            from summed
            """, token, at);
        await connection.RunAsync("delete from rollup_seal", token);
        await connection.RunAsync($"""
            insert into rollup_seal (project, test, sums)
            select project, test, {Checks.RollupSums} from rollup
            where {BookedUsage.OfAll} and at >= (select days_from from sealed) group by project, test
            """, token);
    }
}
