using LlmGateway.ServiceDefaults;
using Npgsql;

namespace LlmGateway.Wallet;

/// <summary>
/// Sums of single sessions are kept for a while. A product may mint a session for each visit, so there would be nearly as many of them as
/// requests, for ever. Then those of a day are added to what has no name. What each dimension comes to stays the same.
/// </summary>
public sealed class SessionSums(NpgsqlDataSource database, DatabaseReady ready, TimeProvider time, ILogger<SessionSums> log)
    : BackgroundService
{
    /// <summary>Longer than the longest of the usual ranges of a summary.</summary>
    static readonly TimeSpan KeptFor = TimeSpan.FromDays(100);

    static readonly TimeSpan Interval = TimeSpan.FromHours(1);

    /// <summary>
    /// One day of one project, quarters of an hour and the day together, so that a proof sees all of it or nothing. Nothing is added to a
    /// day of so long ago any more. Projects are found one by one along the key.
    /// </summary>
    static readonly string FoldDay = $"""
        with recursive projects as (
            (select project, test from rollup order by project, test limit 1)
            union all
            select next.* from projects p, lateral (
                select project, test from rollup where (project, test) > (p.project, p.test) order by project, test limit 1) as next),
        found as materialized (
            select oldest.* from projects p, lateral (
                select project, test, at from rollup
                where project = p.project and test = p.test and grain = 1 and dimension = 5 and at < now() - $1
                    and value >= 'ses_' and value < 'ses`'
                order by at limit 1) as oldest
            limit 1),
        gone as (
            delete from rollup using found
            where rollup.project = found.project and rollup.test = found.test and grain in (0, 1) and dimension = 5
                and rollup.at >= found.at and rollup.at < found.at + interval '1 day' and value >= 'ses_' and value < 'ses`'
            returning rollup.*),
        folded as (
            insert into rollup (project, test, grain, dimension, at, value, {BookedUsage.Columns})
            select project, test, grain, dimension, at, '', {BookedUsage.Summed} from gone group by project, test, grain, dimension, at
            on conflict (project, test, grain, dimension, at, value) do update set {BookedUsage.Added("rollup", BookedUsage.Figures)})
        select count(*)::integer from found
        """;

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await ready.Task.WaitAsync(stoppingToken);
        await Loop.RunAsync("session sums", Interval, token =>
            Rounds.UntilNotFullAsync(1, () => FoldAsync(database, token)), log, time, stoppingToken);
    }

    /// <summary>Returns how many days it has folded: one, or there is none.</summary>
    public static Task<int> FoldAsync(NpgsqlDataSource database, CancellationToken token) => database.ByIndexAsync(async connection =>
    {
        await using var fold = connection.Sql(FoldDay, KeptFor);
        fold.CommandTimeout = 0;
        return (int)(await fold.ExecuteScalarAsync(token))!;
    }, token);
}
