using System.Text;
using System.Text.Json;
using Xunit;

namespace LlmGateway.UnitTests.Sandbox;

/// <summary>What only Anthropic's wire has.</summary>
public sealed class AnthropicTests(Provider provider) : IClassFixture<Provider>
{
    const string Hello = "\"messages\":[{\"role\":\"user\",\"content\":\"hello\"}]";

    [Fact]
    public async Task A_stream_has_its_events_in_order_and_a_placeholder_where_the_output_is_not_known_yet()
    {
        var stream = await PostAsync(
            "/v1/messages",
            "{\"model\":\"m\",\"max_tokens\":9,\"stream\":true,"
                + "\"messages\":[{\"role\":\"user\",\"content\":\"[[thinks:1]] [[tokens:2]]\"}]}");

        var events = Wire.Events(stream.Text).ToArray();
        Assert.Equal(
            [
                "message_start", "ping", "content_block_start", "content_block_delta", "content_block_delta", "content_block_stop",
                "content_block_start", "content_block_delta", "content_block_delta", "content_block_stop", "message_delta", "message_stop",
            ],
            events.Select(item => item.Name));
        Assert.Equal("signature_delta", JsonElement.Parse(events[4].Data).GetProperty("delta").Text("type"));
        Assert.Equal(1, JsonElement.Parse(events[0].Data).GetProperty("message").GetProperty("usage").Long("output_tokens"));
        Assert.Equal(3, JsonElement.Parse(events[^2].Data).GetProperty("usage").Long("output_tokens"));
    }

    [Theory]
    [InlineData("{\"model\":\"m\",HELLO}", "max_tokens: Field required")]
    [InlineData("{\"max_tokens\":1,HELLO}", "model: Field required")]
    [InlineData("{\"model\":\"m\",\"max_tokens\":1}", "messages: Field required")]
    [InlineData("{\"model\":\"m\",\"max_tokens\":2000,\"thinking\":{\"type\":\"enabled\"},HELLO}",
        "thinking.budget_tokens: Field required")]
    [InlineData("{\"model\":", "The request body is not valid JSON.")]
    public async Task What_is_missing_is_named(string body, string message)
    {
        var refused = await PostAsync("/v1/messages", body.Replace("HELLO", Hello));

        Assert.Equal(400, refused.Status);
        Assert.Equal(message, new AnthropicWire().ErrorOf(refused));
    }

    [Fact]
    public async Task A_version_is_required_and_the_key_may_be_a_bearer()
    {
        const string body = "{\"model\":\"m\",\"max_tokens\":9," + Hello + "}";

        Assert.Equal(400, (await PostAsync("/v1/messages", body, ("x-api-key", "k"))).Status);
        Assert.Equal(401, (await PostAsync("/v1/messages", body, ("anthropic-version", "2026-10-21"))).Status);
        Assert.Equal(
            200,
            (await PostAsync("/v1/messages", body, ("Authorization", "Bearer k"), ("anthropic-version", "2026-10-21"))).Status);
    }

    [Theory]
    [InlineData("m", 2), InlineData("m-overrun", 5)]
    public async Task Searches_are_two_blocks_each_and_bounded_unless_the_model_overruns(string model, int searches)
    {
        foreach (var stream in (string[])["false", "true"])
        {
            var answer = await PostAsync("/v1/messages", $$"""
                {"model":"{{model}}","max_tokens":9,"stream":{{stream}},"messages":[{"role":"user","content":"[[searches:5]]"}],
                "tools":[{"type":"web_search_20250305","name":"web_search","max_uses":2}]}
                """);

            Assert.Equal(searches, answer.Text.Split("\"type\":\"server_tool_use\"").Length - 1);
            Assert.Equal(searches, answer.Text.Split("\"type\":\"web_search_tool_result\"").Length - 1);
            Assert.Contains($"\"web_search_requests\":{searches}", answer.Text);
            Assert.Contains($"\"input_tokens\":{1 + (searches * 100)}", answer.Text);
        }
    }

    [Fact]
    public async Task Cache_writes_are_beside_the_input_and_split_by_how_long_they_stay()
    {
        var usage = (await PostAsync("/v1/messages", """
            {"model":"m","max_tokens":9,"messages":[{"role":"user","content":[
              {"type":"text","text":"[[cachewrite:2]] [[cached:1]] one two","cache_control":{"type":"ephemeral","ttl":"1h"}},
                {"type":"image","source":{}}]}]}
            """.Unwrapped())).Json.GetProperty("usage");

        // Four words and an image of 85.
        Assert.Equal(
            (86, 1, 2),
            (usage.Long("input_tokens"), usage.Long("cache_read_input_tokens"), usage.Long("cache_creation_input_tokens")));
        Assert.Equal(
            (0, 2),
            (
                usage.GetProperty("cache_creation").Long("ephemeral_5m_input_tokens"),
                usage.GetProperty("cache_creation").Long("ephemeral_1h_input_tokens")));
    }

    [Fact]
    public async Task Counting_agrees_with_the_usage()
    {
        const string rest =
            "\"system\":\"be nice\",\"messages\":[{\"role\":\"user\","
                + "\"content\":[{\"type\":\"tool_result\",\"content\":\"three more words\"}]}]}";

        var counted = (await PostAsync("/v1/messages/count_tokens", "{\"model\":\"m\"," + rest)).Json.Long("input_tokens");

        Assert.Equal(5, counted);
        Assert.Equal(
            5,
            (await PostAsync("/v1/messages", "{\"model\":\"m\",\"max_tokens\":9," + rest)).Json.GetProperty("usage").Long("input_tokens"));
    }

    [Fact]
    public async Task A_batch_ends_and_links_to_its_results()
    {
        const string request = "{\"custom_id\":\"ID\",\"params\":{\"model\":\"MODEL\",\"max_tokens\":9," + Hello + "}}";
        var made = await PostAsync("/v1/messages/batches", "{\"requests\":["
            + request.Replace("ID", "a").Replace("MODEL", "m")
            + ","
            + request.Replace("ID", "b").Replace("MODEL", "m-error-529")
            + "]}");
        Assert.Equal(("in_progress", 2), (made.Json.Text("processing_status"), made.Json.GetProperty("request_counts").Long("processing")));

        var batch = (await GetAsync("/v1/messages/batches/" + made.Json.Text("id"))).Json;
        Assert.Equal("ended", batch.Text("processing_status"));
        Assert.StartsWith(provider.Http.BaseAddress!.ToString(), batch.Text("results_url"));

        var results = (await GetAsync(batch.Text("results_url"))).Text
            .Split('\n', StringSplitOptions.RemoveEmptyEntries)
            .Select(line => JsonElement.Parse(line))
            .ToArray();
        Assert.Equal(
            [("a", "succeeded"), ("b", "errored")],
            results.Select(line => (line.Text("custom_id"), line.GetProperty("result").Text("type"))));
        var alone = new AnthropicWire().Read((await PostAsync("/v1/messages", "{\"model\":\"m\",\"max_tokens\":9," + Hello + "}")).Json);
        Assert.Equal(alone, new AnthropicWire().Read(results[0].GetProperty("result").GetProperty("message")));
    }

    [Fact]
    public async Task Models_come_in_pages()
    {
        var (seen, after) = (new List<string>(), "");
        for (var more = true; more;)
        {
            var page = (await GetAsync("/v1/models?limit=7" + after)).Json;
            seen.AddRange(page.GetProperty("data").EnumerateArray().Select(model => model.Text("id")));
            more = page.GetProperty("has_more").GetBoolean();
            after = "&after_id=" + page.Text("last_id");
        }

        Assert.True(seen.Count > 20);
        Assert.Equal(seen.Distinct(), seen);
        Assert.Contains("sandbox-small-error-mid", seen);
        Assert.Equal(404, (await GetAsync("/v1/models/m-error-404")).Status);
    }

    Task<Provider.Arrived> GetAsync(string path) => provider.GetAsync(path, ("x-api-key", "k"), ("anthropic-version", "2023-06-01"));

    Task<Provider.Arrived> PostAsync(string path, string body) =>
        PostAsync(path, body, ("x-api-key", "k"), ("anthropic-version", "2023-06-01"));

    Task<Provider.Arrived> PostAsync(string path, string body, params (string Name, string Value)[] headers)
    {
        var request = new HttpRequestMessage(HttpMethod.Post, path)
        {
            Content = new StringContent(body, Encoding.UTF8, "application/json"),
        };
        foreach (var (name, value) in headers)
        {
            request.Headers.Add(name, value);
        }
        return provider.SendAsync(request);
    }
}
