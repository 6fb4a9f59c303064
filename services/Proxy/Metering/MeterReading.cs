using LlmGateway.Contracts;

namespace LlmGateway.Proxy;

/// <summary>What a request is settled with.</summary>
/// <param name="Estimated">The counts are ours.</param>
/// <param name="Reason">What was odd about the provider's counts, null when nothing was.</param>
/// <param name="RawUsage">The provider's usage object as received.</param>
public sealed record MeterReading(Usage Usage, bool Estimated, string? Reason, string? RawUsage)
{
    /// <summary>What it costs when that does not follow from the counts, nano-dollars: a batch is charged the most that it can cost.</summary>
    public long? Bound { get; init; }

    /// <summary>Our own counts of a request that was answered at least in part.</summary>
    public static MeterReading OfCounts(long inputTokens, long outputTokens, string reason, string? rawUsage)
    {
        var usage = new Usage { [Meter.Input] = inputTokens, [Meter.Output] = outputTokens, [Meter.Request] = 1 };
        return new(usage, true, reason, rawUsage);
    }

    /// <summary>All tokens that went in.</summary>
    public static long InputOf(Usage usage) =>
        usage[Meter.Input] + usage[Meter.CachedInput] + usage[Meter.CacheWrite5m] + usage[Meter.CacheWrite1h] + usage[Meter.AudioInput] + usage[Meter.ImageInput];

    /// <summary>All tokens that came out, those of reasoning included.</summary>
    public static long OutputOf(Usage usage) => usage[Meter.Output] + usage[Meter.Reasoning] + usage[Meter.AudioOutput] + usage[Meter.ImageOutput];

    /// <summary>
    /// The same counts on meters that have a price. A provider may break its counts down further than the price book does (audio tokens of a text
    /// model, say); what has no rate of its own is then plain input or output. What has no rate even there is not what the model is paid for: the tokens of an image that is
    /// paid by the image. <see cref="Cost.Of"/> cannot fail on what is left.
    /// </summary>
    public MeterReading OnPricedMeters(Prices prices)
    {
        var applicable = prices.ForInput(InputOf(Usage));
        Usage? moved = null;
        foreach (var meter in (ReadOnlySpan<Meter>)[Meter.AudioInput, Meter.ImageInput, Meter.AudioOutput, Meter.ImageOutput])
        {
            if (Usage[meter] == 0 || applicable.RateOf(meter) is not null)
                continue;
            moved ??= Usage.From(Usage.ToArray());
            moved[meter is Meter.AudioInput or Meter.ImageInput ? Meter.Input : Meter.Output] += Usage[meter];
            moved[meter] = 0;
        }
        for (var meter = Meter.Input; meter < (Meter)Usage.Meters; meter++)
        {
            if ((moved ?? Usage)[meter] == 0 || applicable.RateOf(meter) is not null)
                continue;
            moved ??= Usage.From(Usage.ToArray());
            moved[meter] = 0;
        }
        return moved is null ? this : this with { Usage = moved };
    }
}
