using System.Collections.Concurrent;
using LlmGateway.ServiceDefaults;
using Npgsql;

namespace LlmGateway.Wallet;

/// <summary>
/// Ends leases whose holder was silent for their whole lifetime, on the database's clock, so that what a dead proxy held can be spent
/// again. Deletes leases that were ended long ago.
/// </summary>
public sealed class LeaseSweeper(
    NpgsqlDataSource database, DatabaseReady ready, Writer writer, TimeProvider time, ILogger<LeaseSweeper> log)
    : BackgroundService
{
    /// <summary>
    /// After a start or an outage of the database, renewals and settlements that waited must come first. Their leases must not end before.
    /// </summary>
    static readonly TimeSpan Grace = TimeSpan.FromSeconds(8);

    static readonly TimeSpan Interval = TimeSpan.FromSeconds(2), ForgetInterval = TimeSpan.FromMinutes(10);
    const int MaxPerRound = 200, MaxForgotten = 10_000, MaxRefused = 1000;

    /// <summary>
    /// Leases that the ledger refuses to end, because their books are wrong. They are passed over, so that the others end; after a restart,
    /// or when there are many, each is tried again.
    /// </summary>
    readonly ConcurrentDictionary<Guid, bool> _refused = new();

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await ready.Task.WaitAsync(stoppingToken);
        await Task.Delay(Grace, time, stoppingToken);
        var forgotten = time.GetTimestamp();
        await Loop.RunAsync("lease sweeper", Interval, async token =>
        {
            try
            {
                await EndAsync("expires_at < now()", [], gone: false, token);
                if (time.GetElapsedTime(forgotten) < ForgetInterval)
                    return;
                await ForgetAsync(token);
                forgotten = time.GetTimestamp();
            }
            catch (Exception e) when (Problems.IsOutage(e))
            {
                log.LogWarning("expired leases wait for the database: {Message}", e.Message);
                await Task.Delay(Grace, time, token);
            }
        }, log, time, stoppingToken);
    }

    /// <summary>
    /// Ends the leases of a proxy that is known to be dead, so that what they hold can be spent at once. Settlements of that proxy may
    /// still be under way at another instance.
    /// </summary>
    public async Task EndHolderAsync(string holder, CancellationToken token)
    {
        while (await EndAsync("holder = $2", [holder], gone: true, token) == MaxPerRound)
        {
        }
    }

    async Task ForgetAsync(CancellationToken token)
    {
        await using var forget = database.Sql("""
            with old as (
                delete from lease where id in (select id from lease where expired and expires_at < now() - interval '1 day' limit $1)
                returning id)
            delete from lease_line using old where lease_line.lease = old.id
            """, MaxForgotten);
        await forget.ExecuteNonQueryAsync(token);
    }

    async Task<int> EndAsync(string which, object[] values, bool gone, CancellationToken token)
    {
        await using var query = database.Sql($"""
            select lease.id, array_agg(line.account) from lease join lease_line line on line.lease = lease.id
            where not expired and {which} and not lease.id = any(${values.Length + 2}) group by lease.id limit $1
            """, [MaxPerRound, .. values, _refused.Keys.ToArray()]);
        var leases = new List<Expire>();
        await using (var reader = await query.ExecuteReaderAsync(token))
            while (await reader.ReadAsync(token))
                leases.Add(new Expire(reader.GetGuid(0), reader.GetFieldValue<Guid[]>(1), gone));
        if (leases.Count == 0)
            return 0;
        Failpoint.Hit("wallet.sweeper.found");
        // Each for itself: one that is refused must not hide whether the others have ended. They share transactions all the same.
        foreach (var (lease, ended) in leases.ConvertAll(lease => (lease.LeaseId, writer.RunAsync(lease))))
        {
            try
            {
                await ended;
            }
            catch (Exception e) when (!Problems.IsOutage(e) && !token.IsCancellationRequested)
            {
                log.LogError("lease {Lease} cannot be ended, and its money stays held: {Message}", lease, e.Message);
                if (_refused.Count >= MaxRefused)
                    _refused.Clear();
                _refused[lease] = true;
            }
        }
        Failpoint.Hit("wallet.sweeper.ended");
        return leases.Count;
    }
}
