using LlmGateway.Contracts;

namespace LlmGateway.Proxy.Chat;

/// <summary>
/// The usage object of the OpenAI chat wire. Cached tokens are part of the prompt; reasoning is part of the completion or stands beside it.
/// </summary>
public static class ChatUsage
{
    /// <summary>The counts that the tables of this wire and of the Responses wire name.</summary>
    internal enum Count { Prompt, Completion, Total, Cached, CacheWrite, AudioInput, ImageInput, Reasoning, AudioOutput, ImageOutput }

    const string InputDetails = "prompt_tokens_details", OutputDetails = "completion_tokens_details";

    static readonly UsageField[] Fields =
    [
        new("", "prompt_tokens", (int)Count.Prompt),
        new("", "completion_tokens", (int)Count.Completion),
        new("", "total_tokens", (int)Count.Total),
        new("", "prompt_cache_hit_tokens", (int)Count.Cached), // DeepSeek
        new("", "cached_tokens", (int)Count.Cached), // Moonshot
        new(InputDetails, "cached_tokens", (int)Count.Cached),
        new(InputDetails, "cache_write_tokens", (int)Count.CacheWrite),
        new(InputDetails, "audio_tokens", (int)Count.AudioInput),
        new(InputDetails, "image_tokens", (int)Count.ImageInput),
        new(OutputDetails, "reasoning_tokens", (int)Count.Reasoning),
        new(OutputDetails, "audio_tokens", (int)Count.AudioOutput),
        new(OutputDetails, "image_tokens", (int)Count.ImageOutput),
    ];

    /// <summary>Reads the text of a usage object. Never throws.</summary>
    public static ProviderUsage Read(ReadOnlySpan<byte> json) => Read(json, Fields);

    /// <param name="fields">Where the counts stand on the wire at hand.</param>
    internal static ProviderUsage Read(ReadOnlySpan<byte> json, UsageField[] fields)
    {
        Span<long> counts = stackalloc long[(int)Count.ImageOutput + 1];
        if (ProviderUsage.ReadCounts(json, fields, counts, out var raw) is { } unusable)
            return unusable;
        return counts[(int)Count.Prompt] == 0 ? new(null, ProviderUsage.Zero, raw) : Split(counts, raw);
    }

    static ProviderUsage Split(ReadOnlySpan<long> counts, string? raw)
    {
        var (input, completion, total) = (counts[(int)Count.Prompt], counts[(int)Count.Completion], counts[(int)Count.Total]);
        var beyond = Math.Max(total - input - completion, 0);
        var output = completion + beyond;
        // xAI reports reasoning beside the completion instead of in it. The gap then equals the reasoning, and nothing is odd.
        var reasoning = Math.Max(counts[(int)Count.Reasoning], beyond);
        var reason = beyond > 0 && beyond != counts[(int)Count.Reasoning] ? ProviderUsage.TotalExceedsParts
            : total > 0 && total < input + completion ? ProviderUsage.TotalBelowParts
            : null;

        var usage = new Usage { [Meter.Request] = 1, [Meter.Input] = input, [Meter.Output] = output };
        ProviderUsage.Move(usage, Meter.Input, Meter.CachedInput, counts[(int)Count.Cached], input, ref reason);
        ProviderUsage.Move(usage, Meter.Input, Meter.CacheWrite5m, counts[(int)Count.CacheWrite], input, ref reason);
        ProviderUsage.Move(usage, Meter.Input, Meter.AudioInput, counts[(int)Count.AudioInput], input, ref reason);
        ProviderUsage.Move(usage, Meter.Input, Meter.ImageInput, counts[(int)Count.ImageInput], input, ref reason);
        ProviderUsage.Move(usage, Meter.Output, Meter.Reasoning, reasoning, output, ref reason);
        ProviderUsage.Move(usage, Meter.Output, Meter.AudioOutput, counts[(int)Count.AudioOutput], output, ref reason);
        ProviderUsage.Move(usage, Meter.Output, Meter.ImageOutput, counts[(int)Count.ImageOutput], output, ref reason);
        return new(usage, reason, raw);
    }
}
