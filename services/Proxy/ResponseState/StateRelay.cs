using System.Buffers;
using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Proxy.ResponseState;

/// <summary>
/// A stream of the Responses wire whose responses have the gateway's id. Only the events at its start and its end have one; all others pass
/// as they are.
/// </summary>
sealed class StateRelay(StreamRelay inner, ToldResponse told, bool stores) : StreamRelay
{
    readonly ArrayBufferWriter<byte> _events = new(32 * 1024);

    public override AnswerMeter Meter => inner.Meter;

    public override bool IsDone => inner.IsDone;

    public override bool IsWhole => inner.IsWhole;

    public override string? FailureMessage => inner.FailureMessage;

    public override void Push(ReadOnlySpan<byte> upstream, IBufferWriter<byte> toCaller)
    {
        inner.Push(upstream, _events);
        Tell(toCaller);
    }

    public override void End(IBufferWriter<byte> toCaller)
    {
        inner.End(_events);
        Tell(toCaller);
    }

    /// <summary>
    /// As the provider said it: <see cref="ResponseTurn.TellEndAsync"/> rewrites it when it knows whether the answer is kept.
    /// </summary>
    public override void WriteTail(IBufferWriter<byte> toCaller, Usage settled, Money cost) => inner.WriteTail(toCaller, settled, cost);

    public override void WriteFailure(IBufferWriter<byte> toCaller, Problem problem, string requestId) =>
        inner.WriteFailure(toCaller, problem, requestId);

    public override void Dispose() => inner.Dispose();

    /// <summary>Inside a string the quotes of this name would be escaped, so words of the model do not look like it.</summary>
    void Tell(IBufferWriter<byte> toCaller)
    {
        if (_events.WrittenSpan.IndexOf("\"response\""u8) >= 0)
            told.RewriteEvents(_events.WrittenSpan, stores, toCaller);
        else
            toCaller.Write(_events.WrittenSpan);
        _events.ResetWrittenCount();
    }
}
