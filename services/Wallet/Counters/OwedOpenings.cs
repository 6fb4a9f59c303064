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

    /// <summary>A customer's largest cycle is read in this time.</summary>
    static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);

    /// <summary>What was tried in vain comes behind what was not, and twice as late each time. After the last it is given up.</summary>
    static readonly TimeSpan RetryAfter = TimeSpan.FromMinutes(10), LongestPause = TimeSpan.FromDays(1);

    const int MaxAttempts = 15;

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await ready.Task.WaitAsync(stoppingToken);
        await Loop.RunAsync("owed openings", Interval, token =>
            Rounds.UntilNotFullAsync(1, () => OpenNextAsync(database, log, token)), log, time, stoppingToken);
    }

    /// <summary>Returns how many: one, or none is due. Another instance takes another one, and this one when it was left undone.</summary>
    public static async Task<int> OpenNextAsync(NpgsqlDataSource database, ILogger log, CancellationToken token)
    {
        if (await TakeAsync(database, token) is not { } owed)
            return 0;
        if (Read(owed, log) is { } asked && owed.Attempts <= MaxAttempts)
        {
            using var patience = token.WithTimeout(Patience);
            try
            {
                // What was used of a cycle that is over limits nobody.
                if (asked.Counters[0].Term.To > owed.Now)
                    await CounterOpenings.OpenAsync(database, asked.Scope, asked.Counters[0], patience.Token);
            }
            catch (OperationCanceledException) when (!token.IsCancellationRequested)
            {
                log.LogWarning("what was used of counter {Counter} takes too long to be counted; it is tried again", owed.Register);
                return 1;
            }
        }
        else
            log.LogError("counter {Counter} never gets what was used before its limit was there: {Asked}", owed.Register, owed.Asked);
        // Whoever has asked again meanwhile is owed it again.
        await using var done = database.Sql(
            "delete from owed_opening where register = $1 and attempts = $2", owed.Register, (short)owed.Attempts);
        await done.ExecuteNonQueryAsync(token);
        return 1;
    }

    readonly record struct Owed(Guid Register, string Asked, int Attempts, DateTimeOffset Now);

    /// <summary>Null when another version wrote it and this one cannot read it.</summary>
    static OpenCounters? Read(Owed owed, ILogger log)
    {
        try
        {
            return JsonSerializer.Deserialize<OpenCounters>(owed.Asked, Defaults.Json);
        }
        catch (JsonException e)
        {
            log.LogError(e, "what counter {Counter} is to get cannot be read", owed.Register);
            return null;
        }
    }

    static async Task<Owed?> TakeAsync(NpgsqlDataSource database, CancellationToken token)
    {
        await using var take = database.Sql($"""
            update owed_opening set attempts = attempts + 1, due_at = now() + {Database.Pause("$1", "$2")} where register = (
                select register from owed_opening where due_at <= now() order by attempts, due_at limit 1 for update skip locked)
            returning register, asked, attempts, now()
            """, RetryAfter, LongestPause);
        await using var row = await take.ExecuteReaderAsync(token);
        return await row.ReadAsync(token)
            ? new Owed(row.GetGuid(0), row.GetString(1), row.GetInt16(2), row.GetFieldValue<DateTimeOffset>(3))
            : null;
    }
}
