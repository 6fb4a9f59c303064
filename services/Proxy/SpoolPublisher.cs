using System.Collections.Concurrent;
using System.Text.Json;
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

    const int MaxRead = 1024 * 1024;

    /// <summary>Holds that wait for their settlement's delivery; entries leave with the confirm.</summary>
    readonly ConcurrentDictionary<Guid, Hold> _undelivered = new();

    /// <summary>Settlements that the disk refused: they go to the broker from memory, and no new paid request is admitted until they are there.</summary>
    readonly ConcurrentQueue<Settlement> _unwritten = new();

    string _path = "";
    long _confirmed;

    /// <summary>False while a finished request is neither on disk nor at the broker.</summary>
    public bool CanAccept => _unwritten.IsEmpty;

    /// <summary>Spools a settlement; its lease stays alive until the broker has it.</summary>
    public void Add(Settlement settlement, Hold? hold)
    {
        if (hold is not null)
            _undelivered[settlement.RequestId] = hold;
        try
        {
            spool.Append(settlement);
        }
        catch (IOException e)
        {
            log.LogCritical(e, "the spool cannot be written; new paid requests are refused until what has finished is delivered");
            _unwritten.Enqueue(settlement);
            spool.Wake();
        }
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        // The queue is the ledger's to declare; we only name the exchange in front of it.
        var endpoint = await bus.GetSendEndpoint(new Uri($"exchange:{SettlementBatch.Queue}"));
        while (!stoppingToken.IsCancellationRequested)
        {
            await spool.WaitAsync(stoppingToken);
            while (await DeliverNextAsync(endpoint, stoppingToken))
            {
            }
        }
    }

    /// <summary>Publishes the next batch; false when everything appended so far is confirmed.</summary>
    async Task<bool> DeliverNextAsync(ISendEndpoint endpoint, CancellationToken token)
    {
        if (_unwritten.TryPeek(out var unwritten))
        {
            await SendAsync(endpoint, new SettlementBatch([unwritten]), token);
            Delivered(unwritten);
            _unwritten.TryDequeue(out _);
            return true;
        }
        var (path, growing) = spool.Oldest();
        if (path != _path)
            (_path, _confirmed) = (path, 0);
        var (settlements, end) = Read(path, _confirmed);
        if (settlements.Count > 0)
        {
            Failpoint.Hit("proxy.publish.read");
            await SendAsync(endpoint, new SettlementBatch(settlements), token);
            Failpoint.Hit("proxy.publish.confirmed");
        }
        _confirmed = end;
        foreach (var settlement in settlements)
            Delivered(settlement);
        if (settlements.Count > 0)
        {
            Failpoint.Hit("proxy.publish.noted");
            return true;
        }
        if (growing)
            return false;
        spool.Delete(path);
        return true;
    }

    void Delivered(Settlement settlement)
    {
        if (_undelivered.TryRemove(settlement.RequestId, out var hold))
            hold.Delivered();
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
                log.LogWarning("{Count} settlements wait for the broker: {Message}", batch.Settlements.Count, e.Message);
                await Task.Delay(delay, token);
            }
        }
    }

    /// <summary>Whole lines from <paramref name="start"/>, and where they end. A last line without its end was cut by a crash before the answer was released; nothing follows it.</summary>
    (List<Settlement> Settlements, long End) Read(string path, long start)
    {
        using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        file.Position = start;
        var buffer = new byte[Math.Min(MaxRead, Math.Max(0, file.Length - start))];
        var bytes = buffer.AsSpan(0, file.ReadAtLeast(buffer, buffer.Length, throwOnEndOfStream: false));
        var settlements = new List<Settlement>();
        for (int end; settlements.Count < SettlementBatch.MaxSettlements && (end = bytes.IndexOf((byte)'\n')) >= 0; bytes = bytes[(end + 1)..])
        {
            start += end + 1;
            try
            {
                settlements.Add(JsonSerializer.Deserialize<Settlement>(bytes[..end], Defaults.Json)!);
            }
            catch (JsonException e)
            {
                log.LogCritical(e, "a line of {Path} is not a settlement and was skipped", path);
            }
        }
        return (settlements, start);
    }
}
