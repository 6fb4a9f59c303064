using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Sessions;

/// <summary>
/// <c>POST /v1/models/preview</c> <c>{prices, outputTokens?}</c> → <c>{kind: "volume", boundaries, batch?}</c>: what requests on both sides
/// of each tier's border cost, before a model has the prices. Nothing is written. A tier prices the whole request, and not the part of it
/// that is above the border.
/// </summary>
public static class PreviewPrices
{
    /// <summary>More tokens than any request has. Their cost is an amount that money can be.</summary>
    const long MaxTokens = 1_000_000_000;

    /// <param name="OutputTokens">Of each request.</param>
    public sealed record Request(Prices Prices, long OutputTokens = 1000);

    /// <param name="AboveInput">The border of the tier that prices the request. Null: no tier does.</param>
    /// <param name="InputRate">USD per million, as <paramref name="OutputRate"/>.</param>
    public sealed record Boundary(
        long InputTokens, long OutputTokens, long? AboveInput, Rate? InputRate, Rate? OutputRate, Money Cost);

    /// <param name="Batch">The same in batches, where those have prices of their own.</param>
    public sealed record Answer(string Kind, IReadOnlyList<Boundary> Boundaries, IReadOnlyList<Boundary>? Batch);

    public static void MapPreviewPrices(this WebApplication app) => app.MapPost("/v1/models/preview", async (HttpContext http) =>
    {
        http.Backend();
        return Results.Json(Preview(await SeedPart.ReadAsync<Request>(http)), Defaults.Json);
    });

    /// <summary>Throws a 400 that names the field, as when a model is saved.</summary>
    public static Answer Preview(Request request)
    {
        SeedPart.MustBeRight(SeedRules.Prices(request.Prices, "prices"));
        if (request.OutputTokens is < 0 or > MaxTokens)
            throw Fields.Invalid("outputTokens", $"must be from 0 to {MaxTokens}");
        return new(
            "volume", Of(request.Prices, request.OutputTokens, "prices"),
            request.Prices.Batch is { } batch ? Of(batch, request.OutputTokens, "prices.batch") : null);
    }

    static List<Boundary> Of(Prices prices, long outputTokens, string path)
    {
        MustHaveRates(prices, outputTokens, path);
        foreach (var (i, tier) in (prices.Tiers ?? []).Index())
        {
            if (tier.AboveInput >= MaxTokens)
                throw Fields.Invalid($"{path}.tiers[{i}].aboveInput", $"must be below {MaxTokens}");
            MustHaveRates(tier.Prices, outputTokens, $"{path}.tiers[{i}].prices");
        }
        var borders = (prices.Tiers ?? []).Select(tier => tier.AboveInput).Order().ToList();
        // Without a tier, one request says the price.
        return (borders.Count == 0 ? [1L] : borders.SelectMany(border => (long[])[border, border + 1]).Distinct())
            .Select(input => Of(prices, input, outputTokens)).ToList();
    }

    static Boundary Of(Prices prices, long input, long output)
    {
        var rates = prices.ForInput(input);
        var usage = new Usage { [Meter.Input] = input, [Meter.Output] = output, [Meter.Request] = 1 };
        return new(
            input, output, prices.Tiers?.Where(tier => input > tier.AboveInput).Select(tier => (long?)tier.AboveInput).Max(), rates.Input,
            rates.Output, new(Cost.Of(usage, prices)));
    }

    /// <summary>A request that a tier prices could not be charged without them.</summary>
    static void MustHaveRates(Prices prices, long outputTokens, string path)
    {
        if (prices.Input is null)
            throw Fields.Invalid($"{path}.input", "is required: what is looked at is the price of tokens");
        if (prices.Output is null && outputTokens > 0)
            throw Fields.Invalid($"{path}.output", "is required beside outputTokens");
    }
}
