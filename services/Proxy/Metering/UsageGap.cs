namespace LlmGateway.Proxy;

/// <summary>
/// What a total has beyond input and output. Some providers count a detail (tokens read from a cache, thoughts, images) beside its whole
/// instead of in it. The object itself then has the missing count, and no other reading of the gap is looked for.
/// </summary>
/// <param name="Input">Tokens of details that stand beside the input.</param>
/// <param name="Output">Tokens of details that stand beside the output.</param>
/// <param name="Rest">Tokens that no count of the object explains.</param>
readonly record struct UsageGap(long Input, long Output, long Rest)
{
    /// <summary>The details of the input, then those of the output. Zero means that there is none.</summary>
    public readonly record struct Details(
        long Cached, long Written, long AudioInput, long ImageInput, long Reasoning, long AudioOutput, long ImageOutput);

    /// <param name="gap">At least 0.</param>
    public static UsageGap Of(long gap, long input, long output, in Details details)
    {
        if (gap == 0)
            return default;
        var cache = details.Cached + details.Written;
        ReadOnlySpan<(long Input, long Output)> readings =
        [
            (cache, 0), (details.Cached, 0), (details.Written, 0), (0, details.Reasoning), (cache, details.Reasoning),
            (details.Cached, details.Reasoning), (details.ImageInput, 0), (details.AudioInput, 0), (0, details.ImageOutput),
            (0, details.AudioOutput),
        ];
        foreach (var (besideInput, besideOutput) in readings)
            if (besideInput + besideOutput == gap)
                return new(besideInput, besideOutput, 0);
        // A detail that is larger than its whole cannot be a part of it.
        var outside = cache > input && cache <= gap ? cache : 0;
        var thoughts = details.Reasoning > output && details.Reasoning <= gap - outside ? details.Reasoning : 0;
        return new(outside, thoughts, gap - outside - thoughts);
    }
}
