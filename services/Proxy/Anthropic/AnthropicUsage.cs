using LlmGateway.Contracts;

namespace LlmGateway.Proxy.Anthropic;

/// <summary>
/// The usage objects of one answer of the Messages wire. What was read from the cache and what was written to it stand beside the plain input, not in it; thoughts are
/// part of the output. A stream says it twice: at the start with what went in, at the end with everything, or only with what came out; all counts are running totals.
/// </summary>
public sealed class AnthropicUsage
{
    enum Count { Input, CacheRead, CacheWrite, CacheWrite5m, CacheWrite1h, Output, Thinking }

    static readonly UsageField[] Fields =
    [
        new("", "input_tokens", (int)Count.Input),
        new("", "cache_read_input_tokens", (int)Count.CacheRead),
        new("", "cache_creation_input_tokens", (int)Count.CacheWrite),
        new("cache_creation", "ephemeral_5m_input_tokens", (int)Count.CacheWrite5m),
        new("cache_creation", "ephemeral_1h_input_tokens", (int)Count.CacheWrite1h),
        new("", "output_tokens", (int)Count.Output),
        new("output_tokens_details", "thinking_tokens", (int)Count.Thinking),
    ];

    readonly long[] _counts = new long[(int)Count.Thinking + 1];
    string? _first;

    /// <summary>Adds the text of a usage object; what the answer has used by now. Never throws.</summary>
    public ProviderUsage Add(ReadOnlySpan<byte> json)
    {
        Span<long> counts = stackalloc long[_counts.Length];
        if (ProviderUsage.ReadCounts(json, Fields, counts, out var raw) is { } unusable)
            return unusable;
        for (var i = 0; i < counts.Length; i++)
            _counts[i] = Math.Max(_counts[i], counts[i]);
        // Of a stream both the first and the last, as received: the last need not have every count.
        var both = _first is null || raw is null || _first.Length + raw.Length > ProviderUsage.MaxRawBytes - 3 ? raw : $"[{_first},{raw}]";
        _first ??= raw;
        return Split(_counts, both);
    }

    static ProviderUsage Split(ReadOnlySpan<long> counts, string? raw)
    {
        var (fiveMinutes, oneHour, written) = (counts[(int)Count.CacheWrite5m], counts[(int)Count.CacheWrite1h], counts[(int)Count.CacheWrite]);
        string? reason = null;
        if (written == 0)
            written = fiveMinutes + oneHour;
        else if (fiveMinutes + oneHour > written)
            (oneHour, reason) = (0, ProviderUsage.DetailsExceedWhole);

        var usage = new Usage
        {
            [Meter.Request] = 1,
            [Meter.Input] = counts[(int)Count.Input],
            [Meter.CachedInput] = counts[(int)Count.CacheRead],
            [Meter.CacheWrite5m] = written - oneHour,
            [Meter.CacheWrite1h] = oneHour,
            [Meter.Output] = counts[(int)Count.Output],
        };
        if (MeterReading.InputOf(usage) == 0)
            return new(null, ProviderUsage.Zero, raw);
        ProviderUsage.Move(usage, Meter.Output, Meter.Reasoning, counts[(int)Count.Thinking], counts[(int)Count.Output], ref reason);
        return new(usage, reason, raw);
    }
}
