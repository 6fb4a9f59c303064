namespace LlmGateway.Contracts;

/// <summary>
/// What a price by the million may be that somebody writes down. A price by the token in its place, or the other way round, is wrong by a
/// factor of a million: it would give a model away, or empty wallets. Stored prices are not measured by these bounds, and prices by the
/// unit need none: what is above $9.22 is no <see cref="Rate"/>.
/// </summary>
public static class PriceBounds
{
    /// <summary>$0.0001, less than what any model costs, and what one of $100 costs that is written by the token.</summary>
    const long Least = 100_000_000;

    /// <summary>$10 000, ten times the dearest model, and what one of $0.01 costs that is written as if it were by the token.</summary>
    const long Most = 10_000_000_000_000_000;

    /// <summary>What <see cref="Contains"/> asks for.</summary>
    public const string Rule = "must be 0 or from 0.0001 to 10000 USD per million";

    static readonly (string Member, Func<Prices, Rate?> Of)[] Members =
    [
        ("input", prices => prices.Input), ("cachedInput", prices => prices.CachedInput), ("cacheWrite5m", prices => prices.CacheWrite5m),
        ("cacheWrite1h", prices => prices.CacheWrite1h), ("output", prices => prices.Output), ("reasoning", prices => prices.Reasoning),
        ("audioInput", prices => prices.AudioInput), ("audioOutput", prices => prices.AudioOutput),
        ("imageInput", prices => prices.ImageInput), ("imageOutput", prices => prices.ImageOutput),
        ("characters", prices => prices.Characters),
    ];

    public static bool Contains(Rate rate) => rate.Picos is 0 or (>= Least and <= Most);

    /// <summary>The path of each rate by the million that is outside, those of tiers and batches included.</summary>
    public static IEnumerable<string> Outside(Prices prices, string path) =>
    [
        .. Members.Where(member => member.Of(prices) is { } rate && !Contains(rate)).Select(member => $"{path}.{member.Member}"),
        .. (prices.Tiers ?? []).Index().SelectMany(tier => Outside(tier.Item.Prices, $"{path}.tiers[{tier.Index}].prices")),
        .. prices.Batch is { } batch ? Outside(batch, $"{path}.batch") : [],
    ];
}
