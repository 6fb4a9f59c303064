namespace LlmGateway.Sandbox;

/// <summary>How a model reports its usage.</summary>
public enum UsageReport { True, None, Negative, Zero, Huge, WrongSum, Twice }

/// <summary>Tokens of one answer.</summary>
/// <param name="Cached">Part of <paramref name="Prompt"/> that was read from a cache.</param>
/// <param name="Completion">Tokens of all choices, with what the model thought.</param>
/// <param name="Excess">How much the reported total exceeds prompt and completion. It is 0 unless the model lies.</param>
public sealed record Usage(long Prompt, long Cached, long Completion, long Excess = 0)
{
    // No answer has so many tokens. The total fits into 64 bits, and its product with a price does not.
    const long HugeTokens = 1_000_000_000_000_000_000;

    /// <summary>Part of <see cref="Prompt"/>, beside <see cref="Cached"/>, that was written to a cache.</summary>
    public long CacheWritten { get; init; }

    /// <summary>Part of <see cref="Completion"/> that the model thought.</summary>
    public long Thoughts { get; init; }

    /// <summary>Searches of the web. What they found is part of <see cref="Prompt"/>.</summary>
    public int Searches { get; init; }

    public long Total => Prompt + Completion + Excess;

    /// <summary>What the model reports, in order. A wire with room for one report takes the last.</summary>
    public IReadOnlyList<Usage> As(UsageReport report) => report switch
    {
        UsageReport.None => [],
        UsageReport.Negative => [new(-Prompt, 0, -Completion)],
        UsageReport.Zero => [new(0, 0, 0)],
        UsageReport.Huge => [new(HugeTokens, 0, HugeTokens)],
        UsageReport.WrongSum => [this with { Excess = 7 }],
        UsageReport.Twice => [this with { Completion = Completion / 2, Thoughts = Thoughts / 2 }, this],
        _ => [this],
    };
}
