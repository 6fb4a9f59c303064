using LlmGateway.ServiceDefaults;
using Npgsql;

namespace LlmGateway.Wallet;

/// <summary>
/// Ends leases whose holder was silent for their whole lifetime, on the database's clock, so that what a dead proxy held can be spent
/// again. Most leases hold nothing by then. Those are deleted without a command to the ledger, because every customer who comes back after
/// a pause leaves one.
/// </summary>
public sealed class LeaseSweeper(
    NpgsqlDataSource database, DatabaseReady ready, Writer writer, TimeProvider time, ILogger<LeaseSweeper> log)
    : BackgroundService
{
    /// <summary>
    /// After a start or an outage of the database, renewals and settlements that waited must come first. Their leases must not end before.
    /// A long outage has sent settlements away for <see cref="Redelivery.Delay"/>, and nothing ends until those are back.
    /// </summary>
    static readonly TimeSpan Grace = TimeSpan.FromSeconds(8);

    /// <summary>
    /// How long the leases of a dead proxy live after the message that its settlements are sent. Another consumer, or another instance, may
    /// still have earlier ones in hand, and a settlement without its lease is paid only from what nobody has spent meanwhile.
    /// </summary>
    public static readonly TimeSpan LastSettlements = TimeSpan.FromSeconds(10);

    static readonly TimeSpan Interval = TimeSpan.FromSeconds(2);
    const int MaxEnded = 200, MaxForgotten = 10_000, MaxRefused = 1000;

    /// <summary>
    /// Leases that the ledger refuses to end, because their books are wrong. They are passed over until a restart. When there are more, the
    /// others are tried again in each sweep.
    /// </summary>
    readonly HashSet<Guid> _refused = [];

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await ready.Task.WaitAsync(stoppingToken);
        await Task.Delay(Grace, time, stoppingToken);
        await Loop.RunAsync("lease sweeper", Interval, async token =>
        {
            if (Redelivery.MayBeUnderWay(Grace))
                return;
            try
            {
                await Rounds.UntilNotFullAsync(MaxForgotten, () => ForgetAsync(token));
                var last = (ExpiresAt: DateTime.MinValue, Id: Guid.Empty);
                await Rounds.UntilNotFullAsync(MaxEnded, async () =>
                {
                    var leases = await FindExpiredAsync(last, token);
                    last = leases is [.., var found] ? (found.ExpiresAt, found.Lease.LeaseId) : last;
                    await EndAsync(leases.ConvertAll(found => found.Lease), token);
                    return leases.Count;
                });
            }
            catch (Exception e) when (Problems.IsOutage(e))
            {
                log.LogWarning("expired leases wait for the database: {Message}", e.Message);
                await Task.Delay(Grace, time, token);
            }
        }, log, time, stoppingToken);
    }

    /// <summary>
    /// Lets the leases of a proxy that is known to be dead end soon. Locks them in id order, like the writer, so that the two cannot
    /// deadlock.
    /// </summary>
    public Task EndHolderAsync(string holder, CancellationToken token) => database.ByIndexAsync(async connection =>
    {
        await using var shorten = connection.Sql("""
            with held as (select id from lease where holder = $1 and not expired order by id for update)
            update lease set expires_at = least(expires_at, now() + $2) from held where lease.id = held.id
            """, holder, LastSettlements);
        return await shorten.ExecuteNonQueryAsync(token);
    }, token);

    /// <summary>
    /// Deletes leases whose time is over and that hold nothing and have nothing for a counter. Only an extension could give them something
    /// again, and it locks the row.
    /// </summary>
    Task<int> ForgetAsync(CancellationToken token) => database.ByIndexAsync(async connection =>
    {
        await using var forget = connection.Sql("""
            with old as (
                select id, accounts from lease where expires_at < now() and 0 = all(holds) and 0 = all(unposted_uses)
                order by expires_at limit $1 for update skip locked),
            found as (
                delete from lease_account using (select id, unnest(accounts) account from old) line
                where lease_account.account = line.account and lease = line.id)
            delete from lease using old where lease.id = old.id
            """, MaxForgotten);
        return await forget.ExecuteNonQueryAsync(token);
    }, token);

    /// <summary>Leases that hold something, or have something for a counter, the longest silent first.</summary>
    /// <param name="last">Where the page before this one ended. A lease that is refused must not come again in the same sweep.</param>
    Task<List<(DateTime ExpiresAt, Expire Lease)>> FindExpiredAsync(
        (DateTime ExpiresAt, Guid Id) last, CancellationToken token) => database.ByIndexAsync(async connection =>
    {
        await using var query = connection.Sql("""
            select id, accounts, expires_at from lease
            where not expired and expires_at < now() and (expires_at, id) > ($3, $4) and not id = any($2)
                and (0 < any(holds) or 0 < any(unposted_uses))
            order by expires_at, id limit $1
            """, MaxEnded, _refused.ToArray(), DateTime.SpecifyKind(last.ExpiresAt, DateTimeKind.Utc), last.Id);
        var leases = new List<(DateTime, Expire)>();
        await using var reader = await query.ExecuteReaderAsync(token);
        while (await reader.ReadAsync(token))
            leases.Add((reader.GetDateTime(2), new(reader.GetGuid(0), reader.GetFieldValue<Guid[]>(1))));
        return leases;
    }, token);

    async Task EndAsync(List<Expire> leases, CancellationToken token)
    {
        if (leases.Count == 0)
            return;
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
                if (_refused.Count < MaxRefused)
                    _refused.Add(lease);
            }
        }
        Failpoint.Hit("wallet.sweeper.ended");
    }
}
