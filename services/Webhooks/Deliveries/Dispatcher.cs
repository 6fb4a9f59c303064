using System.Collections.Concurrent;
using System.Diagnostics;
using LlmGateway.ServiceDefaults;
using Npgsql;

namespace LlmGateway.Webhooks;

/// <summary>
/// Finds endpoints for which something is due, holds them, and has a <see cref="Lane"/> send it. Any number of workers may run: an endpoint
/// is one worker's at a time, whose hold another one may take when it has shown no sign of life for <see cref="Lane.Lease"/>. Endpoints
/// that fail have places of their own, so that dead ones do not take those of the others.
/// </summary>
public sealed class Dispatcher(
    NpgsqlDataSource database, DatabaseReady ready, Attempts attempts, GuardedConnections connections, OwnerSlots slots, WakeSignal due,
    TimeProvider time, ILogger<Dispatcher> log)
    : BackgroundService
{
    const int MaxLanes = 400, MaxFailingLanes = 200, PageSize = 64;

    static readonly TimeSpan
        Poll = TimeSpan.FromMilliseconds(250),
        // Also how soon a request ends whose endpoint was disabled.
        Beat = TimeSpan.FromMilliseconds(500);

    readonly ConcurrentDictionary<Guid, (Lane Lane, CancellationTokenSource Stop, Task Work)> _lanes = [];

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await ready.Task.WaitAsync(stoppingToken);
        try
        {
            await Task.WhenAll(
                Loop.RunAsync("webhooks", async token =>
                {
                    await BeginAsync(failing: false, token);
                    await BeginAsync(failing: true, token);
                    await due.WaitAsync(Poll, token);
                }, log, time, stoppingToken),
                Loop.RunAsync("holds of webhooks", Beat, RenewAsync, log, time, stoppingToken));
        }
        finally
        {
            await Task.WhenAll(_lanes.Values.Select(held => held.Work));
        }
    }

    async Task BeginAsync(bool failing, CancellationToken token)
    {
        var free = (failing ? MaxFailingLanes : MaxLanes) - _lanes.Values.Count(held => held.Lane.Endpoint.IsFailing == failing);
        if (free <= 0)
            return;
        foreach (var endpoint in await HoldAsync(failing, free, token))
        {
            var (receiver, stop) = (new Receiver(connections, time), CancellationTokenSource.CreateLinkedTokenSource(token));
            var lane = new Lane(endpoint, attempts, receiver, slots, log);
            var started = new TaskCompletionSource();
            _lanes[endpoint.Holder] = (lane, stop, RunAsync(lane, receiver, stop, started.Task));
            started.SetResult();
        }
    }

    async Task RunAsync(Lane lane, Receiver receiver, CancellationTokenSource stop, Task started)
    {
        await started;
        try
        {
            Failpoint.Hit("webhooks.endpoint.held");
            await lane.RunAsync(token => DueAsync(lane.Endpoint, token), stop.Token);
            await ReleaseAsync(lane.Endpoint);
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            // It is another worker's, was disabled, or this process ends.
            await TryReleaseAsync(lane.Endpoint);
        }
        catch (Exception e)
        {
            // The hold is left to run out, which is the pause before the next try.
            log.Log(
                Problems.IsOutage(e) ? LogLevel.Warning : LogLevel.Error, e, "deliveries to {Endpoint} wait: {Message}", lane.Endpoint.Id,
                e.Message);
        }
        finally
        {
            _lanes.TryRemove(lane.Endpoint.Holder, out _);
            receiver.Dispose();
            stop.Dispose();
            due.Raise();
        }
    }

    /// <summary>Those that nobody was asked for the longest come first.</summary>
    Task<List<Held>> HoldAsync(bool failing, int atMost, CancellationToken token) => database.ByIndexAsync(async connection =>
    {
        await using var hold = connection.Sql("""
            update endpoint set holder = gen_random_uuid(), held_until = now() + $3 where id in (
                select id from endpoint e
                where status = 0 and held_until < now() and paused_until <= now() and (failures > 0) = $1
                    and exists (select from delivery d where d.endpoint = e.id and state = 0 and next_at <= now())
                order by held_until limit $2 for no key update skip locked)
            returning id, organization, holder
            """, failing, atMost, Lane.Lease);
        await using var row = await hold.ExecuteReaderAsync(token);
        var held = new List<Held>();
        while (await row.ReadAsync(token))
            held.Add(new(row.GetGuid(0), row.GetGuid(1), row.GetGuid(2), failing));
        return held;
    }, token);

    /// <summary>What was due first, and what is due at one moment in the order of its numbers.</summary>
    Task<List<Due>> DueAsync(Held endpoint, CancellationToken token) => database.ByIndexAsync(async connection =>
    {
        await using var query = connection.Sql("""
            select id, subject, attempts, tries from delivery where endpoint = $1 and state = 0 and next_at <= now()
            order by next_at, sequence limit $2
            """, endpoint.Id, PageSize);
        await using var row = await query.ExecuteReaderAsync(token);
        var page = new List<Due>();
        while (await row.ReadAsync(token))
            page.Add(new(row.GetGuid(0), row.GetGuid(1), row.GetInt32(2), row.GetInt32(3)));
        return page;
    }, token);

    /// <summary>Says that this worker lives. Lanes of endpoints that are not its own any more, or were disabled, end at once.</summary>
    async Task RenewAsync(CancellationToken token)
    {
        var asked = Stopwatch.GetTimestamp();
        var held = _lanes.ToArray();
        if (held.Length == 0)
            return;
        await using var renew = database.Sql("""
            update endpoint set held_until = now() + $3 where id = any($1) and holder = any($2) and status = 0 returning holder
            """, held.Select(one => one.Value.Lane.Endpoint.Id).ToArray(), held.Select(one => one.Key).ToArray(), Lane.Lease);
        var renewed = new HashSet<Guid>();
        await using (var row = await renew.ExecuteReaderAsync(token))
            while (await row.ReadAsync(token))
                renewed.Add(row.GetGuid(0));
        foreach (var (holder, (lane, stop, _)) in held)
            if (renewed.Contains(holder))
                lane.Renewed(asked);
            else if (_lanes.ContainsKey(holder))
                Cancel(stop);
    }

    async Task ReleaseAsync(Held endpoint)
    {
        await using var release = database.Sql(
            "update endpoint set held_until = now(), holder = null where id = $1 and holder = $2", endpoint.Id, endpoint.Holder);
        await release.ExecuteNonQueryAsync();
        Failpoint.Hit("webhooks.endpoint.released");
    }

    async Task TryReleaseAsync(Held endpoint)
    {
        try
        {
            await ReleaseAsync(endpoint);
        }
        catch (Exception e) when (Problems.IsOutage(e))
        {
            // The hold runs out by itself.
        }
    }

    static void Cancel(CancellationTokenSource stop)
    {
        try
        {
            stop.Cancel();
        }
        catch (ObjectDisposedException)
        {
            // The lane has just ended.
        }
    }
}
