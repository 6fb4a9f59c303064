using System.Collections.Concurrent;
using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using MassTransit;

namespace LlmGateway.Proxy;

/// <summary>
/// Carries the spool to the ledger's queue: reads the oldest file behind the writer, publishes in batches with confirms, and deletes files that are
/// confirmed to their end. While the broker is away it waits, and the spool grows on disk.
/// </summary>
public sealed class SpoolPublisher(Spool spool, ISendEndpointProvider bus, ILogger<SpoolPublisher> log) : BackgroundService
{
    static readonly TimeSpan FirstDelay = TimeSpan.FromMilliseconds(100), MaxDelay = TimeSpan.FromSeconds(5), SendTimeout = TimeSpan.FromSeconds(10);

    /// <summary>
    /// Records gather for so long, also under load: what the broker, the ledger and its database do, they do per batch, and a batch of what came in while the
    /// one before was confirmed is a small one.
    /// </summary>
    static readonly TimeSpan Gather = TimeSpan.FromMilliseconds(20);

    readonly Lock _order = new();

    /// <summary>What this process's own records settle, in their order; entries leave with the confirm.</summary>
    readonly Queue<Ended> _undelivered = new();

    /// <summary>Settlements that the disk refused: they go to the broker from memory, and no new paid request is admitted until they are there.</summary>
    readonly ConcurrentQueue<(byte[] Record, Ended Ended)> _unwritten = new();

    long _left = spool.RecordsLeft;

    /// <summary>What the end of a request leaves to be done once its record is delivered.</summary>
    readonly record struct Ended(Hold? Hold, InFlight.Slot? Slot)
    {
        public void Delivered()
        {
            Hold?.Delivered();
            Slot?.Free();
        }
    }

    /// <summary>False while a finished request is neither on disk nor at the broker.</summary>
    public bool CanAccept => _unwritten.IsEmpty;

    /// <summary>Settlements that the broker has not confirmed, those of this folder's earlier processes among them.</summary>
    public long Undelivered
    {
        get
        {
            lock (_order)
                return Volatile.Read(ref _left) + _undelivered.Count + _unwritten.Count;
        }
    }

    /// <summary>Spools a settlement; its lease stays alive until the broker has it. Frees the slot as soon as that is not the only copy on disk.</summary>
    public void Add(ReadOnlySpan<byte> record, Hold? hold, InFlight.Slot? slot)
    {
        slot?.Put(record);
        lock (_order)
        {
            try
            {
                spool.Append(record);
                _undelivered.Enqueue(new(hold, null));
            }
            catch (IOException e)
            {
                log.LogCritical(e, "the spool cannot be written; new paid requests are refused until what has finished is delivered");
                _unwritten.Enqueue((record.ToArray(), new(hold, slot)));
                slot = null;
            }
        }
        slot?.Free();
        spool.Wake();
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        // The queue is the ledger's to declare; we only name the exchange in front of it.
        var endpoint = await bus.GetSendEndpoint(new Uri($"exchange:{SettlementBatch.Queue}"));
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                while (await DeliverNextAsync(endpoint, stoppingToken))
                {
                }
                await TellGoneAsync(endpoint, stoppingToken);
                await spool.WaitAsync(stoppingToken);
                await Task.Delay(Gather, stoppingToken);
            }
            catch (IOException e)
            {
                // A disk that is full or gone may be back in a moment. What was sent and could not be noted is sent again, and counts once.
                log.LogError(e, "the spool's disk failed; settlements are delivered when it works again");
                await Task.Delay(MaxDelay, stoppingToken);
            }
        }
    }

    /// <summary>Publishes the next batch; false when it is time to let records gather again.</summary>
    async Task<bool> DeliverNextAsync(ISendEndpoint endpoint, CancellationToken token)
    {
        if (_unwritten.TryPeek(out var unwritten))
        {
            await SendAsync(endpoint, new(unwritten.Record), token);
            unwritten.Ended.Delivered();
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
            Delivered(count);
            Failpoint.Hit("proxy.publish.noted");
            return !growing || count == SettlementBatch.MaxSettlements;
        }
        if (growing)
            return false;
        spool.Delete(file);
        return true;
    }

    void Delivered(int records)
    {
        for (; records > 0; records--)
            if (_left > 0)
                _left--;
            else if (TryDequeue(out var ended))
                ended.Delivered();
            else
                throw new InvalidOperationException("a record was delivered that nobody appended");
    }

    bool TryDequeue(out Ended ended)
    {
        // A record can be read, and even be confirmed, a moment before it stands in the queue; who appends it holds the lock until it does.
        lock (_order)
            return _undelivered.TryDequeue(out ended);
    }

    /// <summary>The last records of this folder's earlier processes are delivered: what they held can be spent again.</summary>
    async Task TellGoneAsync(ISendEndpoint endpoint, CancellationToken token)
    {
        if (spool.GoneHolders.Count == 0)
            return;
        foreach (var holder in spool.GoneHolders)
            await SendAsync(endpoint, new([], holder), token);
        Failpoint.Hit("proxy.gone.told");
        spool.ForgetGoneHolders();
    }

    /// <summary>Repeats until confirmed: a batch that arrives twice is settled once.</summary>
    async Task SendAsync(ISendEndpoint endpoint, SettlementBatch batch, CancellationToken token)
    {
        for (var delay = FirstDelay; ; delay = delay * 2 < MaxDelay ? delay * 2 : MaxDelay)
        {
            try
            {
                using var limit = CancellationTokenSource.CreateLinkedTokenSource(token);
                limit.CancelAfter(SendTimeout);
                // Without a queue behind the exchange the broker returns the message instead of dropping it.
                await endpoint.Send(batch, context => context.GetPayload<RabbitMqSendContext>().Mandatory = true, limit.Token);
                return;
            }
            catch (Exception e) when (!token.IsCancellationRequested)
            {
                log.LogWarning("{Bytes} bytes of settlements wait for the broker: {Message}", batch.Records.Length, e.Message);
                await Task.Delay(delay, token);
            }
        }
    }
}
