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

    /// <summary>
    /// Places that one organization may have, so that a few projects of one owner do not take all. Each is one request at least.
    /// </summary>
    const int LanesPerOwner = 64, FailingLanesPerOwner = 32;

    /// <summary>Endpoints that are looked at in one round. A later one goes on behind them.</summary>
    public const int MaxLookedAt = 1_000;

    /// <summary>Deliveries that begin anew in one statement.</summary>
    const int MaxAnewAtOnce = 1_000;

    static readonly TimeSpan
        Poll = TimeSpan.FromMilliseconds(250),
        // Also how soon a request ends whose endpoint was disabled.
        Beat = TimeSpan.FromMilliseconds(500);

    readonly ConcurrentDictionary<Guid, (Lane Lane, CancellationTokenSource Stop, Task Work)> _lanes = [];

    /// <summary>Up to which endpoint the last round has looked; empty: to the end.</summary>
    Guid _lookedUpTo;

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await ready.Task.WaitAsync(stoppingToken);
        try
        {
            await Task.WhenAll(
                Loop.RunAsync("webhooks", async token =>
                {
                    if (await WaitingAsync(token) is { Length: > 0 } waiting)
                    {
                        await BeginAsync(waiting, failing: false, token);
                        await BeginAsync(waiting, failing: true, token);
                    }
                    if (_lookedUpTo == Guid.Empty)
                        await due.WaitAsync(Poll, token);
                }, log, time, stoppingToken),
                Loop.RunAsync("holds of webhooks", Beat, RenewAsync, log, time, stoppingToken));
        }
        finally
        {
            await Task.WhenAll(_lanes.Values.Select(held => held.Work));
        }
    }

    async Task BeginAsync(Guid[] waiting, bool failing, CancellationToken token)
    {
        var owners = _lanes.Values.Select(held => held.Lane.Endpoint).Where(one => one.IsFailing == failing).Select(one => one.Organization)
            .ToArray();
        var free = (failing ? MaxFailingLanes : MaxLanes) - owners.Length;
        if (free <= 0)
            return;
        foreach (var endpoint in await HoldAsync(waiting, failing, free, owners, token))
        {
            var receiver = new Receiver(connections, endpoint.Organization, time);
            var stop = CancellationTokenSource.CreateLinkedTokenSource(token);
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
            if (lane.Endpoint.BeginsAnew)
                await BeginAnewAsync(lane.Endpoint, stop.Token);
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

    /// <summary>
    /// Endpoints for which something waits, now or for later: one step in the index for each, and none for those that have all they asked
    /// for.
    /// </summary>
    public Task<Guid[]> WaitingAsync(CancellationToken token) => database.ByIndexAsync(async connection =>
    {
        await using var query = connection.Sql("""
            with recursive waiting (endpoint, nth) as (
                (select endpoint, 1 from delivery where state = 0 and endpoint > $1 order by endpoint, next_at limit 1)
                union all
                select following.endpoint, nth + 1 from waiting w cross join lateral (
                    select d.endpoint from delivery d where d.state = 0 and d.endpoint > w.endpoint
                    order by d.endpoint, d.next_at limit 1) following
                where nth < $2)
            select endpoint from waiting order by nth
            """, _lookedUpTo, MaxLookedAt);
        await using var row = await query.ExecuteReaderAsync(token);
        var waiting = new List<Guid>();
        while (await row.ReadAsync(token))
            waiting.Add(row.GetGuid(0));
        _lookedUpTo = waiting.Count == MaxLookedAt ? waiting[^1] : Guid.Empty;
        return waiting.ToArray();
    }, token);

    /// <summary>Those that nobody was asked for the longest come first, of each owner and of all.</summary>
    /// <param name="owners">Those of the places that are taken.</param>
    Task<List<Held>> HoldAsync(
        Guid[] waiting, bool failing, int atMost, Guid[] owners, CancellationToken token) => database.ByIndexAsync(async connection =>
    {
        await using var hold = connection.Sql("""
            with due as materialized (
                select id, row_number() over (partition by organization order by held_until)
                    + (select count(*) from unnest($5::uuid[]) as taken (owner) where owner = organization) as place
                from endpoint e
                where id = any($4) and status = 0 and held_until < now() and paused_until <= now() and (failures > 0) = $1
                    and (begins_anew or exists (select from delivery d where d.endpoint = e.id and state = 0 and next_at <= now())))
            update endpoint set holder = gen_random_uuid(), held_until = now() + $3 where id in (
                select e.id from endpoint e join due using (id) where place <= $6 and status = 0 and held_until < now()
                order by held_until limit $2 for no key update of e skip locked)
            returning id, organization, holder, begins_anew
            """, failing, atMost, Lane.Lease, waiting, owners, failing ? FailingLanesPerOwner : LanesPerOwner);
        await using var row = await hold.ExecuteReaderAsync(token);
        var held = new List<Held>();
        while (await row.ReadAsync(token))
            held.Add(new(row.GetGuid(0), row.GetGuid(1), row.GetGuid(2), failing, row.GetBoolean(3)));
        return held;
    }, token);

    /// <summary>
    /// Nobody sends to it meanwhile. What was tried goes back to its place among the others, which is the moment of its event: so all is
    /// sent in its order. What others are changing just now is theirs.
    /// </summary>
    async Task BeginAnewAsync(Held endpoint, CancellationToken token)
    {
        await Rounds.UntilNotFullAsync(MaxAnewAtOnce, () => database.ByIndexAsync(async connection =>
        {
            await using var round = connection.Sql("""
                update delivery d set tries = 0, next_at = least(v.created, now()) from event v
                where v.id = d.event and d.id in (
                    select id from delivery where endpoint = $1 and state = 0 and tries > 0 limit $2 for no key update skip locked)
                """, endpoint.Id, MaxAnewAtOnce);
            return await round.ExecuteNonQueryAsync(token);
        }, token));
        await using var done = database.Sql(
            "update endpoint set begins_anew = false where id = $1 and holder = $2", endpoint.Id, endpoint.Holder);
        await done.ExecuteNonQueryAsync(token);
    }

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
