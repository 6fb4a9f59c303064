using System.Diagnostics.CodeAnalysis;
using System.Net.Mime;
using LlmGateway.Contracts;
using MassTransit;
using MassTransit.Serialization;

namespace LlmGateway.Wallet;

/// <summary>Reads a message whose body is the spool's records, without an envelope around them.</summary>
public sealed class SettlementDeserializer : ISerializerFactory, IMessageDeserializer
{
    public ContentType ContentType { get; } = new(SettlementBatch.ContentType);

    public IMessageSerializer CreateSerializer() => throw new NotSupportedException("the ledger sends no settlements");

    public IMessageDeserializer CreateDeserializer() => this;

    public ConsumeContext Deserialize(ReceiveContext receiveContext) =>
        new BodyConsumeContext(receiveContext, Deserialize(receiveContext.Body, receiveContext.TransportHeaders, receiveContext.InputAddress));

    public SerializerContext Deserialize(MessageBody body, Headers headers, Uri? destinationAddress = null) => new Batch(
        new(body.GetBytes(), headers.Get<string>(SettlementBatch.GoneHolderHeader)),
        new RawMessageContext(headers, destinationAddress, RawSerializerOptions.Default));

    public MessageBody GetMessageBody(string text) => new Base64MessageBody(text);

    public void Probe(ProbeContext context) => context.CreateScope("settlements").Add("contentType", ContentType.MediaType);

    /// <summary>The one message that such a body is.</summary>
    sealed class Batch(SettlementBatch batch, MessageContext context)
        : BaseSerializerContext(SystemTextJsonMessageSerializer.Instance, context, [MessageUrn.ForTypeString<SettlementBatch>()])
    {
        public override bool TryGetMessage<T>([NotNullWhen(true)] out T? message)
            where T : class =>
            (message = batch as T) is not null;

        public override bool TryGetMessage(Type messageType, [NotNullWhen(true)] out object? message) =>
            (message = messageType.IsInstanceOfType(batch) ? batch : null) is not null;

        public override IMessageSerializer GetMessageSerializer() => throw NotForwarded();

        public override IMessageSerializer GetMessageSerializer<T>(MessageEnvelope envelope, T message) => throw NotForwarded();

        public override IMessageSerializer GetMessageSerializer(object message, string[] messageTypes) => throw NotForwarded();

        public override Dictionary<string, object> ToDictionary<T>(T? message)
            where T : class =>
            [];

        static NotSupportedException NotForwarded() => new("a batch of settlements is consumed, not forwarded");
    }
}
