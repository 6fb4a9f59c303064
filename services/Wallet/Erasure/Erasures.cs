using LlmGateway.ServiceDefaults;
using Npgsql;

namespace LlmGateway.Wallet;

/// <summary>
/// Erases what <see cref="EraseCustomer"/> was asked for, page by page (<see cref="ErasedPages"/>). A customer who has much is erased in
/// turns, so that nobody else's erasure waits for all of it. Who dies in one repeats it.
/// </summary>
public sealed class Erasures(NpgsqlDataSource database, DatabaseReady ready, TimeProvider time, ILogger<Erasures> log) : BackgroundService
{
    static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);

    /// <summary>No page of a turn begins after this.</summary>
    static readonly TimeSpan Turn = TimeSpan.FromSeconds(10);

    /// <summary>A turn is somebody else's after this, and twice as late after each that failed. A page is given up before that.</summary>
    static readonly TimeSpan
        RetryAfter = TimeSpan.FromMinutes(1), LongestPause = TimeSpan.FromDays(1), PagePatience = TimeSpan.FromSeconds(45);

    /// <summary>How far a customer is erased.</summary>
    readonly record struct Owed(Guid Customer, int Step, Mark After);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await ready.Task.WaitAsync(stoppingToken);
        await Loop.RunAsync("erasures", Interval, token =>
            Rounds.UntilNotFullAsync(1, () => TakeTurnAsync(token)), log, time, stoppingToken);
    }

    /// <summary>Returns how many had a turn: one, or none is due.</summary>
    public async Task<int> TakeTurnAsync(CancellationToken token)
    {
        if (await TakeAsync(token) is not { } owed)
            return 0;
        var (started, waits) = (time.GetTimestamp(), false);
        while (owed.Step < ErasedPages.Steps.Count && !waits && time.GetElapsedTime(started) < Turn)
        {
            using var patience = token.WithTimeout(PagePatience);
            var page = await ErasedPages.Steps[owed.Step](database, owed.Customer, owed.After, patience.Token);
            Failpoint.Hit("wallet.erasure.page");
            waits = page.Waits;
            if (!waits)
                owed = page.Last is { } last ? owed with { After = last } : new(owed.Customer, owed.Step + 1, default);
        }
        await SaveAsync(owed, waits ? RetryAfter : TimeSpan.Zero, token);
        return 1;
    }

    async Task<Owed?> TakeAsync(CancellationToken token)
    {
        await using var take = database.Sql($"""
            update erasure set attempts = attempts + 1, due_at = now() + {Database.Pause("$1", "$2")}
            where customer = (
                select customer from erasure where done_at is null and due_at <= now() order by due_at limit 1 for update skip locked)
            returning customer, step, after_id, after_number
            """, RetryAfter, LongestPause);
        await using var row = await take.ExecuteReaderAsync(token);
        return await row.ReadAsync(token)
            ? new(row.GetGuid(0), row.GetInt16(1), row.IsDBNull(2) ? default : new(row.GetGuid(2), row.GetInt64(3)))
            : null;
    }

    /// <summary>It is the last of those that are due.</summary>
    async Task SaveAsync(Owed owed, TimeSpan pause, CancellationToken token)
    {
        await using var save = database.Sql("""
            update erasure set
                step = $2, after_id = $3, after_number = $4, attempts = 0, due_at = now() + $5, done_at = case when $6 then now() end
            where customer = $1
            """,
            owed.Customer, (short)owed.Step, owed.After.Id, owed.After.Number, pause, owed.Step == ErasedPages.Steps.Count);
        await save.ExecuteNonQueryAsync(token);
    }
}
