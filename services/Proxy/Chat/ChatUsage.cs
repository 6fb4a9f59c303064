using LlmGateway.Contracts;

namespace LlmGateway.Proxy.Chat;

/// <summary>
/// The usage object of the OpenAI chat wire. Cached tokens are part of the prompt and reasoning is part of the completion, or they stand
/// beside it. The total says which; see <see cref="UsageGap"/>.
/// </summary>
public static class ChatUsage
{
    /// <summary>The counts that the tables of this wire and of the Responses wire name.</summary>
    internal enum Count
    {
        Prompt, Completion, Total, Cached, CacheWrite, CacheRead, CacheCreation, AudioInput, ImageInput,
        Reasoning, AudioOutput, ImageOutput,
    }

    /// <summary>Anthropic's names, which gateways in front of Claude add to the usage of either wire.</summary>
    internal static readonly UsageField[] AnthropicFields =
    [
        new("", "cache_read_input_tokens", (int)Count.CacheRead),
        new("", "cache_creation_input_tokens", (int)Count.CacheCreation),
    ];

    const string InputDetails = "prompt_tokens_details", OutputDetails = "completion_tokens_details";

    static readonly UsageField[] Fields =
    [
        .. AnthropicFields,
        new("", "prompt_tokens", (int)Count.Prompt),
        new("", "completion_tokens", (int)Count.Completion),
        new("", "total_tokens", (int)Count.Total),
        new("", "prompt_cache_hit_tokens", (int)Count.Cached), // DeepSeek
        new("", "cached_tokens", (int)Count.Cached), // Moonshot
        new(InputDetails, "cached_tokens", (int)Count.Cached),
        new(InputDetails, "cache_write_tokens", (int)Count.CacheWrite),
        new(InputDetails, "cache_creation_tokens", (int)Count.CacheWrite), // LiteLLM
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
        var (read, created) = (counts[(int)Count.CacheRead], counts[(int)Count.CacheCreation]);
        var details = new UsageGap.Details(
            Math.Max(counts[(int)Count.Cached], read), Math.Max(counts[(int)Count.CacheWrite], created),
            counts[(int)Count.AudioInput], counts[(int)Count.ImageInput],
            counts[(int)Count.Reasoning], counts[(int)Count.AudioOutput], counts[(int)Count.ImageOutput]);
        var gap = UsageGap.Of(Math.Max(total - input - completion, 0), input, completion, details);
        // By Anthropic's definition its counts stand beside the input. That holds where they cannot be a part of it.
        if (gap.Input == 0 && read + created > input)
            gap = gap with { Input = read + created };
        var reason = gap.Rest > 0 ? ProviderUsage.TotalExceedsParts
            : total > 0 && total < input + completion ? ProviderUsage.TotalBelowParts
            : null;
        input += gap.Input;
        var output = completion + gap.Output + gap.Rest;
        var reasoning = Math.Max(details.Reasoning, gap.Output + gap.Rest);

        var usage = new Usage { [Meter.Request] = 1, [Meter.Input] = input, [Meter.Output] = output };
        ProviderUsage.Move(usage, Meter.Input, Meter.CachedInput, details.Cached, input, ref reason);
        ProviderUsage.Move(usage, Meter.Input, Meter.CacheWrite5m, details.Written, input, ref reason);
        ProviderUsage.Move(usage, Meter.Input, Meter.AudioInput, details.AudioInput, input, ref reason);
        ProviderUsage.Move(usage, Meter.Input, Meter.ImageInput, details.ImageInput, input, ref reason);
        ProviderUsage.Move(usage, Meter.Output, Meter.Reasoning, reasoning, output, ref reason);
        ProviderUsage.Move(usage, Meter.Output, Meter.AudioOutput, details.AudioOutput, output, ref reason);
        ProviderUsage.Move(usage, Meter.Output, Meter.ImageOutput, details.ImageOutput, output, ref reason);
        return new(usage, reason, raw);
    }
}
