using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using System.Text;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using RabbitMQ.Client;
using RabbitMQ.Client.Exceptions;

namespace LlmGateway.ServiceDefaults;

/// <summary>
/// Messages that no consumer has handled wait here for a person: counted for the metric, shown and put back by an operator's command. Also
/// empties queues of an earlier generation (<see cref="DurableEndpoint"/>).
/// </summary>
public sealed class UnhandledMessages(
    BrokerAddress broker, IEnumerable<DurableEndpoint> queues, TimeProvider time, ILogger<UnhandledMessages> log) : BackgroundService
{
    static readonly TimeSpan LookEvery = TimeSpan.FromMinutes(1);

    static readonly Meter Metrics = new("LlmGateway.Queues");

    readonly ConcurrentDictionary<string, long> _waiting = new();

    /// <param name="Reason">Of the oldest message; null when nobody noted one.</param>
    public sealed record Waiting(string Queue, long Messages, string? Reason);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        Metrics.CreateObservableGauge(
            "gateway.queue.unhandled",
            () => _waiting.Select(queue => new Measurement<long>(queue.Value, new KeyValuePair<string, object?>("queue", queue.Key))),
            "{message}",
            "Messages that no consumer has handled and that wait for a person");
        await Loop.RunAsync("queues", async token =>
        {
            await using (var connection = await ConnectAsync(token))
            {
                foreach (var queue in queues)
                    await MoveFormerAsync(connection, queue, token);
                await LookAsync(connection, token);
            }
            await Task.Delay(LookEvery, time, token);
        }, log, time, stoppingToken);
    }

    internal Task<IConnection> ConnectAsync(CancellationToken token) =>
        new ConnectionFactory { Uri = broker.Uri, AutomaticRecoveryEnabled = false }.CreateConnectionAsync("queues", token);

    /// <summary>The queues in which something waits.</summary>
    internal async Task<List<Waiting>> LookAsync(IConnection connection, CancellationToken token)
    {
        var found = new List<Waiting>();
        foreach (var name in queues.SelectMany(queue => queue.Unhandled))
        {
            var messages = (await FindAsync(connection, name, token))?.MessageCount ?? 0;
            _waiting[name] = messages;
            if (messages > 0)
                found.Add(new(name, messages, await ReasonAsync(connection, name, token)));
        }
        return found;
    }

    /// <summary>What waits now goes back to its consumer, each message as often as if it were new.</summary>
    internal async Task<long> PutBackAsync(CancellationToken token)
    {
        await using var connection = await ConnectAsync(token);
        var moved = 0L;
        foreach (var queue in queues)
            foreach (var name in queue.Unhandled)
                if (await FindAsync(connection, name, token) is { MessageCount: > 0 and var count })
                    moved += await MoveAsync(connection, name, queue.Queue, count, token);
        await LookAsync(connection, token);
        return moved;
    }

    /// <summary>
    /// The former queue gets no more messages once the new one is bound. While an older instance still consumes from it, its messages are
    /// left to that; afterwards they are moved and the queue is deleted. What waited in its error queue is tried again.
    /// </summary>
    async Task MoveFormerAsync(IConnection connection, DurableEndpoint queue, CancellationToken token)
    {
        if (await FindAsync(connection, queue.Queue, token) is null)
            return;
        await using var channel = await connection.CreateChannelAsync(cancellationToken: token);
        if (await FindAsync(connection, queue.Former, token) is not null)
        {
            await channel.ExchangeBindAsync(queue.Queue, queue.Name, "", cancellationToken: token);
            await channel.QueueUnbindAsync(queue.Former, queue.Name, "", cancellationToken: token);
        }
        foreach (var former in queue.FormerQueues)
        {
            if (await FindAsync(connection, former, token) is not { } found)
                continue;
            if (found.ConsumerCount > 0)
                return;
            // Until it is empty: the broker's own count of a queue lags behind.
            var moved = await MoveAsync(connection, former, queue.Queue, long.MaxValue, token);
            await channel.QueueDeleteAsync(former, cancellationToken: token);
            log.LogInformation("moved {Count} messages from the queue {Former} to {Queue}", moved, former, queue.Queue);
        }
    }

    /// <summary>Each message is acknowledged when the broker has confirmed its copy: a failure doubles messages and loses none.</summary>
    static async Task<long> MoveAsync(IConnection connection, string from, string to, long atMost, CancellationToken token)
    {
        await using var channel = await connection.CreateChannelAsync(new(true, true), token);
        for (var moved = 0L; ; moved++)
        {
            if (moved == atMost || await channel.BasicGetAsync(from, autoAck: false, token) is not { } message)
                return moved;
            await channel.BasicPublishAsync(
                "", to, mandatory: true, Redelivery.Again(message.BasicProperties, 0), message.Body, token);
            await channel.BasicAckAsync(message.DeliveryTag, multiple: false, token);
        }
    }

    /// <summary>Null when there is no such queue. The broker closes the channel of who asks for one that is missing.</summary>
    static async Task<QueueDeclareOk?> FindAsync(IConnection connection, string queue, CancellationToken token)
    {
        await using var channel = await connection.CreateChannelAsync(cancellationToken: token);
        try
        {
            return await channel.QueueDeclarePassiveAsync(queue, token);
        }
        catch (OperationInterruptedException e) when (e.ShutdownReason?.ReplyCode == Constants.NotFound)
        {
            return null;
        }
    }

    /// <summary>The message goes back when the channel closes.</summary>
    static async Task<string?> ReasonAsync(IConnection connection, string queue, CancellationToken token)
    {
        await using var channel = await connection.CreateChannelAsync(cancellationToken: token);
        var message = await channel.BasicGetAsync(queue, autoAck: false, token);
        return message?.BasicProperties.Headers?.TryGetValue("MT-Fault-Message", out var reason) == true
            ? reason is byte[] bytes ? Encoding.UTF8.GetString(bytes) : reason?.ToString()
            : null;
    }
}

/// <summary>Where the broker is, with its credentials.</summary>
public sealed class BrokerAddress(string address)
{
    public Uri Uri => new(address);
}
