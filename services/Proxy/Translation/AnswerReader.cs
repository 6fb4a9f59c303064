namespace LlmGateway.Proxy.Translation;

/// <summary>
/// Reads a provider's answer of one wire into <see cref="AnswerEvent"/>s, whole or event by event. Each answer needs its own instance. It
/// never throws. What cannot be read is left out and noted in <see cref="MalformedSeen"/>.
/// </summary>
public abstract class AnswerReader
{
    /// <summary>Most tool calls of one answer that are remembered; further ones are left out. A model makes a few.</summary>
    protected const int MaxCalls = 1024;

    /// <summary>Something was seen that does not belong to this wire.</summary>
    public bool MalformedSeen { get; protected set; }

    /// <summary>The model's answers are finished. Only usage and end marks can follow.</summary>
    public bool IsFinished { get; protected set; }

    /// <summary>The wire's end mark was seen. Anything after it is ignored.</summary>
    public bool IsDone { get; protected set; }

    /// <summary>The number that the next event of a stream has, on the wire that numbers them.</summary>
    public int NextSequence { get; protected set; }

    /// <summary>The provider's own searches of the web that the answer has shown so far.</summary>
    public virtual int Searches { get; protected set; }

    /// <summary>The provider served another tier than the one that has a price; see <see cref="Chat.ServiceTier"/>.</summary>
    public bool HasUnpricedTier { get; protected set; }

    /// <summary>Usage on this wire says how many searches are paid for, of which there may be fewer than the answer shows.</summary>
    public virtual bool UsageHasSearches => false;

    /// <param name="e">An event with data that is not oversize.</param>
    /// <param name="to">Receives what was found.</param>
    public abstract StreamPiece Read(scoped SseEvent e, List<AnswerEvent> to);

    /// <summary>Reads a whole answer; false when it is not of this wire.</summary>
    public abstract bool ReadWhole(ReadOnlySpan<byte> json, List<AnswerEvent> to);
}

/// <summary>What a relay that passes bytes on must know of one event.</summary>
/// <param name="IsTail">The event belongs to the end of the stream. It is withheld until the request is settled.</param>
/// <param name="UsageEnd">Offset of the closing brace of the usage object in the event's data. The cost is inserted there. It is -1 when
/// there is no such object.</param>
public readonly record struct StreamPiece(bool IsTail, int UsageEnd)
{
    public static readonly StreamPiece Plain = new(false, -1);
}
