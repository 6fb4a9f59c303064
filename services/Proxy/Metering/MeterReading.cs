using LlmGateway.Contracts;

namespace LlmGateway.Proxy;

/// <summary>What a request is settled with.</summary>
/// <param name="Estimated">The counts are our own.</param>
/// <param name="Reason">What is odd about the provider's counts; null when nothing is.</param>
/// <param name="RawUsage">The provider's usage object as received.</param>
public sealed record MeterReading(Usage Usage, bool Estimated, string? Reason, string? RawUsage)
{
    /// <summary>
    /// The cost in nano-dollars when it does not follow from the counts. A batch is charged its bound before there are counts.
    /// </summary>
    public long? Bound { get; init; }

    /// <summary>Our own counts of a request that was answered at least in part.</summary>
    public static MeterReading OfCounts(long inputTokens, long outputTokens, string reason, string? rawUsage, int searches = 0)
    {
        var usage = new Usage
        {
            [Meter.Input] = inputTokens, [Meter.Output] = outputTokens, [Meter.Request] = 1, [Meter.WebSearch] = searches,
        };
        return new(usage, true, reason, rawUsage);
    }

    /// <summary>All tokens that went in.</summary>
    public static long InputOf(Usage usage) => InputOf(usage.Units);

    /// <inheritdoc cref="InputOf(Usage)"/>
    /// <param name="units">See <see cref="Usage.Units"/>.</param>
    public static long InputOf(IReadOnlyList<long> units) =>
        units[(int)Meter.Input] + units[(int)Meter.CachedInput] + units[(int)Meter.CacheWrite5m] + units[(int)Meter.CacheWrite1h]
        + units[(int)Meter.AudioInput] + units[(int)Meter.ImageInput];

    /// <summary>All tokens that came out, those of reasoning included.</summary>
    public static long OutputOf(Usage usage) => OutputOf(usage.Units);

    /// <inheritdoc cref="OutputOf(Usage)"/>
    /// <param name="units">See <see cref="Usage.Units"/>.</param>
    public static long OutputOf(IReadOnlyList<long> units) =>
        units[(int)Meter.Output] + units[(int)Meter.Reasoning] + units[(int)Meter.AudioOutput] + units[(int)Meter.ImageOutput];

    /// <summary>
    /// The same counts on meters that have a price. A provider may report finer counts than the price book has, such as audio tokens of a
    /// text model. Those without their own rate become plain input or output. Counts that then have no rate are dropped, because the model
    /// is not paid by them, like the tokens of an image that is paid by the image. <see cref="Cost.Of"/> cannot fail on the result.
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
