using System.Buffers;
using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Proxy;

/// <summary>
/// A stream on its way from provider to caller. The end of the stream is withheld until <see cref="WriteTail"/>, so that no caller sees an end that has not been settled.
/// </summary>
/// <remarks>
/// Order of calls: <see cref="Push"/> for what the provider sends, <see cref="End"/> when it has sent all or broke off, then <see cref="WriteTail"/> if
/// <see cref="IsWhole"/> holds, else <see cref="WriteFailure"/>. Memory is bounded by one event, see <see cref="SseReader.MaxEventBytes"/>.
/// </remarks>
public abstract class StreamRelay : IDisposable
{
    /// <summary>What was learned so far.</summary>
    public abstract AnswerMeter Meter { get; }

    /// <summary>The wire's end mark was seen. What follows it is ignored.</summary>
    public abstract bool IsDone { get; }

    /// <summary>The provider finished every answer, without an error on the way; a stream that breaks off after that is complete.</summary>
    public abstract bool IsWhole { get; }

    /// <summary>Takes bytes of the provider in any pieces and writes what may go to the caller at once.</summary>
    public abstract void Push(ReadOnlySpan<byte> upstream, IBufferWriter<byte> toCaller);

    /// <summary>The provider's side has ended. A last event without its blank line is passed if it can be read; half an event is dropped.</summary>
    public abstract void End(IBufferWriter<byte> toCaller);

    /// <summary>Ends the stream after the request has been settled: last words of the wire, with what was used and what it cost where the wire has a place for that.</summary>
    public abstract void WriteTail(IBufferWriter<byte> toCaller, Usage settled, Money cost);

    /// <summary>Ends a stream that broke off, in a way that the wire's clients raise.</summary>
    public abstract void WriteFailure(IBufferWriter<byte> toCaller, Problem problem, string requestId);

    public abstract void Dispose();
}
