using System.Diagnostics;
using MassTransit;
using MassTransit.RabbitMqTransport;
using RabbitMQ.Client;

namespace LlmGateway.ServiceDefaults;

/// <summary>
/// What happens to a message that its consumer could not handle. It comes again after <see cref="Delay"/>: for ever while a dependency is
/// away, and <see cref="MaxTimes"/> times after another failure. Then it goes to the error queue. A message that cannot be read goes there
/// at once.
/// </summary>
/// <remarks>
/// The delay is a queue whose messages expire back into the consumer's exchange. Every broker from 3.10 on can do that; the delayed
/// exchange of MassTransit's own redelivery is a plugin. When the copy cannot be sent, this throws, and the broker keeps the original.
/// </remarks>
public sealed class Redelivery(string queue) : IFilter<ExceptionReceiveContext>
{
    public static readonly TimeSpan Delay = TimeSpan.FromSeconds(30);

    public const int MaxTimes = 5;

    public const string CountHeader = "Gateway-Redeliveries";

    static long s_outageAt = long.MinValue;

    readonly string _delayed = $"{queue}_delayed";

    /// <summary>
    /// Whether a message that an outage has sent away may not have come back yet, of those that this process has sent away.
    /// </summary>
    /// <param name="handling">How long its handling may take when it is back.</param>
    public static bool MayBeUnderWay(TimeSpan handling) =>
        Volatile.Read(ref s_outageAt) is > long.MinValue and var at && Stopwatch.GetElapsedTime(at) < Delay + handling;

    /// <summary>False for a message that itself is at fault, which no repetition mends.</summary>
    public static bool MayPass(Exception e) => e is not InvalidDataException;

    /// <summary>The number of this redelivery; 0 when it does not count; null when the message goes to the error queue.</summary>
    /// <param name="before">The number that the message came with.</param>
    public static int? Next(Exception failure, int before) =>
        Problems.IsOutage(failure) ? before
        : MayPass(failure) && before < MaxTimes ? before + 1
        : null;

    public async Task Send(ExceptionReceiveContext context, IPipe<ExceptionReceiveContext> next)
    {
        // The consumer was stopped. The message was not at fault, and the broker has it still.
        if (context.Exception is OperationCanceledException)
            throw new OperationCanceledException("the consumer was stopped", context.Exception);
        var message = context.GetPayload<RabbitMqBasicConsumeContext>();
        if (Next(context.Exception, CountOf(message.Properties)) is not { } count)
        {
            await next.Send(context);
            return;
        }
        if (Problems.IsOutage(context.Exception))
            Volatile.Write(ref s_outageAt, Stopwatch.GetTimestamp());
        LogContext.Warning?.Log(
            "a message of {Queue} comes again in {Delay} s ({Count} of {Max}): {Message}",
            queue, Delay.TotalSeconds, count, MaxTimes, context.Exception.Message);
        var channel = context.GetPayload<ChannelContext>();
        var token = context.CancellationToken;
        await channel.QueueDeclare(_delayed, durable: true, exclusive: false, autoDelete: false, Arguments(queue), token);
        var again = Again(message.Properties, count);
        await channel.BasicPublishAsync("", _delayed, mandatory: true, again, context.GetBody(), awaitAck: true, token);
    }

    public void Probe(ProbeContext context) => context.CreateScope("redelivery");

    static Dictionary<string, object> Arguments(string queue) => new()
    {
        ["x-queue-type"] = "quorum",
        ["x-message-ttl"] = (int)Delay.TotalMilliseconds,
        ["x-dead-letter-exchange"] = queue,
        ["x-dead-letter-strategy"] = "at-least-once",
        ["x-overflow"] = "reject-publish",
    };

    /// <summary>The message as it was, without what brokers noted on it.</summary>
    /// <param name="count">0 for a message that starts anew.</param>
    public static BasicProperties Again(IReadOnlyBasicProperties of, int count)
    {
        var headers = (of.Headers ?? new Dictionary<string, object?>())
            .Where(header => !header.Key.StartsWith("x-", StringComparison.Ordinal)
                && !header.Key.StartsWith("MT-Fault-", StringComparison.Ordinal) && header.Key != CountHeader)
            .ToDictionary();
        if (count > 0)
            headers[CountHeader] = count;
        return new BasicProperties(of) { Headers = headers, Persistent = true };
    }

    static int CountOf(IReadOnlyBasicProperties properties) =>
        properties.Headers?.TryGetValue(CountHeader, out var count) == true && count is int times ? times : 0;
}
