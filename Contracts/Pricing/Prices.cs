using System.Text.Json;
using System.Text.Json.Serialization;

namespace LlmGateway.Contracts;

/// <summary>
/// A rate in pico-dollars per 1 000 000 units, so that twelve decimals of a dollar per million are exact. On the wire it is a decimal
/// string of USD per million.
/// </summary>
[JsonConverter(typeof(RateJson))]
public readonly record struct Rate(long Picos)
{
    public const int Decimals = 12;

    public override string ToString() => DecimalText.Format(Picos, Decimals);
}

public sealed class RateJson : JsonConverter<Rate>
{
    public override Rate Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
    {
        var picos = DecimalJson.Read(ref reader, Rate.Decimals);
        return picos >= 0 ? new(picos) : throw new JsonValueException("must not be negative");
    }

    public override void Write(Utf8JsonWriter writer, Rate value, JsonSerializerOptions options) =>
        writer.WriteStringValue(value.ToString());
}

/// <summary>A rate that is USD per single unit on the wire. It is kept per million units like all others.</summary>
public sealed class UnitRateJson : JsonConverter<Rate>
{
    public override Rate Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
    {
        var perUnit = DecimalJson.Read(ref reader, Rate.Decimals);
        if (perUnit is < 0 or > long.MaxValue / 1_000_000)
            throw new JsonValueException("must be between 0 and 9.22 USD per unit");
        return new(perUnit * 1_000_000);
    }

    public override void Write(Utf8JsonWriter writer, Rate value, JsonSerializerOptions options) =>
        writer.WriteStringValue(DecimalText.Format(value.Picos / 1_000_000, Rate.Decimals));
}

/// <summary>
/// What a model costs, by meter. A version of a price never changes; a new price is a new version. A meter without its own rate uses the
/// rate of the meter that providers bill it as (cached input as input, reasoning as output). A meter without any rate cannot be charged,
/// and a request that could use it is refused.
/// </summary>
public sealed record Prices
{
    public Rate? Input { get; init; }
    public Rate? CachedInput { get; init; }
    public Rate? CacheWrite5m { get; init; }
    public Rate? CacheWrite1h { get; init; }
    public Rate? Output { get; init; }
    public Rate? Reasoning { get; init; }
    public Rate? AudioInput { get; init; }
    public Rate? AudioOutput { get; init; }
    public Rate? ImageInput { get; init; }
    public Rate? ImageOutput { get; init; }
    public Rate? Characters { get; init; }
    [JsonConverter(typeof(UnitRateJson))] public Rate? PerRequest { get; init; }
    [JsonConverter(typeof(UnitRateJson))] public Rate? PerImage { get; init; }
    [JsonConverter(typeof(UnitRateJson))] public Rate? PerMinute { get; init; }
    [JsonConverter(typeof(UnitRateJson))] public Rate? PerWebSearch { get; init; }

    /// <summary>Long-context rates. When the input exceeds a tier's border, that tier prices the whole request.</summary>
    public IReadOnlyList<PriceTier>? Tiers { get; init; }

    /// <summary>The prices in a batch; absent when they are the same.</summary>
    public Prices? Batch { get; init; }

    /// <summary>The rates of a request in a batch.</summary>
    [JsonIgnore]
    public Prices InBatches => Batch ?? this;

    /// <summary>The rate of a meter, or null when the meter has no price.</summary>
    public Rate? RateOf(Meter meter) => meter switch
    {
        Meter.Input => Input,
        Meter.CachedInput => CachedInput ?? Input,
        Meter.CacheWrite5m => CacheWrite5m ?? Input,
        Meter.CacheWrite1h => CacheWrite1h ?? CacheWrite5m ?? Input,
        Meter.Output => Output,
        Meter.Reasoning => Reasoning ?? Output,
        Meter.AudioInput => AudioInput,
        Meter.AudioOutput => AudioOutput,
        Meter.ImageInput => ImageInput ?? Input,
        Meter.ImageOutput => ImageOutput,
        Meter.Characters => Characters,
        Meter.Request => PerRequest ?? new Rate(0),
        Meter.Image => PerImage,
        Meter.Second => PerMinute is { } minute ? new Rate((minute.Picos + 59) / 60) : null,
        Meter.WebSearch => PerWebSearch,
        _ => null,
    };

    /// <summary>The rates that apply to a request with so many input tokens.</summary>
    public Prices ForInput(long inputTokens)
    {
        PriceTier? best = null;
        foreach (var tier in Tiers ?? [])
            if (inputTokens > tier.AboveInput && (best is null || tier.AboveInput > best.AboveInput))
                best = tier;
        return best?.Prices ?? this;
    }

    /// <summary>True when the model costs nothing, so that test credentials may call it.</summary>
    [JsonIgnore]
    public bool IsFree =>
        Enum.GetValues<Meter>().All(meter => RateOf(meter) is null or { Picos: 0 }) && (Tiers ?? []).All(tier => tier.Prices.IsFree)
            && Batch is null or { IsFree: true };
}

/// <summary>Rates for requests whose input is above <paramref name="AboveInput"/> tokens.</summary>
public sealed record PriceTier(long AboveInput, Prices Prices);

/// <summary>The arithmetic of a request's price: one sum in 10^-18 dollars, one rounding, up to the next nano-dollar.</summary>
public static class Cost
{
    /// <summary>
    /// The cost of a request in nano-dollars: never below the exact cost, and less than one nano-dollar above it.
    /// Throws <see cref="InvalidOperationException"/> when a used meter has no price: admission must have refused such a request.
    /// </summary>
    public static long Of(Usage usage, Prices prices)
    {
        var applicable = prices.ForInput(usage.InputTokens);
        Int128 attos = 0;
        for (var meter = 0; meter < Usage.Meters; meter++)
        {
            var units = usage[(Meter)meter];
            if (units == 0)
                continue;
            var rate = applicable.RateOf((Meter)meter) ?? throw new InvalidOperationException($"meter {(Meter)meter} has no price");
            attos += (Int128)units * rate.Picos;
        }
        return checked((long)Money.NanosOf(attos));
    }
}
