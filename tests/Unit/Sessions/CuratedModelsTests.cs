using LlmGateway.Contracts;
using LlmGateway.Sessions;
using Xunit;

namespace LlmGateway.UnitTests;

/// <summary>The catalogue that comes with the gateway: every entry can be sold as it stands.</summary>
public sealed class CuratedModelsTests
{
    static readonly IReadOnlyList<CatalogueEntry> Entries = CuratedModels.Read();

    [Theory]
    [InlineData(Catalogue.OpenAi)]
    [InlineData(Catalogue.Anthropic)]
    [InlineData(Catalogue.Google)]
    public void Every_vendor_is_there(string vendor) => Assert.True(Entries.Count(entry => entry.Vendor == vendor) >= 8);

    [Fact]
    public void No_model_is_there_twice() => Assert.Equal(Entries.Count, Entries.DistinctBy(entry => (entry.Vendor, entry.Id)).Count());

    [Fact]
    public void Every_price_has_its_source_and_day() => Assert.All(Entries, entry =>
    {
        Assert.StartsWith("https://", entry.Source, StringComparison.Ordinal);
        Assert.InRange(entry.CheckedOn, new DateOnly(2026, 1, 1), new DateOnly(2026, 12, 31));
    });

    [Fact]
    public void Every_model_can_be_priced_and_bounded() => Assert.All(Entries, entry =>
    {
        Assert.Contains(entry.Kind, (string[])["chat", "embedding", "image", "audio", "moderation"]);
        Assert.False(entry.Prices.IsFree && entry.Kind != "moderation", entry.Id);
        Assert.Empty(PriceBounds.Outside(entry.Prices, entry.Id));
        if (entry.Kind == "chat")
        {
            Assert.True(entry is { ContextTokens: > 0, MaxOutputTokens: > 0, Prices: { Input: not null, Output: not null } }, entry.Id);
            Assert.True(entry.MaxOutputTokens <= entry.ContextTokens, entry.Id);
        }
        if (entry.Kind == "embedding")
            Assert.True(entry is { ContextTokens: > 0, Prices.Input: not null }, entry.Id);
    });

    /// <summary>This finds a digit too many or too few.</summary>
    [Fact]
    public void Rates_stand_in_the_usual_proportions() => Assert.All(
        Entries.SelectMany(entry => (entry.Prices.Tiers ?? []).Select(tier => (entry.Id, tier.Prices)).Prepend((entry.Id, entry.Prices))),
        rates =>
        {
            var (id, prices) = rates;
            Assert.True(prices.CachedInput is null || prices.CachedInput.Value.Picos < prices.Input!.Value.Picos, id);
            Assert.True(prices.CacheWrite5m is null || prices.CacheWrite5m.Value.Picos * 4 == prices.Input!.Value.Picos * 5, id);
            Assert.True(prices.CacheWrite1h is null || prices.CacheWrite1h.Value.Picos == prices.Input!.Value.Picos * 2, id);
            Assert.True(
                prices is not { Input: { } input, Output: { } output } || (output.Picos > input.Picos && output.Picos <= input.Picos * 20),
                id);
        });

    [Theory]
    [InlineData("claude-haiku-4-5", "0.5", "0.05", "2.5")]
    [InlineData("gpt-4o-mini", "0.075", "0.0375", "0.3")]
    public void In_batches_every_token_costs_half(string model, string input, string cached, string output)
    {
        var batch = Entries.Single(entry => entry.Id == model).Prices.Batch!;

        Assert.Equal((input, cached, output), (batch.Input.ToString(), batch.CachedInput.ToString(), batch.Output.ToString()));
    }

    [Fact]
    public void A_tier_is_never_cheaper_than_what_lies_below_it() =>
        Assert.All(Entries.Where(entry => entry.Prices.Tiers is not null), entry => Assert.All(entry.Prices.Tiers!, tier =>
        {
            foreach (var meter in (Meter[])[Meter.Input, Meter.CachedInput, Meter.Output])
                Assert.True(tier.Prices.RateOf(meter)!.Value.Picos >= entry.Prices.RateOf(meter)!.Value.Picos, entry.Id);
        }));

    [Theory]
    [InlineData("openai", "openai", "openai", "openai")]
    [InlineData("my-azure", "openai", "my-azure", "openai")]
    [InlineData("x", "responses", "x", "openai")]
    [InlineData("x", "anthropic", "x", "anthropic")]
    [InlineData("x", "gemini", "x", "google")]
    [InlineData("groq", "openai-compatible", "groq")]
    public void A_provider_serves_its_own_vendors_models_or_those_of_its_wire(string provider, string wire, params string[] vendors) =>
        Assert.Equal(vendors, Catalogue.Vendors(provider, wire));
}
