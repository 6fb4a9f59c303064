using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace LlmGateway.ServiceDefaults;

/// <summary>Deletes stored answers after <see cref="Idempotency.Retention"/>, oldest first.</summary>
public sealed class IdempotencyRetention(
    NpgsqlDataSource database, DatabaseReady ready, ILogger<IdempotencyRetention> log)
    : BackgroundService
{
    const int MaxAtOnce = 10_000;
    static readonly TimeSpan Interval = TimeSpan.FromMinutes(10);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await ready.Task.WaitAsync(stoppingToken);
        using var timer = new PeriodicTimer(Interval);
        while (await timer.WaitForNextTickAsync(stoppingToken))
        {
            try
            {
                await Rounds.UntilNotFullAsync(MaxAtOnce, () => ForgetAsync(stoppingToken));
            }
            catch (Exception e) when (Problems.IsOutage(e))
            {
                log.LogWarning("old idempotency keys wait for the database: {Message}", e.Message);
            }
        }
    }

    async Task<int> ForgetAsync(CancellationToken token)
    {
        await using var forget = database.Sql("""
            delete from idempotent_call where (scope, key) in (
                select scope, key from idempotent_call where started_at < now() - $1 order by started_at limit $2)
            """, Idempotency.Retention, MaxAtOnce);
        return await forget.ExecuteNonQueryAsync(token);
    }
}
