using System.Buffers;
using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Proxy.Translation;

/// <summary>Says an answer again in the caller's wire. One instance per answer.</summary>
public abstract class AnswerWriter
{
    /// <summary>One event of a stream as it happens; <c>Finish</c>, <c>Usage</c> and <c>Error</c> never come this way.</summary>
    public abstract void Write(in AnswerEvent e, IBufferWriter<byte> to);

    /// <summary>The end of a stream that was settled: closes what is open, says why it ended, what was used and what it cost, and the wire's end mark.</summary>
    /// <param name="stop">The last <c>Finish</c> event.</param>
    public abstract void WriteEnd(in AnswerEvent stop, Usage settled, Money cost, IBufferWriter<byte> to);

    /// <summary>The end of a stream that broke off, in a way that the wire's clients raise.</summary>
    /// <param name="wire">The writer's own.</param>
    public virtual void WriteFailure(Wire wire, Problem problem, string requestId, IBufferWriter<byte> to) => wire.WriteStreamError(to, problem, requestId);

    /// <summary>A whole answer.</summary>
    /// <param name="events">All of it, <c>Finish</c> included.</param>
    public abstract void WriteWhole(IReadOnlyList<AnswerEvent> events, Usage settled, Money cost, IBufferWriter<byte> to);
}

/// <summary>What an answer says of itself besides its content.</summary>
/// <param name="RequestId">The gateway's, for answers whose provider gives no id.</param>
/// <param name="Model">As the caller named it.</param>
/// <param name="Request">As it was read, in the caller's wire.</param>
public sealed record AnswerHead(string RequestId, string Model, DateTimeOffset Created, ModelRequest Request);
