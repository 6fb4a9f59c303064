using LlmGateway.ServiceDefaults;
using Npgsql;

namespace LlmGateway.Wallet;

/// <summary>
/// Adds what was booked to the roll-ups, by the time of booking: in one commit the sums, and until when they have everything. Who reads
/// them adds what was booked since then from the log, so they are right whenever this has run last. It only keeps that short.
/// </summary>
public sealed class Rollups(NpgsqlDataSource database, DatabaseReady ready, TimeProvider time, ILogger<Rollups> log) : BackgroundService
{
    /// <summary>Of one round, on one connection: another instance waits for it.</summary>
    const long RoundLock = 0x4C47_5355_4D53;

    static readonly TimeSpan Interval = TimeSpan.FromSeconds(10);

    /// <summary>What is booked in it is added up in one transaction.</summary>
    static readonly TimeSpan Slice = TimeSpan.FromHours(1);

    /// <summary>In the order of the primary key, so that what is read together stands together.</summary>
    static readonly string Add = $"""
        insert into rollup (project, test, grain, dimension, at, value, {BookedUsage.Columns})
        select project, test, grain, dimension, begins, value, {BookedUsage.Summed}
        from ({BookedUsage.SumsWhere("created_at >= $1 and created_at < $2")}) as quarters,
            lateral (values
                ({BookedUsage.Quarters}::smallint, at), ({BookedUsage.Days}::smallint, date_bin('1 day', at, 'epoch')))
                as per (grain, begins)
        group by project, test, grain, dimension, begins, value order by project, test, grain, dimension, begins, value
        on conflict (project, test, grain, dimension, at, value) do update set
            {BookedUsage.Added("rollup", BookedUsage.Figures)}
        """;

    /// <summary>What the proof needs of months when their rows are dropped.</summary>
    static readonly string AddToMonths = $"""
        insert into usage_month_sum (month, project, test, {BookedUsage.Listed(BookedUsage.OfMonths)})
        select month, project, test, {BookedUsage.Sums(BookedUsage.OfMonths)}
        from ({BookedUsage.Of()}) as booked {BookedUsage.WithMonth}
        where created_at >= $1 and created_at < $2 group by month, project, test
        on conflict (month, project, test) do update set {BookedUsage.Added("usage_month_sum", BookedUsage.OfMonths)}
        """;

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await ready.Task.WaitAsync(stoppingToken);
        await Loop.RunAsync("roll-ups", async token =>
        {
            try
            {
                await SumUpAsync(token);
            }
            catch (PostgresException e) when (e.SqlState == PostgresErrorCodes.LockNotAvailable)
            {
                // All others wait meanwhile, so the next attempt comes in due time and not at once.
                log.LogWarning("a batch does not end, and what is booked is summed up later");
            }
            await Task.Delay(Interval, time, token);
        }, log, time, stoppingToken);
    }

    /// <summary>
    /// Sums up everything that was booked before now. Throws when a batch does not end: what is booked can wait to be summed up.
    /// </summary>
    public async Task SumUpAsync(CancellationToken token)
    {
        await using var round = await database.OpenConnectionAsync(token);
        await using var alone = await round.BeginTransactionAsync(token);
        await round.RunAsync("select from pg_advisory_xact_lock($1)", token, RoundLock);
        var end = await EndBookingsAsync(token);
        Failpoint.Hit("wallet.rollups.begun");
        await using var query = database.Sql("select until from summed");
        for (var from = (DateTime)(await query.ExecuteScalarAsync(token))!; from < end;)
        {
            var to = from + Slice < end ? from + Slice : end;
            await AddAsync(from, to, token);
            from = to;
        }
    }

    /// <summary>
    /// Returns a moment before which nothing is booked any more. Batches that have read an earlier clock are waited for, and those that
    /// come after it are booked at that moment or later, also when the clock is set back.
    /// </summary>
    async Task<DateTime> EndBookingsAsync(CancellationToken token)
    {
        await using var connection = await database.OpenConnectionAsync(token);
        await using var transaction = await connection.BeginTransactionAsync(token);
        await ClockLock.TakeAloneAsync(connection, token);
        await using var end = connection.Sql(
            "update summed set booked_until = greatest(booked_until, clock_timestamp()) returning booked_until");
        var moment = (DateTime)(await end.ExecuteScalarAsync(token))!;
        await transaction.CommitAsync(token);
        return moment;
    }

    /// <summary>
    /// Adds nothing when another round has done so: the lock of the round is lost with its connection, and this one may go on. Then it
    /// throws what is an outage to whoever asks.
    /// </summary>
    Task<int> AddAsync(DateTime from, DateTime to, CancellationToken token) => database.ByIndexAsync(async connection =>
    {
        await connection.RunAsync(Add, token, from, to);
        await connection.RunAsync(AddToMonths, token, from, to);
        await using var end = connection.Sql("update summed set until = $2 where until = $1", from, to);
        return await end.ExecuteNonQueryAsync(token) == 1 ? 0 : throw new ProblemException(Problems.Unavailable);
    }, token);
}
