using LlmGateway.ServiceDefaults;
using Npgsql;

namespace LlmGateway.Wallet;

/// <summary>
/// Ends leases whose holder has not been heard of for their whole life, on the database's clock, so that what a dead proxy held is spendable
/// again. Forgets leases that were emptied long ago.
/// </summary>
public sealed class LeaseSweeper(NpgsqlDataSource database, DatabaseReady ready, Writer writer, ILogger<LeaseSweeper> log) : BackgroundService
{
    static readonly TimeSpan Interval = TimeSpan.FromSeconds(2);
    const int MaxPerRound = 200;

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await ready.Task.WaitAsync(stoppingToken);
        using var timer = new PeriodicTimer(Interval);
        while (await timer.WaitForNextTickAsync(stoppingToken))
        {
            try
            {
                await Task.WhenAll((await ExpiredAsync(stoppingToken)).Select(writer.RunAsync));
                await using var forget = database.Sql("""
                    with old as (delete from lease where expired and expires_at < now() - interval '1 day' returning id)
                    delete from lease_line using old where lease_line.lease = old.id
                    """);
                await forget.ExecuteNonQueryAsync(stoppingToken);
            }
            catch (Exception e) when (Problems.IsOutage(e))
            {
                log.LogWarning("expired leases wait for the database: {Message}", e.Message);
            }
        }
    }

    async Task<List<Expire>> ExpiredAsync(CancellationToken token)
    {
        await using var query = database.Sql("""
            select lease.id, array_agg(line.account) from lease join lease_line line on line.lease = lease.id
            where not expired and expires_at < now() group by lease.id limit $1
            """, MaxPerRound);
        var expired = new List<Expire>();
        await using var reader = await query.ExecuteReaderAsync(token);
        while (await reader.ReadAsync(token))
            expired.Add(new Expire(reader.GetGuid(0), reader.GetFieldValue<Guid[]>(1)));
        return expired;
    }
}
