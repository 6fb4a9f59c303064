using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;
using LlmGateway.Contracts;

namespace LlmGateway.Sessions;

/// <summary>
/// LiteLLM's price map (<c>model_prices_and_context_window.json</c>): USD per single token as JSON numbers, read from their digits, never
/// as floats. A model is taken whole or refused with a reason. Costs that the gateway has no meter for (flex and priority tiers, sessions,
/// storage) are left out: a feature without a price cannot be used. Pure.
/// </summary>
public static partial class LiteLlmFile
{
    /// <summary>The entry that explains the format.</summary>
    const string Sample = "sample_spec";

    /// <summary>Decimals of a dollar per token that make a whole number of our rates: 12 per million, and six for the million.</summary>
    const int PerTokenDecimals = Rate.Decimals + 6;

    const int PerMillion = 1_000_000;

    public sealed record Refusal(string Model, string Reason);

    public sealed record Content(IReadOnlyList<CatalogueEntry> Entries, IReadOnlyList<Refusal> Refused);

    sealed class RefusedException(string reason) : Exception(reason);

    /// <summary>Throws <see cref="JsonException"/> when it is no JSON object.</summary>
    /// <param name="source">What to write down as the source of the prices.</param>
    public static Content Read(ReadOnlyMemory<byte> json, string source, DateOnly today)
    {
        using var document = JsonDocument.Parse(json);
        if (document.RootElement.ValueKind != JsonValueKind.Object)
            throw new JsonException("the file must be a JSON object of models");
        var entries = new Dictionary<(string, string), CatalogueEntry>();
        var refused = new List<Refusal>();
        foreach (var model in document.RootElement.EnumerateObject().Where(model => model.Name != Sample))
        {
            try
            {
                var entry = Entry(model.Name, model.Value, source, today);
                if (!entries.TryAdd((entry.Vendor, entry.Id), entry))
                    throw new RefusedException($"{entry.Vendor}/{entry.Id} is there twice");
            }
            catch (RefusedException e)
            {
                refused.Add(new(model.Name, e.Message));
            }
        }
        return new([.. entries.Values], refused);
    }

    static CatalogueEntry Entry(string name, JsonElement model, string source, DateOnly today)
    {
        if (model.ValueKind != JsonValueKind.Object)
            throw new RefusedException("is no object");
        var provider = Text(model, "litellm_provider");
        var kind = KindOf(Text(model, "mode"));
        var id = name.StartsWith($"{provider}/", StringComparison.Ordinal) ? name[(provider.Length + 1)..] : name;
        if (Fields.TextError(id) is { } wrong)
            throw new RefusedException($"its name {wrong}");
        var context = Tokens(model, "max_input_tokens") ?? Tokens(model, "max_tokens");
        var output = kind == "chat" ? Tokens(model, "max_output_tokens") ?? Tokens(model, "max_tokens") : 0;
        var prices = PricesOf(model, kind);
        if (kind is "chat" && output is null or 0)
            throw new RefusedException("max_output_tokens is missing");
        if (kind is "chat" or "embedding" && context is null)
            throw new RefusedException("max_input_tokens is missing");
        return new(provider == "gemini" ? Catalogue.Google : provider, id, kind, context, output!.Value, prices, source, today);
    }

    static string KindOf(string mode) => mode switch
    {
        "chat" or "responses" => "chat",
        "embedding" => "embedding",
        "image_generation" => "image",
        "audio_transcription" or "audio_speech" => "audio",
        "moderation" => "moderation",
        _ => throw new RefusedException($"the mode '{mode}' has no place in the gateway"),
    };

    static Prices PricesOf(JsonElement model, string kind)
    {
        var costs = model
            .EnumerateObject()
            .Where(member => member.Value.ValueKind == JsonValueKind.Number && member.Name.Contains("cost", StringComparison.Ordinal))
            .GroupBy(member => member.Name)
            .ToDictionary(group => group.Key, group => group.Last().Value.GetRawText());
        var prices = Meters(costs, kind);
        if (kind == "chat" && (prices.Input is null || prices.Output is null))
            throw new RefusedException($"{(prices.Input is null ? "input_cost_per_token" : "output_cost_per_token")} is missing");
        if (prices == new Prices())
            throw new RefusedException("has no price that the gateway has a meter for");
        var tiers = costs.Keys
            .Select(field => TierField.Match(field))
            .Where(match => match.Success)
            .Select(match => match.Groups["thousands"].Value)
            .Distinct()
            .Select(thousands => Tier(costs, kind, thousands))
            .OfType<PriceTier>()
            .OrderBy(tier => tier.AboveInput)
            .ToArray();
        if (tiers.Length > 0)
            prices = prices with { Tiers = tiers };
        // Batch prices that the file does not state (cache, long contexts) are those outside of batches.
        var (input, output) = (PerToken(costs, "input_cost_per_token_batches"), PerToken(costs, "output_cost_per_token_batches"));
        if (input is not null || output is not null)
            prices = prices with { Batch = prices with { Input = input ?? prices.Input, Output = output ?? prices.Output } };
        // The map has zero for prices that nobody has looked up. Only moderation is really free.
        return kind != "moderation" && prices.IsFree
            ? throw new RefusedException("costs nothing in that file; give a model that is free its price in the seed file")
            : prices;
    }

    /// <summary>
    /// Above the tier's border the whole request has the tier's rates, and the base rates where the tier has none. Null when the tier
    /// changes no meter of ours.
    /// </summary>
    static PriceTier? Tier(Dictionary<string, string> costs, string kind, string thousands)
    {
        var merged = new Dictionary<string, string>(costs);
        foreach (var (field, cost) in costs)
        {
            if (TierField.Match(field) is { Success: true } match && match.Groups["thousands"].Value == thousands)
                merged[match.Groups["field"].Value] = cost;
        }
        var prices = Meters(merged, kind);
        return prices == Meters(costs, kind)
            ? null
            : new(long.Parse(thousands, NumberStyles.None, CultureInfo.InvariantCulture) * 1000, prices);
    }

    static Prices Meters(Dictionary<string, string> costs, string kind) => new()
    {
        Input = PerToken(costs, "input_cost_per_token"),
        CachedInput = PerToken(costs, "cache_read_input_token_cost"),
        CacheWrite5m = PerToken(costs, "cache_creation_input_token_cost"),
        CacheWrite1h = PerToken(costs, "cache_creation_input_token_cost_above_1hr"),
        Output = PerToken(costs, "output_cost_per_token"),
        Reasoning = PerToken(costs, "output_cost_per_reasoning_token"),
        AudioInput = PerToken(costs, "input_cost_per_audio_token"),
        AudioOutput = PerToken(costs, "output_cost_per_audio_token"),
        ImageInput = PerToken(costs, "input_cost_per_image_token"),
        ImageOutput = PerToken(costs, "output_cost_per_image_token"),
        Characters = PerToken(costs, "input_cost_per_character"),
        PerRequest = PerUnit(costs, "input_cost_per_request", 1),
        PerImage = kind == "image" ? PerUnit(costs, "output_cost_per_image", 1) : null,
        PerMinute = kind == "audio" ? PerMinute(costs) : null,
    };

    static Rate? PerMinute(Dictionary<string, string> costs)
    {
        Rate?[] sides = [PerUnit(costs, "input_cost_per_second", 60), PerUnit(costs, "output_cost_per_second", 60)];
        var rates = sides.Where(rate => rate is { Picos: > 0 }).Distinct().ToArray();
        // Some entries state the same second as input and as output; it is charged once.
        return rates.Length > 1
            ? throw new RefusedException("input_cost_per_second and output_cost_per_second differ")
            : rates.FirstOrDefault();
    }

    static Rate? PerToken(Dictionary<string, string> costs, string field)
    {
        if (Parse(costs, field, PerTokenDecimals) is not { } picos)
            return null;
        var rate = new Rate(picos);
        return PriceBounds.Contains(rate) ? rate : throw new RefusedException($"{field} makes {rate}: it {PriceBounds.Rule}");
    }

    /// <param name="times">How many of the file's units make one of ours.</param>
    static Rate? PerUnit(Dictionary<string, string> costs, string field, int times)
    {
        if (Parse(costs, field, Rate.Decimals) is not { } picos)
            return null;
        var rate = (Int128)picos * times * PerMillion;
        return rate <= long.MaxValue ? new((long)rate) : throw new RefusedException($"{field} is too large");
    }

    static long? Parse(Dictionary<string, string> costs, string field, int decimals)
    {
        if (!costs.TryGetValue(field, out var digits))
            return null;
        if (!DecimalText.TryParse(digits, decimals, out var value, out var reason))
            throw new RefusedException($"{field} {digits} {reason}");
        return value >= 0 ? value : throw new RefusedException($"{field} {digits} is negative");
    }

    static long? Tokens(JsonElement model, string field)
    {
        if (!model.TryGetProperty(field, out var value) || value.ValueKind == JsonValueKind.Null)
            return null;
        if (value.ValueKind is not (JsonValueKind.Number or JsonValueKind.String)
            || !DecimalText.TryParse(value.ToString(), 0, out var tokens, out _)
            || tokens < 0)
            throw new RefusedException($"{field} is no number of tokens");
        return tokens == 0 ? null : tokens;
    }

    static string Text(JsonElement model, string field) =>
        model.TryGetProperty(field, out var value) && value.ValueKind == JsonValueKind.String && value.GetString() is { Length: > 0 } text
            ? text
            : throw new RefusedException($"{field} is missing");

    [GeneratedRegex("^(?<field>.+)_above_(?<thousands>[1-9][0-9]{0,5})k_tokens$")]
    private static partial Regex TierField { get; }
}
