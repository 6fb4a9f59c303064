namespace LlmGateway.Proxy.Translation;

/// <summary>
/// Reads a provider's answer of one wire into <see cref="AnswerEvent"/>s, event by event of a stream or whole. One instance per answer. Never throws, whatever the
/// bytes: what cannot be read is left out and remembered in <see cref="MalformedSeen"/>.
/// </summary>
public abstract class AnswerReader
{
    /// <summary>Something was seen that is not of this wire.</summary>
    public bool MalformedSeen { get; protected set; }

    /// <summary>The model's answers are finished: what can still follow is usage and end marks.</summary>
    public bool IsFinished { get; protected set; }

    /// <summary>The wire's own end of stream was seen; what follows is ignored.</summary>
    public bool IsDone { get; protected set; }

    /// <param name="e">Has data, and is not oversize.</param>
    /// <param name="to">What was found is added here.</param>
    public abstract StreamPiece Read(scoped SseEvent e, List<AnswerEvent> to);

    /// <summary>Reads a whole answer; false when it is none of this wire.</summary>
    public abstract bool ReadWhole(ReadOnlySpan<byte> json, List<AnswerEvent> to);
}

/// <summary>What a relay that passes the bytes on must know of one event.</summary>
/// <param name="IsTail">It belongs to the end: withheld until the request is settled, so that no caller sees an end that has not been.</param>
/// <param name="UsageEnd">Offset of the closing brace of its usage object in the event's data, where the cost goes; -1 when it has none.</param>
public readonly record struct StreamPiece(bool IsTail, int UsageEnd)
{
    public static readonly StreamPiece Plain = new(false, -1);
}
