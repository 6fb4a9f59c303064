using System.Text.Json;
using LlmGateway.Contracts;
using LlmGateway.Proxy.Chat;

namespace LlmGateway.Proxy.Anthropic;

/// <summary>
/// The usage of one answer of the Messages wire. Tokens read from the cache and written to it stand beside the plain input and are not part
/// of it. Thoughts are part of the output. A stream reports usage twice: the input at the start, and everything or only the output at the
/// end. All counts are running totals. The counts of one object are one set. Two sets are never mixed, because the one at the start may be
/// an estimate or may not know yet what came from the cache.
/// </summary>
public sealed class AnthropicUsage
{
    enum Count { Input, CacheRead, CacheWrite, CacheWrite5m, CacheWrite1h, Prompt, Output, Thinking, Searches }

    static readonly UsageField[] Fields =
    [
        new("", "input_tokens", (int)Count.Input),
        new("", "cache_read_input_tokens", (int)Count.CacheRead),
        new("", "cache_creation_input_tokens", (int)Count.CacheWrite),
        new("cache_creation", "ephemeral_5m_input_tokens", (int)Count.CacheWrite5m),
        new("cache_creation", "ephemeral_1h_input_tokens", (int)Count.CacheWrite1h),
        new("", "prompt_tokens", (int)Count.Prompt), // Moonshot
        new("", "output_tokens", (int)Count.Output),
        new("output_tokens_details", "thinking_tokens", (int)Count.Thinking),
        new("server_tool_use", "web_search_requests", (int)Count.Searches),
    ];

    readonly long[] _counts = new long[(int)Count.Searches + 1];
    string? _first;

    /// <summary>Adds the text of a usage object and returns the usage of the answer so far. Never throws.</summary>
    public ProviderUsage Add(ReadOnlySpan<byte> json)
    {
        Span<long> counts = stackalloc long[_counts.Length];
        if (ProviderUsage.ReadCounts(json, Fields, counts, out var raw) is { } unusable)
            return unusable;
        var input = counts[..(int)Count.Output];
        var output = counts[(int)Count.Output..(int)Count.Searches];
        if (IsShort(input))
            _counts.AsSpan(0, input.Length).CopyTo(input);
        if (output[0] == 0)
            _counts.AsSpan(input.Length, output.Length).CopyTo(output);
        if (counts[(int)Count.Searches] == 0)
            counts[(int)Count.Searches] = _counts[(int)Count.Searches];
        counts.CopyTo(_counts);
        // A stream keeps its first and its last usage object as received: the last one may lack counts.
        var both = _first is null || raw is null || _first.Length + raw.Length > ProviderUsage.MaxRawBytes - 3 ? raw : $"[{_first},{raw}]";
        _first ??= raw;
        return Split(_counts, both);
    }

    /// <summary>The object says that another tier was served than the one that has a price. Never throws.</summary>
    public static bool HasUnpricedTier(ReadOnlySpan<byte> json)
    {
        try
        {
            var reader = new Utf8JsonReader(json);
            for (reader.Read(); reader.NextMember(); reader.StepOver())
            {
                var isTier = reader.Has("service_tier"u8);
                reader.Read();
                if (isTier && ServiceTier.IsUnpriced(ref reader))
                    return true;
            }
        }
        catch (JsonException)
        {
            // The counts of such an object are not believed either.
        }
        return false;
    }

    /// <summary>
    /// The end of a stream repeats the input, leaves it out, or repeats only the plain part of it. Then the set at the start holds.
    /// </summary>
    bool IsShort(ReadOnlySpan<long> input)
    {
        var cache = input[(int)Count.CacheRead] + input[(int)Count.CacheWrite] + input[(int)Count.CacheWrite5m]
            + input[(int)Count.CacheWrite1h];
        return cache == 0 && (input[(int)Count.Input] == 0 || input[(int)Count.Input] == _counts[(int)Count.Input]);
    }

    static ProviderUsage Split(ReadOnlySpan<long> counts, string? raw)
    {
        var (fiveMinutes, oneHour, written) = (
            counts[(int)Count.CacheWrite5m], counts[(int)Count.CacheWrite1h], counts[(int)Count.CacheWrite]);
        string? reason = null;
        if (written == 0)
            written = fiveMinutes + oneHour;
        else if (fiveMinutes + oneHour > written)
            (oneHour, reason) = (0, ProviderUsage.DetailsExceedWhole);

        var (plain, cached) = (counts[(int)Count.Input], counts[(int)Count.CacheRead] + written);
        // A server that translates from OpenAI's wire may say all of the prompt where only its plain part belongs.
        if (plain == counts[(int)Count.Prompt] && plain >= cached)
            plain -= cached;
        var usage = new Usage
        {
            [Meter.Request] = 1,
            [Meter.Input] = plain,
            [Meter.CachedInput] = counts[(int)Count.CacheRead],
            [Meter.CacheWrite5m] = written - oneHour,
            [Meter.CacheWrite1h] = oneHour,
            [Meter.Output] = counts[(int)Count.Output],
            [Meter.WebSearch] = counts[(int)Count.Searches],
        };
        if (MeterReading.InputOf(usage) == 0)
            return new(null, ProviderUsage.Zero, raw);
        ProviderUsage.Move(usage, Meter.Output, Meter.Reasoning, counts[(int)Count.Thinking], counts[(int)Count.Output], ref reason);
        return new(usage, reason, raw);
    }
}
