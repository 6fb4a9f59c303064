using System.Collections.Concurrent;
using System.Diagnostics;
using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using MassTransit;

namespace LlmGateway.Proxy;

/// <summary>
/// Sends the spool to the ledger's queue. It reads the oldest file behind the writer, publishes in batches with confirms, and deletes files
/// that are fully confirmed. While the broker is away it waits, and the spool grows on disk.
/// </summary>
public sealed class SpoolPublisher(Spool spool, ISendEndpointProvider bus, ILogger<SpoolPublisher> log) : BackgroundService
{
    static readonly TimeSpan SendTimeout = TimeSpan.FromSeconds(10);

    /// <summary>
    /// Records gather for this time, also under load. Broker, ledger and database work per batch, and a batch of only those records that
    /// came in during the confirm before would be small.
    /// </summary>
    static readonly TimeSpan Gather = TimeSpan.FromMilliseconds(20);

    /// <summary>What an orderly stop gives the last batches. The rest waits on disk for the next process.</summary>
    static readonly TimeSpan HandInTimeout = TimeSpan.FromSeconds(3);

    static readonly Problem DiskRefuses = Problems.Unavailable with
    {
        Message = "This instance of the gateway cannot write down what requests cost. Try again in a moment; another one may answer.",
    };

    static readonly Problem DiskIsFull = Problems.Unavailable with
    {
        Message = "This instance of the gateway has written down as many finished requests as it may without handing them in. "
            + "Try again when its message broker is back.",
    };

    /// <summary>
    /// Settlements that the disk refused. They go to the broker from memory. Until they are there, no new request is admitted.
    /// </summary>
    readonly ConcurrentQueue<Unwritten> _unwritten = new();

    /// <summary>Since when records have waited without a moment in which none did; 0 while none wait.</summary>
    long _behindSince;

    /// <summary>A finished request whose only copy on disk is its slot in the journal.</summary>
    readonly record struct Unwritten(byte[] Record, Hold? Hold, CrashJournal.Slot? Slot);

    /// <summary>
    /// Why no new request is admitted; null when it is. A finished request is neither on disk nor at the broker, or the spool has no more
    /// space.
    /// </summary>
    public Problem? Refusal => !_unwritten.IsEmpty ? DiskRefuses : spool.IsFull ? DiskIsFull : null;

    /// <summary>Settlements that the broker has not confirmed, those of this folder's earlier processes among them.</summary>
    public long Undelivered => spool.Undelivered + _unwritten.Count;

    /// <summary>
    /// Spools a settlement. Its lease stays alive until the broker has it. The slot is freed as soon as the spool has a copy on disk.
    /// </summary>
    public void Add(ReadOnlySpan<byte> record, Hold? hold, CrashJournal.Slot? slot)
    {
        slot?.Put(record);
        try
        {
            var number = spool.Append(record);
            hold?.Spooled(number);
            slot?.Free();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            log.LogCritical(e, "the spool cannot be written; new requests are refused until what has finished is delivered");
            _unwritten.Enqueue(new(record.ToArray(), hold, slot));
        }
        spool.Wake();
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        EdgeMetrics.Observe("gateway.spool.records", "{record}", "Settlements that wait for the broker's confirm",
            () => Undelivered);
        EdgeMetrics.Observe("gateway.spool.bytes", "By", "What they take on disk", () => spool.UnconfirmedBytes);
        EdgeMetrics.Observe("gateway.spool.behind", "s", "For how long some have been waiting at any moment", () =>
            Volatile.Read(ref _behindSince) is > 0 and var since ? (long)Stopwatch.GetElapsedTime(since).TotalSeconds : 0);
        // The ledger declares the queue. The proxy only names the exchange in front of it.
        var endpoint = await bus.GetSendEndpoint(new Uri($"exchange:{SettlementBatch.Queue}"));
        try
        {
            await PublishAsync(endpoint, stoppingToken);
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            await HandInAsync(endpoint);
        }
    }

    /// <summary>
    /// The hand-in is waited for also when the host's time is over. A proxy that is never started again would leave its last charges on a
    /// disk that nobody reads.
    /// </summary>
    public override Task StopAsync(CancellationToken cancellationToken) => base.StopAsync(CancellationToken.None);

    /// <summary>
    /// A full or missing disk may be back in a moment. What was sent and could not be noted is sent again and counts once.
    /// </summary>
    Task PublishAsync(ISendEndpoint endpoint, CancellationToken stopping) => Loop.RunAsync("spool publisher", async token =>
    {
        await DeliverAsync(endpoint, token);
        await spool.WaitAsync(token);
        await Task.Delay(Gather, token);
    }, log, TimeProvider.System, stopping);

    async Task HandInAsync(ISendEndpoint endpoint)
    {
        using var limit = new CancellationTokenSource(HandInTimeout);
        try
        {
            await DeliverAsync(endpoint, limit.Token);
        }
        catch (Exception e) when (e is OperationCanceledException or IOException)
        {
            log.LogWarning("{Count} settlements stay in the spool until this proxy's next start: {Message}", Undelivered, e.Message);
        }
    }

    /// <summary>Delivers what is there, until it is time to let records gather again.</summary>
    async Task DeliverAsync(ISendEndpoint endpoint, CancellationToken token)
    {
        while (await DeliverNextAsync(endpoint, token))
        {
        }
        await TellGoneAsync(endpoint, token);
        Volatile.Write(ref _behindSince, 0);
    }

    /// <summary>Publishes the next batch; false when it is time to let records gather again.</summary>
    async Task<bool> DeliverNextAsync(ISendEndpoint endpoint, CancellationToken token)
    {
        if (_unwritten.TryPeek(out var unwritten))
        {
            await SendAsync(endpoint, new(unwritten.Record), token);
            unwritten.Hold?.Delivered();
            unwritten.Slot?.Free();
            _unwritten.TryDequeue(out _);
            return true;
        }
        var (file, growing) = spool.Oldest();
        var (records, count) = file.Take(SettlementBatch.MaxSettlements);
        if (count > 0)
        {
            Failpoint.Hit("proxy.publish.read");
            await SendAsync(endpoint, new(records), token);
            Failpoint.Hit("proxy.publish.confirmed");
            file.Confirm(records.Length);
            spool.Delivered.Add(count);
            Failpoint.Hit("proxy.publish.noted");
            return !growing || count == SettlementBatch.MaxSettlements;
        }
        if (growing)
            return false;
        spool.Delete(file);
        return true;
    }

    /// <summary>
    /// Tells the ledger of dead processes of this folder whose records are all sent, so that what they held can be spent again.
    /// </summary>
    async Task TellGoneAsync(ISendEndpoint endpoint, CancellationToken token)
    {
        if (spool.GoneHolders.Count == 0)
            return;
        foreach (var holder in spool.GoneHolders)
            await SendAsync(endpoint, new([], holder), token);
        Failpoint.Hit("proxy.gone.told");
        spool.ForgetGoneHolders();
    }

    /// <summary>Repeats until the broker confirms. A batch that arrives twice is settled once.</summary>
    async Task SendAsync(ISendEndpoint endpoint, SettlementBatch batch, CancellationToken token)
    {
        if (_behindSince == 0)
            Volatile.Write(ref _behindSince, Stopwatch.GetTimestamp());
        using var span = PublishSpan.Start(batch.Records);
        await Backoff.UntilDoneAsync(
            async () =>
            {
                using var limit = token.WithTimeout(SendTimeout);
                await endpoint.Send(batch, SettlementSerializer.Apply, limit.Token);
            },
            _ => true,
            (e, _) => log.LogWarning("{Bytes} bytes of settlements wait for the broker: {Message}", batch.Records.Length, e.Message),
            token);
    }
}
