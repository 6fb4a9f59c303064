namespace LlmGateway.Sandbox;

/// <summary>Where the connection is dropped.</summary>
public enum Cut { No, BeforeFirstByte, InTheMiddle }

/// <summary>How the bytes of a stream are handed to the socket.</summary>
public enum Pieces { Odd, Frames, Bytes }

/// <summary>How a model behaves, whatever the wire.</summary>
public sealed record Behaviour
{
    /// <summary>The HTTP status of the error that is answered instead. It is 0 for none.</summary>
    public int ErrorStatus { get; init; }

    public Cut Cut { get; init; }

    public Pieces Pieces { get; init; }

    public UsageReport Usage { get; init; }

    /// <summary>Fails in the middle of a stream, in the wire's own form. What is not a stream fails as a whole.</summary>
    public bool FailsInTheMiddle { get; init; }

    /// <summary>Streams the arguments of parallel tool calls in turn instead of one call after the other.</summary>
    public bool Interleaves { get; init; }

    public bool WaitsAtBarrier { get; init; }

    public bool Hangs { get; init; }

    public bool AnswersHtml { get; init; }

    public bool Slow { get; init; }

    public bool OmitsDone { get; init; }

    public bool BigLine { get; init; }

    public bool Overruns { get; init; }

    public bool RefusesStreamOptions { get; init; }

    public bool RefusesSealedThoughts { get; init; }

    /// <summary>How the server deviates from its wire. Null for a faithful one.</summary>
    public Dialect? Dialect { get; init; }

    /// <summary>Leaves a batch in progress until it is cancelled.</summary>
    public bool LeavesBatches { get; init; }
}

/// <summary>One way to misbehave, and the end of the model names that do so.</summary>
public sealed record Fault(string Suffix, string Effect, Func<Behaviour, Behaviour> Apply);

/// <summary>
/// Reads a behaviour from the name of a model. Suffixes add up, so <c>sandbox-small-slow-nousage</c> is slow and reports no usage.
/// </summary>
public static class Faults
{
    public static IReadOnlyList<Fault> All { get; } =
    [
        Error(400, "a request that the provider calls invalid"),
        Error(401, "a provider key that is not accepted"),
        Error(404, "a model that the provider does not have"),
        Error(429, "the provider's rate limit, with Retry-After: 1"),
        Error(500, "a bug at the provider"),
        Error(503, "an overloaded provider"),
        Error(529, "an overloaded provider, in Anthropic's manner"),
        new(
            "-error-mid",
            "an error event in the middle of a stream, which then ends; 500 where there is no stream",
            b => b with { FailsInTheMiddle = true }),
        new("-cut", "drops the connection in the middle of the answer", b => b with { Cut = Cut.InTheMiddle }),
        new("-cut-early", "drops the connection before the first byte", b => b with { Cut = Cut.BeforeFirstByte }),
        new("-slow", "first token after 300 ms, then one each 50 ms", b => b with { Slow = true }),
        new("-hang", "never answers; ends when the caller leaves", b => b with { Hangs = true }),
        new("-barrier", "sends nothing until released through /sandbox/release", b => b with { WaitsAtBarrier = true }),
        new("-html", "200 with a web page", b => b with { AnswersHtml = true }),
        new("-trickle", "one byte at a time", b => b with { Pieces = Pieces.Bytes }),
        new("-smooth", "one write for each event of a stream, as measurements of speed want it", b => b with { Pieces = Pieces.Frames }),
        new("-nousage", "reports no usage, ever", b => b with { Usage = UsageReport.None }),
        new("-badusage-negative", "reports usage below zero", b => b with { Usage = UsageReport.Negative }),
        new("-badusage-zero", "reports zero tokens for a real answer", b => b with { Usage = UsageReport.Zero }),
        new("-badusage-huge", "reports 10^18 tokens each way", b => b with { Usage = UsageReport.Huge }),
        new("-badusage-sum", "reports a total that is 7 more than its parts", b => b with { Usage = UsageReport.WrongSum }),
        new("-twousage", "reports usage twice: half of the answer, then the truth", b => b with { Usage = UsageReport.Twice }),
        new("-nodone", "ends a stream without its end marker", b => b with { OmitsDone = true }),
        new("-bigline", "begins its answer with one word of 70 000 letters, in one line", b => b with { BigLine = true }),
        new("-overrun", "produces twice the tokens that the caller allowed", b => b with { Overruns = true }),
        new("-interleaved", "streams the arguments of parallel tool calls in turn", b => b with { Interleaves = true }),
        new("-nostreamoptions", "400 when stream_options is present", b => b with { RefusesStreamOptions = true }),
        new("-noencryption", "400 when encrypted thoughts are to be included", b => b with { RefusesSealedThoughts = true }),
        new("-pending", "leaves a batch in progress until it is cancelled", b => b with { LeavesBatches = true }),
        .. Dialect.All.Select(dialect => new Fault(dialect.Suffix, dialect.Effect, b => b with { Dialect = dialect })),
    ];

    /// <summary>The behaviour that a model's name asks for. A name without a suffix asks for none.</summary>
    public static Behaviour Of(string model)
    {
        var behaviour = new Behaviour();
        // Each round shortens the name, so the loop ends.
        while (All.FirstOrDefault(fault => model.EndsWith(fault.Suffix, StringComparison.Ordinal)) is { } fault)
        {
            behaviour = fault.Apply(behaviour);
            model = model[..^fault.Suffix.Length];
        }
        return behaviour;
    }

    static Fault Error(int status, string meaning) => new($"-error-{status}", $"{status}: {meaning}", b => b with { ErrorStatus = status });
}
