using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;

namespace LlmGateway.EndToEnd;

/// <summary>
/// OpenAI's files and batches: prepaid, charged to the nano-dollar, and visible to their customer only. Prices in batches are half of the
/// usual ones.
/// </summary>
public sealed class FileBatchTests
{
    const string Files = "/v1/files", Batches = "/v1/batches", Chat = "/v1/chat/completions";

    const long Start = 1_000_000_000, MaxTokens = 50;

    static readonly string[] Usual = ["one two three", "[[tokens:5]] one two", "one"];

    [Fact]
    public async Task A_batch_of_a_file_is_charged_the_most_that_it_can_cost_and_then_what_its_results_say()
    {
        var user = await Backend.Wires.NewUserAsync();

        var file = (await UploadAsync(user.Token, Lines("chat-batch", Usual))).MustBe(200).Json;
        Assert.Equal(("file", "batch", "lines.jsonl"), (file.Text("object"), file.Text("purpose"), file.Text("filename")));
        var made = (await CreateAsync(user, file.Text("id"))).MustBe(200);

        const long cost = (3 + 3 + 1) * Price.Input / 2 + (20 + 5 + 20) * Price.Output / 2;
        await BalanceAsync(user, Start - cost);
        var row = await Books.OnlyUsageAsync(user);
        var bound = BoundOf("chat-batch", Usual);
        Assert.Equal(
            (made.RequestId, Outcome.Completed, bound, bound, 0, true, "batch"),
            (row.RequestId, row.Outcome, row.Cost, row.Charged, row.Absorbed, row.Estimated, row.Reason));

        var id = made.Json.Text("id");
        Assert.StartsWith("batch_", id);
        var batch = (await GetAsync(user, $"{Batches}/{id}")).MustBe(200).Json;
        Assert.Equal((id, "completed", file.Text("id")), (batch.Text("id"), batch.Text("status"), batch.Text("input_file_id")));
        var output = batch.Text("output_file_id");
        var results = (await GetAsync(user, $"{Files}/{output}/content"))
            .MustBe(200).Text
            .Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(
            ["line-0", "line-1", "line-2"],
            results.Select(line => JsonSerializer.Deserialize<JsonElement>(line).Text("custom_id")));
        Assert.Equal([output, file.Text("id")], (await GetAsync(user, Files)).MustBe(200).Json.Items("data").Select(one => one.Text("id")));
        Assert.Equal([id], (await GetAsync(user, "/batches")).MustBe(200).Json.Items("data").Select(one => one.Text("id")));

        (await Gateway.SendAsync("DELETE", $"{Files}/{output}", user.Token)).MustBe(200);
        (await GetAsync(user, $"{Files}/{output}")).MustBe(404);
        Assert.Equal([file.Text("id")], (await GetAsync(user, Files)).Json.Items("data").Select(one => one.Text("id")));
        await BalanceAsync(user, Start - cost);
    }

    [Fact]
    public async Task The_provider_gets_its_own_model_and_a_limit_in_every_line_and_never_the_caller_s_key()
    {
        var user = await Backend.Wires.NewUserAsync();
        var tag = Sandbox.NewTag();

        (await UploadAsync(
            user.Token,
            $$$"""{"custom_id":"a","method":"POST","url":"{{{Chat}}}","body":"""
                + $$$"""{"model":"chat-batch","user":"[[tag:{{{tag}}}]]","messages":[{"role":"user","content":"hi"}]}}"""))
            .MustBe(200);

        var call = await Sandbox.CallAsync(tag, call => call.Outcome == "completed", "the file at the provider");
        Assert.Contains("\"max_completion_tokens\":1000", call.Body);
        Assert.Contains("\"model\":\"sandbox-small\"", call.Body);
        Assert.Equal("Bearer sk-sandbox", call.Headers["Authorization"]);
        Assert.DoesNotContain(user.Token, string.Join(' ', call.Headers.Values) + call.Body);
    }

    [Fact]
    public async Task A_wallet_below_the_bound_is_refused_and_one_at_the_bound_pays_for_it_and_gets_back_what_is_cancelled()
    {
        var bound = BoundOf("chat-batch-pending", Usual);
        var poor = await Backend.Wires.NewUserAsync(Gateway.Usd(bound - 1));
        var able = await Backend.Wires.NewUserAsync(Gateway.Usd(bound));

        var refused = await CreateAsync(
            poor,
            (await UploadAsync(poor.Token, Lines("chat-batch-pending", Usual))).MustBe(200).Json.Text("id"));
        var id = (await CreateAsync(able, (await UploadAsync(able.Token, Lines("chat-batch-pending", Usual))).MustBe(200).Json.Text("id")))
            .MustBe(200).Json
            .Text("id");

        refused.MustBeProblem(402, "wallet_exhausted");
        Assert.Empty((await GetAsync(poor, Batches)).Json.Items("data"));
        Assert.Equal(bound - 1, await poor.BalanceAsync());
        Assert.Equal(0, await able.BalanceAfterAsync(1));
        (await Gateway.SendAsync("POST", $"{Batches}/{id}/cancel", able.Token)).MustBe(200);
        await BalanceAsync(able, bound);
    }

    [Fact]
    public async Task Created_again_under_its_key_it_is_the_same_batch_and_a_refusal_frees_the_key()
    {
        var bound = BoundOf("chat-batch-pending", Usual);
        var user = await Backend.Wires.NewUserAsync(null);
        var file = (await UploadAsync(user.Token, Lines("chat-batch-pending", Usual))).MustBe(200).Json.Text("id");
        var call = new KeyedCall(user.Token, Batches, Body(file, Chat));

        (await call.SendAsync()).MustBeProblem(402, "wallet_exhausted");
        await Backend.Wires.CreditAsync(user.WalletId, Gateway.Usd(2 * bound));
        var first = (await call.SendAsync(Stack.Proxy2)).MustBe(200);

        Assert.Null(first["Idempotent-Replayed"]);
        foreach (var proxy in Stack.Proxies)
        {
            var again = (await call.SendAsync(proxy)).MustBe(200);
            Assert.Equal(("true", first.RequestId), (again["Idempotent-Replayed"], again.RequestId));
            Assert.Equal(first.Bytes, again.Bytes);
        }
        Assert.Equal([first.Json.Text("id")], (await GetAsync(user, Batches)).Json.Items("data").Select(one => one.Text("id")));
        Assert.Equal(bound, await user.BalanceAfterAsync(1));
        Assert.Single(await Books.UsageAsync(user));
    }

    [Theory]
    [InlineData("chat-batch-error", 0)]
    [InlineData("chat-batch-nousage", 3 * 20 * Price.Output / 2 + 3 * Price.QuestionTokens * Price.Input / 2)]
    public async Task Lines_that_fail_cost_nothing_and_lines_without_usage_are_counted(string model, long cost)
    {
        var user = await Backend.Wires.NewUserAsync();
        var file = (await UploadAsync(user.Token, Lines(model, [Price.Question, Price.Question, Price.Question])))
            .MustBe(200).Json
            .Text("id");

        var id = (await CreateAsync(user, file)).MustBe(200).Json.Text("id");

        await BalanceAsync(user, Start - cost);
        if (cost == 0)
        {
            var errors = (await GetAsync(user, $"{Batches}/{id}")).Json.Text("error_file_id");
            Assert.Contains("\"status_code\":500", (await GetAsync(user, $"{Files}/{errors}/content")).MustBe(200).Text);
        }
    }

    [Fact]
    public async Task Embeddings_go_in_batches_too()
    {
        var user = await Backend.Wires.NewUserAsync();
        var file = (await UploadAsync(
            user.Token,
            """{"custom_id":"a","method":"POST","url":"/v1/embeddings","body":{"model":"chat-embedding","input":"one two three"}}"""))
            .MustBe(200).Json
            .Text("id");

        (await CreateAsync(user, file, "/v1/embeddings")).MustBe(200);

        await BalanceAsync(user, Start - 3 * Price.Input);
    }

    [Fact]
    public async Task Another_customer_s_files_and_batches_are_not_there()
    {
        var (user, other) = (await Backend.Wires.NewUserAsync(), await Backend.Wires.NewUserAsync());
        var file = (await UploadAsync(user.Token, Lines("chat-batch-pending", Usual))).MustBe(200).Json.Text("id");
        var batch = (await CreateAsync(user, file)).MustBe(200).Json.Text("id");

        foreach (var (method, path) in ((string, string)[])[
            ("GET", $"{Files}/{file}"), ("GET", $"{Files}/{file}/content"), (
                "DELETE",
                $"{Files}/{file}"), ("GET", $"{Batches}/{batch}"), ("POST", $"{Batches}/{batch}/cancel"),
            ("GET", $"{Files}/file-000000000001"), ("GET", $"{Batches}/batch_000000000001")])
            (await Gateway.SendAsync(method, path, other.Token)).MustBeProblem(404, "not_found");
        (await CreateAsync(other, file)).MustBeProblem(404, "not_found");
        foreach (var path in (string[])[Files, Batches])
            Assert.Empty((await GetAsync(other, path)).MustBe(200).Json.Items("data"));
        (await GetAsync(user, $"{Files}/{file}/content")).MustBe(200);
    }

    [Fact]
    public async Task Every_line_is_read_like_the_request_that_it_is()
    {
        var user = await Backend.Wires.NewUserAsync();
        var (_, narrow) = await Backend.Wires.NewKeyAsync(user.CustomerId, "\"models\":[\"chat-small\"]");
        var good = Lines("chat-batch", ["x"]);

        (await UploadAsync(user.Token, good + good.Replace("line-0", "b").Replace("\"messages\":", "\"message\":")))
            .MustBeProblem(400, "missing_field", "line 2: body.messages");
        (await UploadAsync(user.Token, good, purpose: "fine-tune")).MustBeProblem(400, "invalid_value", "purpose");
        (await UploadAsync(narrow, good)).MustBeProblem(403, "model_not_allowed", "line 1: body.model");
        var file = (await UploadAsync(user.Token, good)).MustBe(200).Json.Text("id");
        (await CreateAsync(user, file, "/v1/embeddings")).MustBeProblem(400, "invalid_value", "endpoint");
        (await Gateway.SendAsync("POST", Batches, narrow, Body(file, Chat))).MustBeProblem(403, "model_not_allowed", "model");
        Assert.Empty(await Books.UsageAsync(user));
    }

    [Fact]
    public async Task The_official_client_uploads_a_file_creates_a_batch_and_reads_its_results()
    {
        var user = await Backend.Wires.NewUserAsync();
        var (_, key) = await Backend.Wires.NewKeyAsync(user.CustomerId);

        var result = await Node.RunAsync(
            "wires/file-batches.mjs",
            JsonSerializer.Serialize(new { url = Stack.Proxy.ToString().TrimEnd('/'), key, model = "chat-batch" }));

        Assert.Equal(["a 200 20", "b 200 5"], result.Items("results").Select(line => line.GetString()));
        Assert.True(result.GetProperty("listed").GetBoolean() && result.GetProperty("gone").GetBoolean(), result.ToString());
        Assert.Equal("nightly", result.Text("metadata"));
    }

    static string Lines(string model, string[] prompts) => string.Concat(Bodies(model, prompts)
        .Select((body, i) => $$"""{"custom_id":"line-{{i}}","method":"POST","url":"{{Chat}}","body":{{body}}}""" + "\n"));

    static IEnumerable<string> Bodies(string model, string[] prompts) =>
        prompts.Select(prompt =>
            $$$"""{"model":"{{{model}}}","max_tokens":{{{MaxTokens}}},"messages":[{"role":"user","content":"{{{prompt}}}"}]}""");

    /// <summary>A token for each byte, 16 for the message and 64 for the frame; the whole limit of the output.</summary>
    static long BoundOf(string model, string[] prompts) =>
        Bodies(model, prompts).Sum(body => (body.Length + 16 + 64) * Price.Input / 2 + MaxTokens * Price.Output / 2);

    static Task<Reply> UploadAsync(string credential, string lines, string purpose = "batch")
    {
        var request = Gateway.Request("POST", Files, credential);
        var file = new ByteArrayContent(Encoding.UTF8.GetBytes(lines))
        {
            Headers = { ContentType = new MediaTypeHeaderValue("application/jsonl") },
        };
        request.Content = new MultipartFormDataContent { { new StringContent(purpose), "purpose" }, { file, "file", "lines.jsonl" } };
        return Gateway.SendAsync(request);
    }

    static Task<Reply> CreateAsync(User user, string file, string endpoint = Chat) =>
        Gateway.SendAsync("POST", Batches, user.Token, Body(file, endpoint));

    static string Body(string file, string endpoint) =>
        $$"""{"input_file_id":"{{file}}","endpoint":"{{endpoint}}","completion_window":"24h"}""";

    static Task<Reply> GetAsync(User user, string path) => Gateway.SendAsync("GET", path, user.Token);

    static Task<long> BalanceAsync(User user, long expected) =>
        Eventually.GetAsync(user.BalanceAsync, balance => balance == expected, $"a balance of {expected}", TimeSpan.FromSeconds(60));
}
