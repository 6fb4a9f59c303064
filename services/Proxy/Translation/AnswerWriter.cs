using System.Buffers;
using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Proxy.Translation;

/// <summary>Writes an answer in the caller's wire. One instance per answer.</summary>
public abstract class AnswerWriter
{
    /// <summary>
    /// Why this event cannot be told in the caller's wire; null when it can. Such an answer is a failure: a caller who is not shown all of
    /// an answer would take the rest for all, and pay for it.
    /// </summary>
    public virtual string? Refuses(in AnswerEvent e) => e.Kind switch
    {
        AnswerEventKind.Unreadable => $"The provider's answer cannot be translated: it has {e.Text}.",
        AnswerEventKind.Finish when e.Stop == StopReason.Failed => $"The provider did not finish its answer ({e.Text}).",
        _ => null,
    };

    /// <summary>Writes one event of a stream as it happens. <c>Finish</c>, <c>Usage</c> and <c>Error</c> are never passed here.</summary>
    public abstract void Write(in AnswerEvent e, IBufferWriter<byte> to);

    /// <summary>Ends a settled stream: closes open blocks, then writes the finish reason, usage, cost and the wire's end mark.</summary>
    /// <param name="stop">The last <c>Finish</c> event.</param>
    public abstract void WriteEnd(in AnswerEvent stop, Usage settled, Money cost, IBufferWriter<byte> to);

    /// <summary>Ends a stream that broke off, in a way that the wire's clients raise as an error.</summary>
    /// <param name="wire">The wire of this writer.</param>
    public virtual void WriteFailure(Wire wire, Problem problem, string requestId, IBufferWriter<byte> to) =>
        wire.WriteStreamError(to, problem, requestId);

    /// <summary>A whole answer.</summary>
    /// <param name="events">All events of the answer, <c>Finish</c> included.</param>
    public abstract void WriteWhole(IReadOnlyList<AnswerEvent> events, Usage settled, Money cost, IBufferWriter<byte> to);
}

/// <summary>What an answer states about itself besides its content.</summary>
/// <param name="RequestId">The gateway's request id, for providers that give no id.</param>
/// <param name="Model">As the caller named it.</param>
/// <param name="Request">The request as read in the caller's wire.</param>
public sealed record AnswerHead(string RequestId, string Model, DateTimeOffset Created, ModelRequest Request)
{
    /// <summary>The id of the provider connection that answers.</summary>
    public string Provider { get; init; } = "";
}
