using MassTransit;

namespace LlmGateway.ServiceDefaults;

/// <summary>
/// A queue whose messages are lost neither to failures nor to the broker's defaults. Messages are sent to the exchange
/// <paramref name="Name"/>.
/// </summary>
/// <remarks>
/// A queue keeps the arguments that it was declared with. When they have to change, <see cref="Generation"/> goes up: the new queue is
/// bound to the same exchange, and <see cref="UnhandledMessages"/> moves what is left in the former one.
/// </remarks>
public sealed record DurableEndpoint(string Name, Action<IReceiveEndpointConfigurator, IRegistrationContext> Configure)
{
    const int Generation = 2;

    /// <summary>Messages that one consumer holds unacknowledged.</summary>
    const int Prefetch = 16;

    /// <summary>
    /// A broker from 4.0 on drops a message that came back more often than its own limit of 20. It cannot be switched off by a number that
    /// 3.10 takes, too (-1 is refused there); this one is never reached.
    /// </summary>
    const int DeliveryLimit = 1_000_000_000;

    /// <summary>
    /// Attempts while a dependency is away, with pauses of up to 5 s: some five minutes. The messages in hand wait that long and no others
    /// are taken, which is the pause. Then they go back for <see cref="Redelivery.Delay"/>, long before the broker's consumer timeout of 30
    /// minutes, which would close the channel.
    /// </summary>
    const int AttemptsInOutage = 70;

    /// <summary>Before each further attempt after a failure that is no outage.</summary>
    static readonly TimeSpan[] Pauses =
        [TimeSpan.FromMilliseconds(100), TimeSpan.FromMilliseconds(500), TimeSpan.FromSeconds(2)];

    public string Queue => $"{Name}.{Generation}";

    /// <summary>The queue of the first generation had the name of the exchange.</summary>
    public string Former => Name;

    /// <summary>
    /// Queues of earlier versions. They have the broker's own delivery limit, so even looking at their messages wears those out.
    /// </summary>
    public IReadOnlyList<string> FormerQueues => [Former, $"{Former}_error"];

    /// <summary>
    /// Where messages end that no consumer has handled: failed, of an unknown type, or given up by the broker. Each has
    /// <see cref="DeliveryLimit"/>, the first two by the framework's copy of the queue's arguments.
    /// </summary>
    public IReadOnlyList<string> Unhandled => [$"{Queue}_error", $"{Queue}_skipped", $"{Queue}_dead"];

    /// <summary>
    /// The queue before any consumer has run, for who publishes into it (<see cref="Contracts.KnownQueues"/>): the same arguments, bound to
    /// the same exchange.
    /// </summary>
    internal static void DeclareFor(IRabbitMqMessagePublishTopologyConfigurator message, string name)
    {
        var queue = new DurableEndpoint(name, (_, _) => { }).Queue;
        message.BindQueue(name, queue, declared =>
        {
            declared.SetQueueArgument("x-queue-type", "quorum");
            declared.SetQueueArgument("x-dead-letter-exchange", $"{queue}_dead");
            Bound(declared);
        });
    }

    static void Bound(IRabbitMqQueueConfigurator queue)
    {
        queue.SetQueueArgument("x-delivery-limit", DeliveryLimit);
        queue.SetQueueArgument("x-dead-letter-strategy", "at-least-once");
        queue.SetQueueArgument("x-overflow", "reject-publish"); // at-least-once demands it; there is no limit of length
    }

    internal void Declare(IRabbitMqBusFactoryConfigurator rabbit, IRegistrationContext context) => rabbit.ReceiveEndpoint(Queue, endpoint =>
    {
        endpoint.SetQuorumQueue();
        Bound(endpoint);
        endpoint.BindDeadLetterQueue($"{Queue}_dead", $"{Queue}_dead", dead =>
        {
            dead.SetQuorumQueue();
            dead.SetQueueArgument("x-delivery-limit", DeliveryLimit);
        });
        endpoint.Bind(Name);
        endpoint.PrefetchCount = Prefetch;
        endpoint.ConfigureError(error =>
        {
            error.UseFilter(new Redelivery(Queue));
            error.UseFilter(new MassTransit.Middleware.ErrorTransportFilter());
        });
        endpoint.UseMessageRetry(retry =>
        {
            retry.Handle<Exception>(Problems.IsOutage);
            retry.Exponential(AttemptsInOutage, Backoff.FirstPause, Backoff.LongestPause, Backoff.FirstPause);
        });
        endpoint.UseMessageRetry(retry =>
        {
            retry.Handle<Exception>(e => !Problems.IsOutage(e) && Redelivery.MayPass(e));
            retry.Intervals(Pauses);
        });
        Configure(endpoint, context);
    });
}
