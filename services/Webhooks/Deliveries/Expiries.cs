using LlmGateway.ServiceDefaults;
using Npgsql;

namespace LlmGateway.Webhooks;

/// <summary>
/// What has waited for an endpoint until its time was over, because its owner disabled it, is not sent any more. It does not vanish: it is
/// listed as expired for as long as other deliveries. What somebody has put back since then has its own time.
/// </summary>
public sealed class Expiries(
    NpgsqlDataSource database, DatabaseReady ready, EventRetention retention, TimeProvider time, ILogger<Expiries> log)
    : BackgroundService
{
    const int MaxAtOnce = 10_000;

    static readonly TimeSpan Interval = TimeSpan.FromMinutes(10);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await ready.Task.WaitAsync(stoppingToken);
        await Loop.RunAsync("expiry of deliveries", Interval, ExpireAsync, log, time, stoppingToken);
    }

    public Task ExpireAsync(CancellationToken token) => Rounds.UntilNotFullAsync(MaxAtOnce, async () =>
    {
        await using var expire = database.Sql("""
            update delivery set state = 3, next_at = null, finished_at = now()
            where id in (select id from delivery where state = 0 and created < now() - $1 and next_at < now() - $1 limit $2)
            """, retention.Kept, MaxAtOnce);
        return await expire.ExecuteNonQueryAsync(token);
    });
}
