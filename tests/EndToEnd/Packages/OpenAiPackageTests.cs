using System.Text.Json;

namespace LlmGateway.EndToEnd;

/// <summary>The npm package <c>openai</c>, unchanged, with a base URL and a key.</summary>
public sealed class OpenAiPackageTests
{
    [Fact]
    public async Task Lists_the_models_that_the_key_may_use()
    {
        var user = await Backend.App.NewUserAsync("1", "\"scope\":{\"models\":[\"small\",\"odd\"]}");

        var result = await RunAsync("models", user.Token);

        Assert.Equal(["odd", "small"], result.Items("list").Select(id => id.GetString()).Order());
        Assert.Equal("sandbox", result.GetProperty("one").Text("owned_by"));
    }

    [Fact]
    public async Task Chats_with_a_customer_s_key_and_knows_the_request_s_id()
    {
        var user = await Backend.App.NewUserAsync();
        var (_, key) = await Backend.App.NewKeyAsync(user.CustomerId);

        var result = await RunAsync("chat", key);

        Assert.Equal(20, result.GetProperty("answer").GetProperty("choices")[0].GetProperty("message").Text("content").Split(' ').Length);
        Assert.Equal($"req_{(await Books.OnlyUsageAsync(user)).RequestId:N}", result.Text("requestId"));
    }

    [Fact]
    public async Task Streams_without_seeing_usage_that_it_did_not_ask_for()
    {
        var user = await Backend.App.NewUserAsync();

        var result = await RunAsync("stream", user.Token);

        Assert.Equal((20, 0, 0), (result.Text("text").Split(' ').Length, result.Int("usageChunks"), result.Int("emptyChunks")));
        Assert.Equal((43_000, false), ((await Books.OnlyUsageAsync(user)).Charged, (await Books.OnlyUsageAsync(user)).Estimated));
    }

    [Fact]
    public async Task Streams_with_the_usage_that_it_asked_for_and_its_cost()
    {
        var user = await Backend.App.NewUserAsync();

        var result = await RunAsync("streamWithUsage", user.Token);

        var usage = result.GetProperty("usage");
        Assert.Equal(
            (3, 20, 23, "0.000043"),
            (usage.Int("prompt_tokens"), usage.Int("completion_tokens"), usage.Int("total_tokens"), usage.Text("cost")));
        Assert.Equal((20, 0), (result.Text("text").Split(' ').Length, result.Int("choicesOfLast")));
    }

    [Theory]
    [InlineData("tools")]
    [InlineData("toolsStreamed")]
    public async Task Gets_tool_calls_whole_and_in_pieces(string scenario)
    {
        var user = await Backend.App.NewUserAsync();

        var result = await RunAsync(scenario, user.Token);

        Assert.Equal("tool_calls", result.Text("finish"));
        Assert.Equal(
            ("weather", """{"city": "Rome"}"""),
            (result.GetProperty("call").Text("name"), result.GetProperty("call").Text("arguments")));
        // call [[tool:weather {"city": "Rome"}]] is four words; name and two words of arguments are three tokens.
        Assert.Equal(4 * Price.Input + 3 * Price.Output, (await Books.OnlyUsageAsync(user)).Charged);
    }

    [Fact]
    public async Task Continues_texts_whole_and_in_pieces()
    {
        var user = await Backend.App.NewUserAsync();

        var result = await RunAsync("completions", user.Token);

        var whole = result.Items("whole").Select(text => text.GetString()!).ToArray();
        Assert.Equal([6, 6], whole.Select(text => text.Split(' ').Length));
        Assert.Equal(whole, result.Items("streamed").Select(text => text.GetString()!));
        Assert.Equal(
            (4, 12, "0.000028"),
            (
                result.GetProperty("usage").Int("prompt_tokens"),
                result.GetProperty("usage").Int("completion_tokens"),
                result.GetProperty("usage").Text("cost")));
        Assert.Equal([28_000, 28_000], (await Books.UsageAsync(user, 2)).Select(row => row.Charged));
    }

    [Theory]
    [InlineData("small", "{\"max_tokens\":-1}", "BadRequestError", 400, "invalid_value", "max_tokens")]
    [InlineData("no-such-model", "{}", "BadRequestError", 400, "model_not_found", "model")]
    [InlineData("odd", "{}", "PermissionDeniedError", 403, "model_not_allowed", "model")]
    [InlineData("error-404", "{}", "NotFoundError", 404, "model_not_found", null)]
    [InlineData("error-429", "{}", "RateLimitError", 429, "upstream_rate_limited", null)]
    [InlineData("error-500", "{}", "InternalServerError", 502, "upstream_error", null)]
    public async Task Raises_its_typed_errors(string model, string more, string name, int status, string code, string? param)
    {
        var user = await Backend.App.NewUserAsync("1", "\"scope\":{\"models\":[\"small\",\"error-404\",\"error-429\",\"error-500\"]}");

        var error = await RunAsync("fails", user.Token, model, JsonSerializer.Deserialize<JsonElement>(more));

        Assert.Equal((name, status, code, param), (error.Text("name"), error.Int("status"), error.Text("code"), error.Text("param")));
        Assert.StartsWith("req_", error.Text("requestId"));
        Assert.StartsWith($"{status} ", error.Text("message"));
    }

    [Fact]
    public async Task Raises_its_typed_errors_for_what_the_caller_is()
    {
        var poor = await Backend.App.NewUserAsync(null);
        Assert.Equal(("APIError", 402, "wallet_exhausted"), Seen(await RunAsync("fails", poor.Token, "small")));
        Assert.Equal(("AuthenticationError", 401, "invalid_api_key"), Seen(await RunAsync("fails", "sk-wrong", "small")));
        Assert.Equal(("AuthenticationError", 401, "wrong_credential_kind"), Seen(await RunAsync("fails", Backend.App.Key, "small")));
        Assert.Equal(("NotFoundError", 404, "not_found"), Seen(await RunAsync("modelFails", poor.Token)));

        static (string, int, string) Seen(JsonElement error) => (error.Text("name"), error.Int("status"), error.Text("code"));
    }

    [Fact]
    public async Task Raises_when_a_stream_breaks_off()
    {
        var user = await Backend.App.NewUserAsync();

        var result = await RunAsync("streamFails", user.Token, "cut");

        Assert.Equal(10, result.Text("text").Split(' ').Length);
        Assert.Equal(
            ("APIError", "The provider broke off its answer."),
            (result.GetProperty("error").Text("name"), result.GetProperty("error").Text("message")));
    }

    [Fact]
    public async Task Its_abort_reaches_the_provider()
    {
        var user = await Backend.App.NewUserAsync();
        var tag = Sandbox.NewTag();

        var result = await Node.RunAsync("openai.mjs", "abort", new { url = Stack.Proxy, key = user.Token, user = $"[[tag:{tag}]]" });

        // It aborts at the third word; a few more may lie in its buffers already.
        Assert.InRange(result.Int("words"), 3, 499);
        var call = await Sandbox.CallAsync(tag, call => call.Outcome == "aborted", "the abort at the provider");
        Assert.InRange((await Books.OnlyUsageAsync(user)).OutputTokens, 3, call.TokensOut);
    }

    static Task<JsonElement> RunAsync(string scenario, string key, string? model = null, JsonElement? more = null) =>
        Node.RunAsync("openai.mjs", scenario, new { url = Stack.Proxy.ToString().TrimEnd('/'), key, model, more });
}
