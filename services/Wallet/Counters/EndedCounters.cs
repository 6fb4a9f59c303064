using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using Npgsql;

namespace LlmGateway.Wallet;

/// <summary>
/// Deletes counters whose cycle ended long ago: every limit of every customer leaves one in each cycle. What was used of them stays in the
/// usage log. One that a lease still names is left for a later round. Openings of client sessions that are long over are counted together
/// before that.
/// </summary>
public sealed class EndedCounters(NpgsqlDataSource database, DatabaseReady ready, TimeProvider time, ILogger<EndedCounters> log)
    : BackgroundService
{
    /// <summary>
    /// The day between the two is more than clocks of proxies can differ: a request that used the counter is older than
    /// <see cref="Ledger.CountersNamedFor"/>.
    /// </summary>
    static readonly TimeSpan KeptFor = Ledger.CountersNamedFor + TimeSpan.FromDays(1);

    const int MaxAtOnce = 1_000;
    static readonly TimeSpan Interval = TimeSpan.FromMinutes(10);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await ready.Task.WaitAsync(stoppingToken);
        await Loop.RunAsync("ended counters", Interval, async token =>
        {
            await WindowOpenings.FoldOverAsync(database, token);
            await Rounds.UntilNotFullAsync(MaxAtOnce, () => DeleteAsync(database, token));
        }, log, time, stoppingToken);
    }

    /// <summary>Returns how many. Those that a batch has locked come later, so that nobody waits for anybody here.</summary>
    public static Task<int> DeleteAsync(NpgsqlDataSource database, CancellationToken token) => database.ByIndexAsync(async connection =>
    {
        await using var delete = connection.Sql($"""
            with ended as (
                select id from account
                where kind between {(short)AccountKind.Cap} and {(short)AccountKind.Windows} and ends_at < now() - $1 and reserved = 0
                    and not exists (select from lease_account where account = id)
                order by ends_at limit $2 for update skip locked),
            unsealed as (delete from seal using ended where account = id),
            unopened as (delete from counter_opening using ended where register = id),
            unnamed as (delete from window_opening using ended where register = id)
            delete from account using ended where account.id = ended.id
            """, KeptFor, MaxAtOnce);
        return await delete.ExecuteNonQueryAsync(token);
    }, token);
}
