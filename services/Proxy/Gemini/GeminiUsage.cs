using System.Text.Json;
using LlmGateway.Contracts;

namespace LlmGateway.Proxy.Gemini;

/// <summary>
/// Reads <c>usageMetadata</c>. Cached tokens are part of the prompt. Thoughts stand beside the candidates' tokens, and input from Google's
/// built-in tools beside the prompt. The total is the sum of prompt, tools, candidates and thoughts. Servers that imitate this wire count
/// thoughts or tools in their wholes, or the cache beside the prompt; their total says so.
/// </summary>
public static class GeminiUsage
{
    enum Count { Prompt, ToolPrompt, Candidates, Thoughts, Total, Cached, AudioInput, ImageInput, AudioOutput, ImageOutput }

    static readonly UsageField[] Fields =
    [
        new("", "promptTokenCount", (int)Count.Prompt),
        new("", "toolUsePromptTokenCount", (int)Count.ToolPrompt),
        new("", "candidatesTokenCount", (int)Count.Candidates),
        new("", "thoughtsTokenCount", (int)Count.Thoughts),
        new("", "totalTokenCount", (int)Count.Total),
        new("", "cachedContentTokenCount", (int)Count.Cached),
    ];

    /// <summary>Reads the text of a usage object. Never throws.</summary>
    public static ProviderUsage Read(ReadOnlySpan<byte> json)
    {
        Span<long> counts = stackalloc long[(int)Count.ImageOutput + 1];
        if (ProviderUsage.ReadCounts(json, Fields, counts, out var raw) is { } unusable)
            return unusable;
        if (counts[(int)Count.Prompt] == 0)
            return new(null, ProviderUsage.Zero, raw);
        ReadDetails(json, counts);
        return Split(counts, raw);
    }

    static ProviderUsage Split(ReadOnlySpan<long> counts, string? raw)
    {
        var (tools, thoughts, total) = (counts[(int)Count.ToolPrompt], counts[(int)Count.Thoughts], counts[(int)Count.Total]);
        var (input, output) = (counts[(int)Count.Prompt] + tools, counts[(int)Count.Candidates] + thoughts);
        var below = total > 0 ? input + output - total : 0;
        if (below > 0 && below == thoughts)
            (output, below) = (output - thoughts, 0);
        else if (below > 0 && below == tools)
            (input, below) = (input - tools, 0);
        var gap = UsageGap.Of(
            Math.Max(total - input - output, 0), input, output, new UsageGap.Details(counts[(int)Count.Cached], 0, 0, 0, 0, 0, 0));
        input += gap.Input;
        thoughts += gap.Rest;
        output += gap.Rest;
        var reason = gap.Rest > 0 ? ProviderUsage.TotalExceedsParts : below > 0 ? ProviderUsage.TotalBelowParts : null;

        var usage = new Usage { [Meter.Request] = 1, [Meter.Input] = input, [Meter.Output] = output };
        ProviderUsage.Move(usage, Meter.Input, Meter.CachedInput, counts[(int)Count.Cached], input, ref reason);
        ProviderUsage.Move(usage, Meter.Input, Meter.AudioInput, counts[(int)Count.AudioInput], input, ref reason);
        ProviderUsage.Move(usage, Meter.Input, Meter.ImageInput, counts[(int)Count.ImageInput], input, ref reason);
        ProviderUsage.Move(usage, Meter.Output, Meter.Reasoning, thoughts, output, ref reason);
        ProviderUsage.Move(usage, Meter.Output, Meter.AudioOutput, counts[(int)Count.AudioOutput], output, ref reason);
        ProviderUsage.Move(usage, Meter.Output, Meter.ImageOutput, counts[(int)Count.ImageOutput], output, ref reason);
        return new(usage, reason, raw);
    }

    /// <summary>
    /// Reads the lists of <c>{"modality": "IMAGE", "tokenCount": 258}</c>. An entry that cannot be read counts as text. The object is known
    /// to be JSON.
    /// </summary>
    static void ReadDetails(ReadOnlySpan<byte> json, Span<long> counts)
    {
        var reader = new Utf8JsonReader(json);
        reader.Read();
        while (reader.NextMember())
        {
            var (audio, image) = reader.Has("promptTokensDetails"u8) ? (Count.AudioInput, Count.ImageInput)
                : reader.Has("candidatesTokensDetails"u8) ? (Count.AudioOutput, Count.ImageOutput)
                : default;
            reader.Read();
            if (audio != default && reader.TokenType == JsonTokenType.StartArray)
                while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
                    ReadDetail(ref reader, counts, (int)audio, (int)image);
            else
                reader.StepOver();
        }
    }

    static void ReadDetail(ref Utf8JsonReader reader, Span<long> counts, int audio, int image)
    {
        if (reader.TokenType != JsonTokenType.StartObject)
        {
            reader.StepOver();
            return;
        }
        var (count, tokens) = (-1, 0L);
        while (reader.NextMember())
        {
            var (isModality, isCount) = (reader.Has("modality"u8), reader.Has("tokenCount"u8));
            reader.Read();
            if (isModality && reader.TokenType == JsonTokenType.String)
                count = reader.Has("AUDIO"u8) ? audio : reader.Has("IMAGE"u8) ? image : -1;
            if (isCount
                && (reader.TokenType != JsonTokenType.Number || !reader.TryGetInt64(out tokens)
                || tokens is < 0 or > ProviderUsage.MaxTokens))
                tokens = 0;
            reader.StepOver();
        }
        if (count >= 0)
            counts[count] = Math.Max(counts[count], tokens);
    }
}
