using System.Text;
using System.Text.Json;
using LlmGateway.Contracts;

namespace LlmGateway.Proxy.OpenAi;

/// <summary>
/// A usage object of the OpenAI chat wire as disjoint meters. Providers report overlapping counts (cached is part of prompt, reasoning part of
/// completion, or beside it), and some report nonsense: what is impossible is not used, what is merely odd is used by a written rule and named.
/// </summary>
/// <param name="Usage">Null when the object cannot be believed; then the request is counted locally.</param>
/// <param name="Reason">One of the constants, or null when the object is sound.</param>
/// <param name="Raw">The object as received; null when it is longer than <see cref="MaxRawBytes"/>.</param>
public sealed record ChatUsage(Usage? Usage, string? Reason, string? Raw)
{
    /// <summary>Usage objects have about 300 bytes.</summary>
    public const int MaxRawBytes = 4096;

    /// <summary>No context is near this many tokens, and no price below a dollar a token overflows on it.</summary>
    public const long MaxTokens = 1_000_000_000;

    /// <summary>Not believed: a count that is no integer, or no object at all.</summary>
    public const string Malformed = "usage_malformed";
    /// <summary>Not believed: a count below zero.</summary>
    public const string Negative = "usage_negative";
    /// <summary>Not believed: a count above <see cref="MaxTokens"/>.</summary>
    public const string Absurd = "usage_absurd";
    /// <summary>Not believed: no input, though every request has some, or no output where content was seen.</summary>
    public const string Zero = "usage_zero";
    /// <summary>There was no usage object.</summary>
    public const string Missing = "usage_missing";
    /// <summary>Used: a detail larger than the whole it is part of is ignored, so that its tokens cost the plain rate.</summary>
    public const string DetailsExceedWhole = "usage_details_exceed_whole";
    /// <summary>Used: what the total has beyond its parts is reasoning output ("OpenAI compatible" Gemini).</summary>
    public const string TotalExceedsParts = "usage_total_exceeds_parts";
    /// <summary>Used: the parts count, the smaller total does not.</summary>
    public const string TotalBelowParts = "usage_total_below_parts";

    enum Count { Prompt, Completion, Total, Cached, CacheWrite, AudioInput, ImageInput, Reasoning, AudioOutput, ImageOutput }

    /// <summary>Where each count stands: in the object itself or in one of its details.</summary>
    static readonly (string Section, byte[] Name, Count Count)[] Fields =
    [
        ("", "prompt_tokens"u8.ToArray(), Count.Prompt),
        ("", "completion_tokens"u8.ToArray(), Count.Completion),
        ("", "total_tokens"u8.ToArray(), Count.Total),
        ("", "prompt_cache_hit_tokens"u8.ToArray(), Count.Cached), // DeepSeek
        ("", "cached_tokens"u8.ToArray(), Count.Cached), // Moonshot
        (InputDetails, "cached_tokens"u8.ToArray(), Count.Cached),
        (InputDetails, "cache_write_tokens"u8.ToArray(), Count.CacheWrite),
        (InputDetails, "audio_tokens"u8.ToArray(), Count.AudioInput),
        (InputDetails, "image_tokens"u8.ToArray(), Count.ImageInput),
        (OutputDetails, "reasoning_tokens"u8.ToArray(), Count.Reasoning),
        (OutputDetails, "audio_tokens"u8.ToArray(), Count.AudioOutput),
        (OutputDetails, "image_tokens"u8.ToArray(), Count.ImageOutput),
    ];

    const string InputDetails = "prompt_tokens_details", OutputDetails = "completion_tokens_details";

    /// <summary>Reads the text of a usage object. Never throws.</summary>
    public static ChatUsage Read(ReadOnlySpan<byte> json)
    {
        var raw = json.Length <= MaxRawBytes ? Encoding.UTF8.GetString(json) : null;
        Span<long> counts = stackalloc long[(int)Count.ImageOutput + 1];
        counts.Clear();
        try
        {
            var reader = new Utf8JsonReader(json);
            reader.Read();
            if (!TryRead(ref reader, "", counts) || reader.Read())
                return new(null, Malformed, raw);
        }
        catch (JsonException)
        {
            return new(null, Malformed, raw);
        }
        foreach (var count in counts)
        {
            if (count < 0)
                return new(null, Negative, raw);
            if (count > MaxTokens)
                return new(null, Absurd, raw);
        }
        return counts[(int)Count.Prompt] == 0 ? new(null, Zero, raw) : Split(counts, raw);
    }

    /// <summary>False when this is no object or a known count is no integer.</summary>
    static bool TryRead(ref Utf8JsonReader reader, string section, scoped Span<long> counts)
    {
        if (reader.TokenType != JsonTokenType.StartObject)
            return false;
        while (reader.NextMember())
        {
            var details = section.Length > 0 ? null : DetailsAt(ref reader);
            var field = details is null ? Find(ref reader, section) : -1;
            reader.Read();
            if (reader.TokenType == JsonTokenType.Null)
                continue;
            if (details is not null && !TryRead(ref reader, details, counts))
                return false;
            if (field >= 0 && (reader.TokenType != JsonTokenType.Number || !reader.TryGetInt64(out counts[field])))
                return false;
            if (details is null)
                reader.StepOver();
        }
        return true;
    }

    static string? DetailsAt(ref Utf8JsonReader reader) =>
        reader.Has("prompt_tokens_details"u8) ? InputDetails : reader.Has("completion_tokens_details"u8) ? OutputDetails : null;

    static int Find(ref Utf8JsonReader reader, string section)
    {
        foreach (var (place, name, count) in Fields)
            if (place == section && reader.Has(name))
                return (int)count;
        return -1;
    }

    /// <summary>Makes the counts disjoint. Details may overlap each other, a cached image for instance; the first in the list keeps the tokens.</summary>
    static ChatUsage Split(ReadOnlySpan<long> counts, string? raw)
    {
        var (input, completion, total) = (counts[(int)Count.Prompt], counts[(int)Count.Completion], counts[(int)Count.Total]);
        var beyond = Math.Max(total - input - completion, 0);
        var output = completion + beyond;
        // xAI reports reasoning beside completion instead of in it; then the gap is exactly that and nothing is odd.
        var reasoning = Math.Max(counts[(int)Count.Reasoning], beyond);
        var reason = beyond > 0 && beyond != counts[(int)Count.Reasoning] ? TotalExceedsParts
            : total > 0 && total < input + completion ? TotalBelowParts
            : null;

        var usage = new Usage { [Meter.Request] = 1, [Meter.Input] = input, [Meter.Output] = output };
        Move(Meter.Input, Meter.CachedInput, counts[(int)Count.Cached], input);
        Move(Meter.Input, Meter.CacheWrite5m, counts[(int)Count.CacheWrite], input);
        Move(Meter.Input, Meter.AudioInput, counts[(int)Count.AudioInput], input);
        Move(Meter.Input, Meter.ImageInput, counts[(int)Count.ImageInput], input);
        Move(Meter.Output, Meter.Reasoning, reasoning, output);
        Move(Meter.Output, Meter.AudioOutput, counts[(int)Count.AudioOutput], output);
        Move(Meter.Output, Meter.ImageOutput, counts[(int)Count.ImageOutput], output);
        return new(usage, reason, raw);

        void Move(Meter from, Meter to, long count, long whole)
        {
            if (count > whole)
            {
                reason ??= DetailsExceedWhole;
                return;
            }
            var moved = Math.Min(count, usage[from]);
            usage[from] -= moved;
            usage[to] = moved;
        }
    }
}
