using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace LlmGateway.ServiceDefaults;

/// <summary>How long the rows of a table are kept.</summary>
/// <param name="Over">
/// True of a row that nobody needs any more, in SQL; null where rows stay, or where other code deletes them.
/// </param>
/// <param name="Reason">Why that is right.</param>
public sealed record Retention(string Table, string? Over, string Reason)
{
    /// <summary>The table is read whole to find them, and has no index for it: so seldom.</summary>
    public TimeSpan Every { get; init; }

    public static Retention Deleted(string table, string over, string reason, TimeSpan every = default) =>
        new(table, over, reason) { Every = every };

    /// <param name="since">The time since rows of it were deleted last. Null: never by this process.</param>
    public bool IsDue(TimeSpan? since) => Over is not null && (since is not { } passed || passed >= Every);

    public static Retention Kept(string table, string reason) => new(table, null, reason);

    public static readonly Retention IdempotentCalls = Deleted(
        "idempotent_call",
        $"started_at < now() - interval '{Idempotency.Retention.TotalHours} hours'",
        "a key is promised to be known for that long");
}

/// <summary>Deletes the rows whose time is over, a bounded number at a time, until a round finds fewer.</summary>
public sealed class RetentionRounds(
    NpgsqlDataSource database, DatabaseReady ready, IReadOnlyList<Retention> tables, TimeProvider time, ILogger<RetentionRounds> log)
    : BackgroundService
{
    const int MaxAtOnce = 10_000;
    static readonly TimeSpan Interval = TimeSpan.FromMinutes(10);

    readonly Dictionary<string, long> _clearedAt = [];

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await ready.Task.WaitAsync(stoppingToken);
        await Loop.RunAsync("retention", Interval, async token =>
        {
            foreach (var table in tables)
                if (table.IsDue(_clearedAt.TryGetValue(table.Table, out var at) ? time.GetElapsedTime(at) : null))
                    await ClearAsync(table, token);
        }, log, time, stoppingToken);
    }

    /// <summary>A table that refuses keeps none of those behind it.</summary>
    async Task ClearAsync(Retention table, CancellationToken token)
    {
        try
        {
            await Rounds.UntilNotFullAsync(MaxAtOnce, () => DeleteAsync(table, token));
            _clearedAt[table.Table] = time.GetTimestamp();
        }
        catch (NpgsqlException e) when (e.InnerException is TimeoutException || !Problems.IsOutage(e))
        {
            log.LogError(e, "rows of {Table} whose time is over cannot be deleted", table.Table);
        }
    }

    async Task<int> DeleteAsync(Retention table, CancellationToken token)
    {
        await using var delete = database.Sql(
            $"delete from {table.Table} where ctid = any(array(select ctid from {table.Table} where {table.Over} limit $1))", MaxAtOnce);
        return await delete.ExecuteNonQueryAsync(token);
    }
}

public static class RetentionRegistration
{
    /// <param name="tables">Every table of the service, in the order in which rows are deleted.</param>
    public static void AddRetention(this IServiceCollection services, IReadOnlyList<Retention> tables)
    {
        services.AddSingleton(tables);
        services.AddHostedService<RetentionRounds>();
    }
}
