using System.Buffers;
using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Proxy;

/// <summary>
/// Passes a stream from provider to caller. The end of the stream is withheld until <see cref="WriteTail"/>, so that no caller sees the end
/// of an answer that is not settled.
/// </summary>
/// <remarks>
/// <see cref="Push"/> is called for what the provider sends, and <see cref="End"/> when it has sent all or broke off. Then
/// <see cref="WriteTail"/> is called if <see cref="IsWhole"/> holds, else <see cref="WriteFailure"/>. One event bounds the memory
/// (<see cref="SseReader.MaxEventBytes"/>).
/// </remarks>
public abstract class StreamRelay : IDisposable
{
    /// <summary>What is hidden in every word of the provider that is not the model's. Set before the first piece.</summary>
    public UpstreamSecrets Secrets { get; set; } = UpstreamSecrets.None;

    /// <summary>What has been learned of the answer so far.</summary>
    public abstract AnswerMeter Meter { get; }

    /// <summary>The wire's end mark was seen. Anything after it is ignored.</summary>
    public abstract bool IsDone { get; }

    /// <summary>The provider finished every answer without an error. A stream that breaks off after that is complete.</summary>
    public abstract bool IsWhole { get; }

    /// <summary>Why the answer failed, when the provider said so or when it cannot be told to the caller.</summary>
    public virtual string? FailureMessage => null;

    /// <summary>Takes bytes of the provider, in any pieces, and writes what may go to the caller at once.</summary>
    public abstract void Push(ReadOnlySpan<byte> upstream, IBufferWriter<byte> toCaller);

    /// <summary>
    /// Notes that the provider's side has ended. A last event without its blank line is passed on if it can be read. Half an event is
    /// dropped.
    /// </summary>
    public abstract void End(IBufferWriter<byte> toCaller);

    /// <summary>
    /// Writes the end of the stream after the request was settled. It contains usage and cost where the wire has a place for them.
    /// </summary>
    public abstract void WriteTail(IBufferWriter<byte> toCaller, Usage settled, Money cost);

    /// <summary>Ends a stream that broke off, in a way that the wire's clients raise as an error.</summary>
    public abstract void WriteFailure(IBufferWriter<byte> toCaller, Problem problem, string requestId);

    public abstract void Dispose();
}
