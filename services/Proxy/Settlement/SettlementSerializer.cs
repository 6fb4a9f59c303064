using System.Net.Mime;
using LlmGateway.Contracts;
using MassTransit;

namespace LlmGateway.Proxy;

/// <summary>Sends a batch of settlements without an envelope: the spool's records are the message's body.</summary>
public sealed class SettlementSerializer : IMessageSerializer
{
    static readonly SettlementSerializer Instance = new();

    public ContentType ContentType { get; } = new(SettlementBatch.ContentType);

    public static void Apply(SendContext<SettlementBatch> context)
    {
        context.Serializer = Instance;
        context.ContentType = Instance.ContentType;
        if (context.Message.GoneHolder is { } holder)
            context.Headers.Set(SettlementBatch.GoneHolderHeader, holder);
        PublishSpan.Mark(context.Headers);
        // Without a queue behind the exchange the broker returns the message instead of dropping it.
        if (context.TryGetPayload<RabbitMqSendContext>(out var rabbit))
            rabbit.Mandatory = true;
    }

    public MessageBody GetMessageBody<T>(SendContext<T> context)
        where T : class =>
        context.Message is SettlementBatch batch
            ? new BytesMessageBody(batch.Records)
            : throw new InvalidOperationException($"{typeof(T).Name} is not a batch of settlements");
}
