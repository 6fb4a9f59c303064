using System.Text;
using System.Text.Json;
using LlmGateway.Contracts;
using LlmGateway.Sessions;
using Xunit;

namespace LlmGateway.UnitTests;

/// <summary>LiteLLM's price map is read to the last digit, and what cannot be taken over exactly is refused by name.</summary>
public sealed class LiteLlmFileTests
{
    static readonly DateOnly Today = new(2026, 11, 21);

    [Fact]
    public void A_chat_model_has_every_meter_that_the_file_states()
    {
        var entry = Only("""
            {"sample_spec": {"mode": "one of: chat"}, "claude-x": {
              "litellm_provider": "anthropic", "mode": "chat", "max_input_tokens": 1000000, "max_output_tokens": 64000, "max_tokens": 64000,
              "input_cost_per_token": 3e-06, "output_cost_per_token": 1.5e-05, "cache_read_input_token_cost": 3e-07,
                 "cache_creation_input_token_cost": 3.75e-06,
              "cache_creation_input_token_cost_above_1hr": 6e-06, "output_cost_per_reasoning_token": 2e-05,
              "input_cost_per_token_above_200k_tokens": 6e-06, "output_cost_per_token_above_200k_tokens": 2.25e-05,
                 "cache_read_input_token_cost_above_200k_tokens": 6e-07,
              "input_cost_per_token_priority": 1.5e-05, "supports_vision": true,
                 "search_context_cost_per_query": {"search_context_size_low": 0.01}
            }}
            """.Unwrapped());

        Assert.Equal(("anthropic", "claude-x", "chat", 1_000_000L, 64_000L, "file", Today),
            (entry.Vendor, entry.Id, entry.Kind, entry.ContextTokens, entry.MaxOutputTokens, entry.Source, entry.CheckedOn));
        Assert.Equal(
            """
            {"input":"3","cachedInput":"0.3","cacheWrite5m":"3.75","cacheWrite1h":"6","output":"15","reasoning":"20",
            "tiers":[{"aboveInput":200000,"prices":{"input":"6","cachedInput":"0.6","cacheWrite5m":"3.75","cacheWrite1h":"6",
            "output":"22.5","reasoning":"20"}}]}
            """.ReplaceLineEndings(""), Show(entry.Prices));
    }

    [Fact]
    public void What_the_file_says_of_batches_is_taken_and_the_rest_costs_as_much_as_outside_of_them()
    {
        const string tier = "\"input_cost_per_token_above_200k_tokens\": 4e-06";
        const string costs =
            $"\"input_cost_per_token\": 2e-06, \"output_cost_per_token\": 8e-06, \"cache_read_input_token_cost\": 5e-07, {tier}";
        var prices = Only(
            Chat($"{costs}, \"input_cost_per_token_batches\": 1e-06, \"output_cost_per_token_batches\": 4e-06")).Prices;

        Assert.Equal(
            ("1", "4", "0.5"),
            (prices.Batch!.Input.ToString(), prices.Batch.Output.ToString(), prices.Batch.CachedInput.ToString()));
        Assert.Equal(prices.Tiers, prices.Batch.Tiers);
        Assert.Null(Only(Chat("\"input_cost_per_token\": 2e-06, \"output_cost_per_token\": 8e-06")).Prices.Batch);
    }

    /// <summary>As a double, the first of them is 5.4687499999999995e-07.</summary>
    [Theory]
    [InlineData("5.46875e-07", "0.546875")]
    [InlineData("0.000000546875", "0.546875")]
    [InlineData("7.5e-08", "0.075")]
    [InlineData("1.9e-08", "0.019")]
    [InlineData("1.000000000001e-06", "1.000000000001")]
    [InlineData("1e-10", "0.0001")]
    [InlineData("0.01", "10000")]
    [InlineData("0", "0")]
    public void A_cost_is_read_from_its_digits(string cost, string rate) =>
        Assert.Equal(rate, Only(Chat($"\"input_cost_per_token\": {cost}, \"output_cost_per_token\": 1e-06")).Prices.Input.ToString());

    [Theory]
    [InlineData("gemini/gemini-2.5-pro", "gemini", "google", "gemini-2.5-pro")]
    [InlineData("azure/eu/gpt-4o", "azure", "azure", "eu/gpt-4o")]
    [InlineData("gpt-4o", "openai", "openai", "gpt-4o")]
    [InlineData("groq/openai/gpt-oss-120b", "groq", "groq", "openai/gpt-oss-120b")]
    public void A_model_is_known_by_its_vendor_and_the_vendors_own_name(string name, string provider, string vendor, string id)
    {
        var entry = Only(
            $$$"""{"{{{name}}}": {"litellm_provider": "{{{provider}}}", "mode": "chat", "max_tokens": 10, "input_cost_per_token": 1e-06,"""
                + $$$""" "output_cost_per_token": 1e-06}}""");

        Assert.Equal((vendor, id), (entry.Vendor, entry.Id));
    }

    [Theory]
    [InlineData("embedding", "\"max_input_tokens\": 8191, \"input_cost_per_token\": 2e-08, \"output_cost_per_token\": 0.0", "embedding",
        """{"input":"0.02","output":"0"}""")]
    [InlineData("image_generation", "\"output_cost_per_image\": 0.04", "image", """{"perImage":"0.04"}""")]
    [InlineData("audio_transcription", "\"input_cost_per_second\": 0.0001, \"output_cost_per_second\": 0.0001", "audio",
        """{"perMinute":"0.006"}""")]
    [InlineData("audio_speech", "\"input_cost_per_character\": 1.5e-05", "audio", """{"characters":"15"}""")]
    [InlineData("moderation", "\"input_cost_per_token\": 0.0", "moderation", """{"input":"0"}""")]
    [InlineData("responses", "\"max_tokens\": 10, \"input_cost_per_token\": 1e-06, \"output_cost_per_token\": 2e-06", "chat",
        """{"input":"1","output":"2"}""")]
    public void Every_kind_has_its_meters(string mode, string members, string kind, string prices)
    {
        var entry = Only($$$"""{"m": {"litellm_provider": "openai", "mode": "{{{mode}}}", {{{members}}} }}""");

        Assert.Equal((kind, prices), (entry.Kind, Show(entry.Prices)));
    }

    [Theory]
    [InlineData("\"input_cost_per_token\": 1.0000000000000000001e-06, \"output_cost_per_token\": 1e-06",
        "input_cost_per_token 1.0000000000000000001e-06 must have at most 18 decimals")]
    [InlineData("\"input_cost_per_token\": 1e-06, \"output_cost_per_token\": 1e400", "output_cost_per_token 1e400 is too large")]
    [InlineData("\"input_cost_per_token\": -1e-06, \"output_cost_per_token\": 1e-06", "input_cost_per_token -1e-06 is negative")]
    [InlineData("\"input_cost_per_token\": 1e-06, \"output_cost_per_token\": 0.15",
        "output_cost_per_token makes 150000: it must be 0 or from 0.0001 to 10000 USD per million")]
    [InlineData("\"input_cost_per_token\": 1e-18, \"output_cost_per_token\": 1e-06",
        "input_cost_per_token makes 0.000000000001: it must be 0 or from 0.0001 to 10000 USD per million")]
    [InlineData("\"input_cost_per_token\": 1e-06, \"output_cost_per_token\": 1e-06, \"input_cost_per_token_above_200k_tokens\": 1",
        "input_cost_per_token makes 1000000: it must be 0 or from 0.0001 to 10000 USD per million")]
    [InlineData("\"input_cost_per_token\": 1e-06", "output_cost_per_token is missing")]
    [InlineData("\"output_cost_per_token\": 1e-06", "input_cost_per_token is missing")]
    [InlineData("\"input_cost_per_token\": null, \"output_cost_per_token\": 1e-06", "input_cost_per_token is missing")]
    [InlineData("\"input_cost_per_token\": 0.0, \"output_cost_per_token\": 0",
        "costs nothing in that file; give a model that is free its price in the seed file")]
    [InlineData("\"input_cost_per_token\": 1e-06, \"output_cost_per_token\": 1e-06, \"input_cost_per_token_above_200k_tokens\": 1e-30",
        "input_cost_per_token 1e-30 must have at most 18 decimals")]
    [InlineData("\"input_cost_per_token\": 1e-06, \"output_cost_per_token\": 1e-06, \"max_input_tokens\": -1",
        "max_input_tokens is no number of tokens")]
    [InlineData("\"input_cost_per_token\": 1e-06, \"output_cost_per_token\": 1e-06, \"max_input_tokens\": 1.5",
        "max_input_tokens is no number of tokens")]
    public void What_is_not_exact_is_refused_by_name(string members, string reason) =>
        Assert.Equal([new("m", reason)], Read(Chat(members)).Refused);

    [Theory]
    [InlineData("{\"m\": 1}", "is no object")]
    [InlineData("{\"m\": {}}", "litellm_provider is missing")]
    [InlineData("{\"m\": {\"litellm_provider\": \"openai\"}}", "mode is missing")]
    [InlineData("{\"m\": {\"litellm_provider\": \"cohere\", \"mode\": \"rerank\"}}", "the mode 'rerank' has no place in the gateway")]
    [InlineData("{\"m\": {\"litellm_provider\": \"openai\", \"mode\": \"image_generation\", \"input_cost_per_pixel\": 1.9e-08}}",
        "has no price that the gateway has a meter for")]
    [InlineData(
        "{\"m\": {\"litellm_provider\": \"openai\", \"mode\": \"audio_transcription\", \"input_cost_per_second\": 0.01,"
            + " \"output_cost_per_second\": 0.02}}",
        "input_cost_per_second and output_cost_per_second differ")]
    [InlineData(
        "{\"m\": {\"litellm_provider\": \"openai\", \"mode\": \"chat\", \"input_cost_per_token\": 0.01, \"output_cost_per_token\": 0.01}}",
        "max_output_tokens is missing")]
    [InlineData("{\"m\": {\"litellm_provider\": \"openai\", \"mode\": \"embedding\", \"input_cost_per_token\": 0.01}}",
        "max_input_tokens is missing")]
    public void What_the_gateway_cannot_sell_is_refused_with_its_reason(string json, string reason) =>
        Assert.Equal([new("m", reason)], Read(json).Refused);

    [Fact]
    public void One_bad_model_does_not_keep_the_others_out()
    {
        var content = Read("""
            {"a": {"litellm_provider": "openai"},
             "b": {"litellm_provider": "openai", "mode": "chat", "max_tokens": 10, "input_cost_per_token": 1e-06,
                 "output_cost_per_token": 1e-06},
             "openai/b": {"litellm_provider": "openai", "mode": "chat", "max_tokens": 10, "input_cost_per_token": 2e-06,
                 "output_cost_per_token": 1e-06}}
            """.Unwrapped());

        Assert.Equal("1", Assert.Single(content.Entries).Prices.Input.ToString());
        Assert.Equal([new("a", "mode is missing"), new("openai/b", "openai/b is there twice")], content.Refused);
    }

    [Theory]
    [InlineData("[]")]
    [InlineData("1")]
    [InlineData("")]
    [InlineData("{\"a\"")]
    public void What_is_no_such_file_is_refused_whole(string json) => Assert.ThrowsAny<JsonException>(() => Read(json));

    static string Chat(string members) => $$$"""{"m": {"max_tokens": 10, "litellm_provider": "openai", "mode": "chat", {{{members}}} }}""";

    static CatalogueEntry Only(string json)
    {
        var content = Read(json);
        Assert.Empty(content.Refused);
        return Assert.Single(content.Entries);
    }

    static LiteLlmFile.Content Read(string json) => LiteLlmFile.Read(Encoding.UTF8.GetBytes(json), "file", Today);

    static string Show(Prices prices)
    {
        var stated = JsonSerializer.Deserialize<Dictionary<string, JsonElement>>(
            StoredPrices.Text(prices))!.Where(member => member.Value.ValueKind != JsonValueKind.Null);
        return "{" + string.Join(
            ",",
            stated.Select(member => $"\"{member.Key}\":{(member.Key == "tiers" ? Tiers(prices) : member.Value.GetRawText())}")) + "}";
    }

    static string Tiers(Prices prices) => "["
        + string.Join(",", prices.Tiers!.Select(tier => $$$"""{"aboveInput":{{{tier.AboveInput}}},"prices":{{{Show(tier.Prices)}}}}"""))
        + "]";
}
