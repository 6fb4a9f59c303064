using System.Text.Json;

namespace LlmGateway.EndToEnd;

/// <summary>
/// Anthropic's batches: prepaid, charged to the nano-dollar, and visible to their customer only. Prices in batches are half of the usual
/// ones.
/// </summary>
public sealed class MessageBatchTests
{
    const string Path = "/v1/messages/batches";

    const long Start = 1_000_000_000, MaxTokens = 50;

    static readonly string[] Usual = ["one two three", "[[tokens:5]] one two", "one"];

    [Fact]
    public async Task A_batch_is_charged_the_most_that_it_can_cost_and_then_what_its_results_say()
    {
        var user = await Backend.Wires.NewUserAsync();
        var tag = Sandbox.NewTag();

        var made = (await CreateAsync(user, "messages-batch", tag, Usual)).MustBe(200);

        var id = made.Json.Text("id");
        Assert.StartsWith("msgbatch_", id);
        // Six words and a marker in; 20, 5 and 20 words out.
        const long cost = (3 + 3 + 1) * Price.Input / 2 + (20 + 5 + 20) * Price.Output / 2;
        await BalanceAsync(user, Start - cost);
        var row = await Books.OnlyUsageAsync(user);
        var bound = BoundOf("messages-batch", tag, Usual);
        Assert.Equal(
            (made.RequestId, Outcome.Completed, bound, bound, 0, true, "batch"),
            (row.RequestId, row.Outcome, row.Cost, row.Charged, row.Absorbed, row.Estimated, row.Reason));
        Assert.Equal(Gateway.Usd(bound), made["X-LLMGateway-Cost"]);
        // The copy that users see follows a moment later.
        Assert.Equal(
            ["adjustment", "usage"],
            await Eventually.GetAsync(
                async () => (await user.OwnBalanceAsync()).Json.Items("recentLedger").Take(2).Select(entry => entry.Text("type")).ToArray(),
                types => types is [not "usage", _], "the correction in the user's own ledger"));

        var batch = (await GetAsync(user, id)).MustBe(200).Json;
        Assert.Equal(
            (id, "ended", 3),
            (batch.Text("id"), batch.Text("processing_status"), batch.GetProperty("request_counts").Int("succeeded")));
        Assert.Equal(new Uri(Stack.Proxy, $"{Path}/{id}/results").ToString(), batch.Text("results_url"));
        var results = (await Gateway.SendAsync("GET", batch.Text("results_url"), user.Token))
            .MustBe(200).Text
            .Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(
            ["line-0", "line-1", "line-2"],
            results.Select(line => JsonSerializer.Deserialize<JsonElement>(line).Text("custom_id")));
        Assert.Equal([id], (await Gateway.SendAsync("GET", Path, user.Token)).MustBe(200).Json.Items("data").Select(one => one.Text("id")));

        (await Gateway.SendAsync("DELETE", $"{Path}/{id}", user.Token)).MustBe(200);
        (await GetAsync(user, id)).MustBe(404);
        Assert.Empty((await Gateway.SendAsync("GET", Path, user.Token)).MustBe(200).Json.Items("data"));
        await BalanceAsync(user, Start - cost);
    }

    [Fact]
    public async Task The_provider_hears_its_own_key_and_model_and_never_the_caller()
    {
        var user = await Backend.Wires.NewUserAsync();
        var tag = Sandbox.NewTag();

        await CreateAsync(user, "messages-batch", tag, Usual);

        var call = await Sandbox.CallAsync(tag, call => call.Outcome == "completed", "the batch at the provider");
        Assert.Equal("sk-sandbox", call.Headers["x-api-key"]);
        Assert.DoesNotContain(user.Token, string.Join(' ', call.Headers.Values) + call.Body + call.Path);
        Assert.Contains("\"model\":\"sandbox-small\"", call.Body);
        Assert.DoesNotContain("messages-batch", call.Body);
    }

    [Fact]
    public async Task A_wallet_below_the_bound_is_refused_and_nothing_is_created_and_one_at_the_bound_pays_for_it()
    {
        var tag = Sandbox.NewTag();
        var bound = BoundOf("messages-batch-pending", tag, Usual);
        var poor = await Backend.Wires.NewUserAsync(Gateway.Usd(bound - 1));
        var able = await Backend.Wires.NewUserAsync(Gateway.Usd(bound));

        var refused = (await CreateAsync(poor, "messages-batch-pending", tag, Usual)).MustBe(402);

        Assert.Contains("wallet", refused.Json.GetProperty("error").Text("message"));
        Assert.Empty(await Sandbox.CallsAsync(tag));
        Assert.Equal(bound - 1, await poor.BalanceAsync());
        (await CreateAsync(able, "messages-batch-pending", tag, Usual)).MustBe(200);
        Assert.Equal(0, await able.BalanceAfterAsync(1));
    }

    [Fact]
    public async Task Created_again_under_its_key_it_is_the_same_batch_at_every_proxy_and_charged_once()
    {
        var (user, tag) = (await Backend.Wires.NewUserAsync(), Sandbox.NewTag());
        var call = new KeyedCall(user.Token, Path, Body("messages-batch-pending", tag, Usual));

        var first = (await call.SendAsync()).MustBe(200);

        foreach (var proxy in Stack.Proxies)
        {
            var again = (await call.SendAsync(proxy)).MustBe(200);
            Assert.Equal(("true", first.RequestId), (again["Idempotent-Replayed"], again.RequestId));
            Assert.Equal(first.Bytes, again.Bytes);
            Assert.All((string[])["Content-Type", "X-LLMGateway-Cost"], header => Assert.Equal(first[header], again[header]));
        }
        (await (call with { Body = call.Body + " " }).SendAsync()).MustBe(422);
        Assert.Single(await Sandbox.CallsAsync(tag));
        Assert.Single((await Gateway.SendAsync("GET", Path, user.Token)).MustBe(200).Json.Items("data"));
        Assert.Equal(Start - BoundOf("messages-batch-pending", tag, Usual), await user.BalanceAfterAsync(1));
        Assert.Single(await Books.UsageAsync(user));
    }

    [Fact]
    public async Task A_limit_of_requests_counts_the_lines_of_a_batch_also_one_that_comes_after_it()
    {
        var user = await Backend.Wires.NewUserAsync();
        var at = $"/v1/customers/{user.CustomerId}/limits";
        (await Backend.Wires.PutAsync(at, """[{"unit":"requests","amount":5,"cycle":"day"}]""")).MustBe(200);
        (await CreateAsync(user, "messages-batch-pending", null, Usual)).MustBe(200);
        await user.BalanceAfterAsync(1);

        var limit = (await CreateAsync(user, "messages-batch-pending", null, Usual)).MustBeProblem(429, "limit_reached").Json
            .GetProperty("error").GetProperty("limit");
        Assert.Equal(("3", "5", "1"), (limit.Text("used"), limit.Text("limit"), limit.Text("missing")));

        var other = (await Backend.Wires.PutAsync(at, """[{"unit":"requests","amount":9,"cycle":"month"}]""")).MustBe(200).Json;
        Assert.Equal(("3", "6"), (other[0].Text("used"), other[0].Text("left")));
    }

    [Fact]
    public async Task A_batch_that_is_cancelled_costs_what_it_did()
    {
        var user = await Backend.Wires.NewUserAsync();
        var tag = Sandbox.NewTag();
        var id = (await CreateAsync(user, "messages-batch-pending", tag, Usual)).MustBe(200).Json.Text("id");
        Assert.Equal(Start - BoundOf("messages-batch-pending", tag, Usual), await user.BalanceAfterAsync(1));
        Assert.Equal("in_progress", (await GetAsync(user, id)).Json.Text("processing_status"));
        (await Gateway.SendAsync("DELETE", $"{Path}/{id}", user.Token)).MustBe(409);

        var cancelled = (await Gateway.SendAsync("POST", $"{Path}/{id}/cancel", user.Token)).MustBe(200).Json;

        Assert.Equal((id, "canceling"), (cancelled.Text("id"), cancelled.Text("processing_status")));
        await BalanceAsync(user, Start);
    }

    [Theory]
    // The provider fails at every line.
    [InlineData("messages-batch-error", 0)]
    // The provider reports no usage, so our count of the answers and questions is charged.
    [InlineData("messages-batch-nousage", 3 * 20 * Price.Output / 2 + 3 * Price.QuestionTokens * Price.Input / 2)]
    public async Task Lines_that_fail_cost_nothing_and_lines_without_usage_are_counted(string model, long cost)
    {
        var user = await Backend.Wires.NewUserAsync();

        (await CreateAsync(user, model, null, [Price.Question, Price.Question, Price.Question])).MustBe(200);

        await BalanceAsync(user, Start - cost);
    }

    [Fact]
    public async Task A_batch_that_the_provider_refuses_costs_nothing()
    {
        var user = await Backend.Wires.NewUserAsync();

        var refused = await PostAsync(
            user.Token,
            """
            {"requests":[{"custom_id":"a","params":{"model":"messages-batch","max_tokens":5,"messages":[{"content":"who says so?"}]}}]}
            """.ReplaceLineEndings(""));

        refused.MustBe(400);
        var row = await Books.OnlyUsageAsync(user);
        Assert.Equal((Outcome.Failed, 0, 0), (row.Outcome, row.Cost, row.Charged));
        Assert.Equal(Start, await user.BalanceAsync());
    }

    [Fact]
    public async Task Another_customer_s_batch_is_not_there()
    {
        var (user, other) = (await Backend.Wires.NewUserAsync(), await Backend.Wires.NewUserAsync());
        var id = (await CreateAsync(user, "messages-batch-pending", null, Usual)).MustBe(200).Json.Text("id");

        foreach (var (method, path) in ((string, string)[])
        [
            ("GET", id),
            ("POST", $"{id}/cancel"),
            ("GET", $"{id}/results"),
            ("DELETE", id),
            ("GET", "msgbatch_000000000001"),
        ])
        {
            var reply = (await Gateway.SendAsync(method, $"{Path}/{path}", other.Token)).MustBe(404);
            Assert.Equal(("error", "not_found_error"), (reply.Json.Text("type"), reply.Json.GetProperty("error").Text("type")));
        }
        Assert.Empty((await Gateway.SendAsync("GET", Path, other.Token)).MustBe(200).Json.Items("data"));
        Assert.Equal("in_progress", (await GetAsync(user, id)).Json.Text("processing_status"));
    }

    [Fact]
    public async Task Every_line_is_read_like_the_request_that_it_is()
    {
        var user = await Backend.Wires.NewUserAsync();
        var (_, narrow) = await Backend.Wires.NewKeyAsync(user.CustomerId, "\"models\":[\"messages-small\"]");
        const string good =
            """{"custom_id":"a","params":{"model":"messages-batch","max_tokens":5,"messages":[{"role":"user","content":"x"}]}}""";

        await RefusedAsync(good.Replace("5", "\"5\""), 400, "requests[1].params.max_tokens");
        await RefusedAsync(good.Replace("\"max_tokens\":5", "\"max_tokens\":5,\"stream\":true"), 400, "requests[1].params.stream");
        await RefusedAsync(good.Replace("messages-batch", "messages-small"), 400, "requests[1].params.model");
        await RefusedAsync(good, 400, "requests[1].custom_id");
        (await PostAsync(narrow, $$"""{"requests":[{{good}}]}""")).MustBe(403);
        Assert.Empty(await Books.UsageAsync(user));

        async Task RefusedAsync(string second, int status, string field)
        {
            var first = field.EndsWith("custom_id", StringComparison.Ordinal) ? good : good.Replace("\"a\"", "\"b\"");
            var reply = (await PostAsync(user.Token, $$"""{"requests":[{{first}},{{second}}]}""")).MustBe(status);
            Assert.Contains(field, reply.Json.GetProperty("error").Text("message"));
        }
    }

    [Fact]
    public async Task The_official_client_creates_a_batch_and_follows_the_link_to_its_results()
    {
        var user = await Backend.Wires.NewUserAsync();
        foreach (var package in (string[])["@anthropic-ai/sdk", "anthropic-0"])
        {
            var (_, key) = await Backend.Wires.NewKeyAsync(user.CustomerId);
            var result = await Node.RunAsync(
                "wires/message-batches.mjs",
                JsonSerializer.Serialize(new { url = Stack.Proxy.ToString().TrimEnd('/'), key, model = "messages-batch", package }));

            Assert.Equal(["a succeeded 20", "b succeeded 5"], result.Items("results").Select(line => line.GetString()));
            Assert.True(result.GetProperty("listed").GetBoolean() && result.GetProperty("gone").GetBoolean(), result.ToString());
        }
    }

    static Task<Reply> CreateAsync(User user, string model, string? tag, string[] prompts) =>
        PostAsync(user.Token, Body(model, tag, prompts));

    static string Body(string model, string? tag, string[] prompts) =>
        $$"""{"requests":[{{string.Join(',', Requests(model, tag, prompts))}}]}""";

    static IEnumerable<string> Requests(string model, string? tag, string[] prompts) =>
        Params(model, tag, prompts).Select((parameters, i) => $$"""{"custom_id":"line-{{i}}","params":{{parameters}}}""");

    static IEnumerable<string> Params(string model, string? tag, string[] prompts) => prompts.Select(prompt =>
        $$$"""{"model":"{{{model}}}","max_tokens":{{{MaxTokens}}},"metadata":{"user_id":"[[tag:{{{tag}}}]]"},"messages":"""
            + $$$"""[{"role":"user","content":"{{{prompt}}}"}]}""");

    /// <summary>A token for each byte, 16 for the message and 64 for the frame; the whole limit of the output.</summary>
    static long BoundOf(string model, string? tag, string[] prompts) =>
        Params(model, tag, prompts).Sum(parameters => (parameters.Length + 16 + 64) * Price.Input / 2 + MaxTokens * Price.Output / 2);

    static Task<Reply> PostAsync(string credential, string json) => Gateway.SendAsync("POST", Path, credential, json);

    static Task<Reply> GetAsync(User user, string id) => Gateway.SendAsync("GET", $"{Path}/{id}", user.Token);

    static Task<long> BalanceAsync(User user, long expected) =>
        Eventually.GetAsync(user.BalanceAsync, balance => balance == expected, $"a balance of {expected}", TimeSpan.FromSeconds(60));
}
