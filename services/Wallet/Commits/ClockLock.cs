using LlmGateway.ServiceDefaults;
using Npgsql;

namespace LlmGateway.Wallet;

/// <summary>
/// A batch holds this lock, shared, from before it reads the clock until its commit. Whoever takes it alone knows that every batch with an
/// earlier clock is committed.
/// </summary>
public static class ClockLock
{
    /// <summary>Of an advisory lock.</summary>
    public const long Key = 0x4C47_434C_4F43_4B;

    /// <summary>For batches that run, five seconds in all.</summary>
    const int MaxLooks = 100;

    static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(50);

    /// <summary>
    /// Takes it alone until the end of the transaction. Batches that come meanwhile wait behind it, so it is not waited for for long: one
    /// instance that stands still in a batch would stop all others. Then it throws, and that is an outage to whoever asks. One that stands
    /// still with the lock loses it.
    /// </summary>
    public static async Task TakeAloneAsync(NpgsqlConnection connection, CancellationToken token)
    {
        await connection.RunAsync("set local lock_timeout = '1s'; set local idle_in_transaction_session_timeout = '5s'", token);
        await connection.RunAsync("select from pg_advisory_xact_lock($1)", token, Key);
    }

    /// <summary>
    /// A moment by the database's clock before which nothing is booked any more. Batches that have read an earlier clock are waited for:
    /// what they book would appear behind a page that was read already.
    /// </summary>
    public static async Task<DateTimeOffset> BookedUntilAsync(NpgsqlDataSource database, CancellationToken token)
    {
        await using var connection = await database.OpenConnectionAsync(token);
        await using var transaction = await connection.BeginTransactionAsync(token);
        await TakeAloneAsync(connection, token);
        await using var moment = connection.Sql("select greatest(booked_until, clock_timestamp()) from summed");
        return (DateTime)(await moment.ExecuteScalarAsync(token))!;
    }

    /// <summary>
    /// The same for readers of which there may be many: no batch waits for them. What was booked when they ask is before it, unless a batch
    /// does not end; then it is the moment when that began.
    /// </summary>
    public static async Task<DateTimeOffset> BookedBeforeAsync(NpgsqlDataSource database, CancellationToken token)
    {
        await using var clock = database.Sql("select clock_timestamp()");
        var now = (DateTime)(await clock.ExecuteScalarAsync(token))!;
        for (var look = 1; ; look++)
        {
            // A batch that takes the lock from here on reads a later clock.
            await using var running = database.Sql("""
                select min(xact_start) from pg_locks join pg_stat_activity using (pid)
                where locktype = 'advisory' and mode = 'ShareLock' and granted and ((classid::bigint << 32) | objid::bigint) = $1
                    and pg_locks.database = (select oid from pg_database where datname = current_database())
                """, Key);
            if (await running.ExecuteScalarAsync(token) is not DateTime began || began >= now)
                return now;
            if (look == MaxLooks)
                return began;
            await Task.Delay(Pause, token);
        }
    }
}
