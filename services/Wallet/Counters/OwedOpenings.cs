using System.Text.Json;
using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using Npgsql;

namespace LlmGateway.Wallet;

/// <summary>
/// Does what <see cref="CounterOpenings"/> was asked for, a minute after that: what took too long then, and what requests have used that
/// ran when the limit came. Until then a limit whose sum took too long counts from nothing.
/// </summary>
public sealed class OwedOpenings(NpgsqlDataSource database, DatabaseReady ready, TimeProvider time, ILogger<OwedOpenings> log)
    : BackgroundService
{
    /// <summary>By then nearly everything that ran is booked.</summary>
    public static readonly TimeSpan After = TimeSpan.FromMinutes(1);

    static readonly TimeSpan Interval = TimeSpan.FromSeconds(10);

    /// <summary>A customer's largest cycle is read in this time. Where it takes longer, it is tried again after the second.</summary>
    static readonly TimeSpan Patience = TimeSpan.FromMinutes(2), RetryAfter = TimeSpan.FromMinutes(10);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await ready.Task.WaitAsync(stoppingToken);
        await Loop.RunAsync("owed openings", Interval, token =>
            Rounds.UntilNotFullAsync(1, () => OpenNextAsync(database, log, token)), log, time, stoppingToken);
    }

    /// <summary>Returns how many: one, or none is due. Another instance takes another one, and this one when it was left undone.</summary>
    public static async Task<int> OpenNextAsync(NpgsqlDataSource database, ILogger log, CancellationToken token)
    {
        if (await TakeAsync(database, token) is not var (register, asked, now))
            return 0;
        using var patience = token.WithTimeout(Patience);
        try
        {
            // What was used of a cycle that is over limits nobody.
            if (asked.Counters[0].Term.To > now)
                await CounterOpenings.OpenAsync(database, asked.Scope, asked.Counters[0], patience.Token);
        }
        catch (OperationCanceledException) when (!token.IsCancellationRequested)
        {
            log.LogWarning("what was used of counter {Counter} takes too long to be counted; it is tried again", register);
            return 1;
        }
        // Whoever has asked again meanwhile is owed it again.
        await using var done = database.Sql("delete from owed_opening where register = $1 and due_at > now() + $2", register, After);
        await done.ExecuteNonQueryAsync(token);
        return 1;
    }

    static async Task<(Guid Register, OpenCounters Asked, DateTimeOffset Now)?> TakeAsync(
        NpgsqlDataSource database, CancellationToken token)
    {
        await using var take = database.Sql("""
            update owed_opening set due_at = now() + $1 where register = (
                select register from owed_opening where due_at <= now() order by due_at limit 1 for update skip locked)
            returning register, asked, now()
            """, RetryAfter);
        await using var row = await take.ExecuteReaderAsync(token);
        return await row.ReadAsync(token)
            ? (row.GetGuid(0), JsonSerializer.Deserialize<OpenCounters>(row.GetString(1), Defaults.Json)!,
                row.GetFieldValue<DateTimeOffset>(2))
            : null;
    }
}
