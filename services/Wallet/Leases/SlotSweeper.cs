using LlmGateway.ServiceDefaults;
using Npgsql;

namespace LlmGateway.Wallet;

/// <summary>
/// Frees the slots of proxies that have fallen silent, long before their leases end: what they ran has died with them, and their customers
/// must not wait for a minute. Money stays held, because settlements may still come. First a holder is marked as silent, in its own row. If
/// it lives after all, its next heartbeat is answered with another epoch, and it asks for slots anew.
/// </summary>
public sealed class SlotSweeper(
    NpgsqlDataSource database, DatabaseReady ready, SlotSilence silence, Writer writer, TimeProvider time, ILogger<SlotSweeper> log)
    : BackgroundService
{
    static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(200);

    /// <summary>
    /// After a pause of the ledger itself, missing heartbeats mean nothing: after a look that came late, or took long, holders get so much
    /// time to be heard again.
    /// </summary>
    static readonly TimeSpan Late = TimeSpan.FromMilliseconds(500), Grace = TimeSpan.FromSeconds(1);

    const int MaxAtOnce = 500;

    long? _lookedAt;
    long _punctualSince;

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await ready.Task.WaitAsync(stoppingToken);
        await Loop.RunAsync("slot sweeper", Interval, LookAsync, log, time, stoppingToken);
    }

    async Task LookAsync(CancellationToken token)
    {
        var now = time.GetTimestamp();
        if (_lookedAt is not { } last || time.GetElapsedTime(last, now) > Late)
            _punctualSince = now;
        _lookedAt = now;
        if (time.GetElapsedTime(_punctualSince, now) < Grace)
            return;
        if (!await MarkSilentAsync(token))
            return;
        await Rounds.UntilNotFullAsync(MaxAtOnce, async () =>
        {
            var leases = await FindAsync(database, token);
            if (leases.Count > 0)
                Failpoint.Hit("wallet.slots.found");
            await Task.WhenAll(leases.ConvertAll(lease => writer.RunAsync(lease)));
            return leases.Count;
        });
    }

    /// <summary>Whether holders are silent, and logs those that were not before.</summary>
    async Task<bool> MarkSilentAsync(CancellationToken token)
    {
        await using var query = database.Sql("""
            with silent as (
                update holder set gone = true, epoch = gen_random_uuid()
                where not gone and seen_at < clock_timestamp() - $1 returning holder)
            select holder, false from holder where gone union all select holder, true from silent
            """, silence.Longest);
        var any = false;
        await using var reader = await query.ExecuteReaderAsync(token);
        while (await reader.ReadAsync(token))
        {
            any = true;
            if (reader.GetBoolean(1))
                log.LogInformation("{Holder} has been silent for {Silence} and loses its slots", reader.GetString(0), silence.Longest);
        }
        return any;
    }

    /// <summary>
    /// A call that a dead holder sent may still open a lease, so that every look asks again. One that is back has leases that it uses: what
    /// it had before, it gives back itself when it hears of its new epoch. So a lease counts only while its holder is silent.
    /// </summary>
    public static Task<List<FreeSlots>> FindAsync(
        NpgsqlDataSource database, CancellationToken token) => database.ByIndexAsync(async connection =>
    {
        await using var query = connection.Sql("""
            select id, accounts from holder join lease using (holder) where gone and slots = 1 and not expired limit $1
            """, MaxAtOnce);
        var leases = new List<FreeSlots>();
        await using var reader = await query.ExecuteReaderAsync(token);
        while (await reader.ReadAsync(token))
            leases.Add(new(reader.GetGuid(0), reader.GetFieldValue<Guid[]>(1)));
        return leases;
    }, token);
}

/// <summary>A proxy that was not heard of for longer counts as silent, and what it runs is counted no more.</summary>
public sealed record SlotSilence(TimeSpan Longest)
{
    /// <summary>Two heartbeats of a proxy may be lost, or it may collect garbage for half a second.</summary>
    const int DefaultMilliseconds = 700;

    public static SlotSilence Read(WebApplicationBuilder builder) => new(
        builder.Milliseconds("Wallet:SlotSilence", atLeast: DefaultMilliseconds) ?? TimeSpan.FromMilliseconds(DefaultMilliseconds));
}
