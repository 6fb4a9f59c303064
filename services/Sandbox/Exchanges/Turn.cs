namespace LlmGateway.Sandbox;

/// <summary>An answer in the bytes of a wire.</summary>
public abstract record Reply(string ContentType);

public sealed record WholeReply(byte[] Body, string ContentType = "application/json") : Reply(ContentType)
{
    public WholeReply(object json) : this(RawJson.Of(json))
    {
    }
}

/// <param name="Failure">What stands in place of an event and of all that follow when the model fails in the middle. It is called
/// once.</param>
public sealed record StreamReply(
    IEnumerable<StreamEvent> Events,
    Func<byte[]> Failure,
    string ContentType = "text/event-stream; charset=utf-8") : Reply(ContentType);

/// <summary>One call as its wire has understood it, and how that wire says what comes of it.</summary>
/// <param name="Error">A failure with an HTTP status.</param>
/// <param name="Reply">Writes the answer. It is called once.</param>
public sealed record Turn(Question Question, Func<int, IResult> Error, Func<Answer, Behaviour, Reply> Reply)
{
    /// <summary>The answer before a wire has put it into bytes.</summary>
    public Func<Question, Behaviour, Answer> Answer { get; init; } = Sandbox.Answer.To;

    /// <summary>A refusal that only this wire has, because of the model's fault.</summary>
    public Func<Behaviour, IResult?> Refusal { get; init; } = _ => null;
}
