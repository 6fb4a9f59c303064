namespace LlmGateway.Proxy;

/// <summary>Meters an answer that is read whole.</summary>
public abstract class WholeMeter : AnswerMeter
{
    /// <summary>Reads the answer; false when it is none of the wire.</summary>
    public abstract bool See(ReadOnlySpan<byte> answer);
}
