using System.Text;
using System.Text.Json;
using LlmGateway.Contracts;
using ModelContextProtocol;
using ModelContextProtocol.Client;
using ModelContextProtocol.Protocol;

namespace LlmGateway.EndToEnd;

/// <summary>Routes of kind <c>mcp</c>: an MCP server behind the gateway, whose tools cost something.</summary>
public sealed class McpRouteTests
{
    /// <summary>Of a tool, and the most that <c>costly</c> may cost.</summary>
    const long Price = 10_000_000, Most = 50_000_000;

    const string Path = "/v1/tools", SessionHeader = "Mcp-Session-Id";

    static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task The_official_client_lists_and_calls_tools_with_our_credential_and_pays_for_each()
    {
        var (user, tag) = (await Backend.Apis.NewUserAsync("1"), Sandbox.NewTag());
        await using (var client = await ConnectAsync(user.Token))
        {
            Assert.Equal("sandbox", client.ServerInfo.Name);
            Assert.Contains(await client.ListToolsAsync(cancellationToken: Token), tool => tool.Name == "echo");
            foreach (var tool in (string[])["echo", "streams"])
            {
                var result = await client.CallToolAsync(tool, Words($"hello [[tag:{tag}]]"), cancellationToken: Token);
                Assert.StartsWith("hello", Assert.IsType<TextContentBlock>(Assert.Single(result.Content)).Text);
            }
        }
        Assert.Equal(2 * Price, Money.NanosPerUsd - await SettledAsync(user, 2 * Price));
        foreach (var call in await Sandbox.CallsAsync(tag))
        {
            var headers = new Dictionary<string, string>(call.Headers, StringComparer.OrdinalIgnoreCase);
            Assert.Equal("Bearer sk-api-of-ours-000", headers["Authorization"]);
            Assert.Matches(@"^\d+$", headers[SessionHeader]); // the server's own id
        }
        await Books.MustBeRightAsync();
    }

    /// <summary>What its layers lose, the agent cannot tell its user.</summary>
    [Fact]
    public async Task The_official_client_learns_why_a_call_is_refused()
    {
        var poor = await Backend.Apis.NewUserAsync("0.009");
        await using var client = await ConnectAsync(poor.Token);
        var e = await Assert.ThrowsAsync<McpProtocolException>(
            async () => await client.CallToolAsync("echo", Words("x"), cancellationToken: Token));
        Assert.Contains("the wallet has 0.009 USD available", e.Message);
        Assert.Equal(-32000, (int)e.ErrorCode);
    }

    [Theory]
    [InlineData("echo", null, 200, Price, "Completed")]
    [InlineData("fails", null, 200, 0, "Completed")]
    [InlineData("fails", "0.004", 200, 4_000_000, "Completed")]
    [InlineData("refuses", null, 200, 0, "Completed")]
    [InlineData("refuses", "0.004", 200, 4_000_000, "Completed")]
    [InlineData("breaks", null, 500, 0, "Failed")]
    [InlineData("breaks", "0.004", 500, 4_000_000, "Completed")]
    [InlineData("costly", "0.03", 200, 30_000_000, "Completed")]
    [InlineData("costly", "0", 200, 0, "Completed")]
    [InlineData("costly", "7", 200, Most, "Completed")]
    [InlineData("unsold", null, 200, 0, "Completed")]
    [InlineData("unsold", "0.02", 200, 20_000_000, "Completed")]
    [InlineData("streams", "0.004", 200, 4_000_000, "Completed")]
    public async Task A_call_costs_what_its_result_says_once(string tool, string? cost, int status, long charged, string outcome)
    {
        var user = await Backend.Apis.NewUserAsync("1");
        var reply = await CallAsync(user, tool, cost);
        Assert.Equal(status, reply.Status);
        var row = await Books.OnlyUsageAsync(user);
        Assert.Equal((charged, outcome), (row.Charged, $"{row.Outcome}"));
        Assert.Equal(Money.NanosPerUsd - charged, await user.BalanceAsync());
        if (reply["Content-Type"] == "application/json" && status == 200)
            Assert.Equal(Gateway.Usd(charged), reply["X-LLMGateway-Cost"]);
        await Books.MustBeRightAsync();
    }

    [Theory]
    [InlineData("cut"), InlineData("forever")]
    public async Task A_server_that_breaks_off_or_answers_without_end_is_ended_and_costs_nothing(string tool)
    {
        var (user, tag) = (await Backend.Apis.NewUserAsync("1"), Sandbox.NewTag());
        await Assert.ThrowsAnyAsync<Exception>(() => CallAsync(user, tool, null, $"[[tag:{tag}]]"));
        var row = await Books.OnlyUsageAsync(user);
        Assert.Equal((Outcome.Interrupted, 0), (row.Outcome, row.Charged));
        Assert.StartsWith("no_result", row.Reason);
        await Sandbox.CallAsync(tag, seen => seen.Outcome != "running", "the end of the server's side");
        Assert.Equal(Money.NanosPerUsd, await user.BalanceAsync());
        await Books.MustBeRightAsync();
    }

    [Fact]
    public async Task A_refusal_is_the_error_of_its_message_with_all_that_a_refusal_says()
    {
        var poor = await Backend.Apis.NewUserAsync("0.009");
        var reply = await CallAsync(poor, "echo", null);
        Assert.Equal(200, reply.Status);
        var error = reply.Json.GetProperty("error");
        var data = error.GetProperty("data");
        Assert.Equal((7, "2.0", -32000), (reply.Json.Int("id"), reply.Json.Text("jsonrpc"), error.Int("code")));
        Assert.Equal(
            ("wallet_exhausted", 402, "0.001"), (data.Text("code"), data.Int("status"), data.GetProperty("limit").Text("missing")));

        var limited = await Backend.Apis.NewUserAsync("1");
        await limited.LimitAsync(requestsPerMinute: 1, tokensPerMinute: null);
        Assert.True((await CallAsync(limited, "echo", null)).Json.TryGetProperty("result", out _));
        data = (await CallAsync(limited, "echo", null)).MustBe(200).Json.GetProperty("error").GetProperty("data");
        Assert.Equal(("rate_limit_exceeded", 429), (data.Text("code"), data.Int("status")));
        Assert.True(data.Int("retryAfter") > 0);
    }

    /// <summary>Whoever is not known, or has no session any more, is told so by the status, which clients obey.</summary>
    [Fact]
    public async Task Who_is_not_known_is_told_so_by_the_status()
    {
        Assert.Equal(401, (await SendAsync(Path, "llm_gw_nobody", "ping")).Status);
        Assert.Equal(404, (await SendAsync(Path, (await Backend.Other.NewUserAsync()).Token, "ping")).Status);
        var user = await Backend.Apis.NewUserAsync("1");
        Assert.Equal(404, (await SendAsync(Path, user.Token, "ping", session: "1")).Status);
        Assert.Equal("DELETE, POST", (await Gateway.SendAsync("GET", Path, user.Token)).MustBe(405)["Allow"]);
    }

    /// <summary>All customers are one account at the server, and its ids can be guessed.</summary>
    [Fact]
    public async Task Nobody_enters_the_session_of_another_customer()
    {
        var (user, other) = (await Backend.Apis.NewUserAsync("1"), await Backend.Apis.NewUserAsync("1"));
        var session = (await InitializeAsync(user))!;
        (await SendAsync(Path, user.Token, "ping", session: session)).MustBe(200);
        foreach (var guessed in (string[])[session, session.Split('.')[0]])
            Assert.Equal(404, (await SendAsync(Path, other.Token, "ping", session: guessed)).Status);
        Assert.Equal(404, (await SendAsync("/v1/few-tools", user.Token, "ping", session: session)).Status);
        (await Gateway.SendAsync("DELETE", Path, user.Token, null, Stack.Proxy2, (SessionHeader, session))).MustBe(200);
        Assert.Equal(404, (await SendAsync(Path, user.Token, "ping", session: session)).Status);
    }

    [Fact]
    public async Task A_message_that_is_repeated_in_its_session_runs_once_and_is_charged_once()
    {
        var (user, tag) = (await Backend.Apis.NewUserAsync("1"), Sandbox.NewTag());
        var session = await InitializeAsync(user);
        var first = await CallAsync(user, "echo", null, $"[[tag:{tag}]]", session);
        var again = await CallAsync(user, "echo", null, $"[[tag:{tag}]]", session, Stack.Proxy2);
        Assert.Equal((first.Text, "true"), (again.Text, again["Idempotent-Replayed"]));
        Assert.Single(await Sandbox.CallsAsync(tag));
        var other = (await CallAsync(user, "echo", null, "something else", session)).MustBe(200);
        var data = other.Json.GetProperty("error").GetProperty("data");
        Assert.Equal(("idempotency_key_reused", 422), (data.Text("code"), data.Int("status")));
        // Another session has messages of its own.
        (await CallAsync(user, "echo", null, $"[[tag:{tag}]]", await InitializeAsync(user))).MustBe(200);
        Assert.Equal(2, (await Sandbox.CallsAsync(tag)).Count);
        Assert.Equal(2 * Price, Money.NanosPerUsd - await SettledAsync(user, 2 * Price));
        await Books.MustBeRightAsync();
    }

    [Fact]
    public async Task An_answer_that_was_lost_is_got_again_by_the_same_id_and_charged_once()
    {
        var (user, tag) = (await Backend.Apis.NewUserAsync("1"), Sandbox.NewTag());
        var (session, text) = (await InitializeAsync(user), $"[[tag:{tag}]]");
        using (await Gateway.OpenAsync(Message(Path, user.Token, "tools/call", Call("streams", null, text), session), Token))
        {
            // The caller has the head of the answer, and leaves.
        }
        var again = await Eventually.GetAsync(
            () => CallAsync(user, "streams", null, text, session), reply => reply.Text.Contains("\"result\"", StringComparison.Ordinal),
            "the answer that was lost");
        Assert.Equal("true", again["Idempotent-Replayed"]);
        Assert.Single(await Sandbox.CallsAsync(tag));
        Assert.Equal(Price, Money.NanosPerUsd - await SettledAsync(user, Price));
        await Books.MustBeRightAsync();
    }

    /// <summary>The server would go on without end. What its tool has done by then is done.</summary>
    [Fact]
    public async Task Who_leaves_pays_for_what_the_tool_does_all_the_same()
    {
        var user = await Backend.Apis.NewUserAsync("1");
        using (await Gateway.OpenAsync(Message(Path, user.Token, "tools/call", Call("forever", null, "x")), Token))
        {
            // The caller has the head of the answer, and leaves.
        }
        var row = await Books.OnlyUsageAsync(user);
        Assert.Equal((Outcome.Aborted, Price, "result_unknown, aborted"), (row.Outcome, row.Charged, row.Reason));
        await Books.MustBeRightAsync();
    }

    [Fact]
    public async Task A_key_calls_the_tools_that_its_scope_names_and_a_route_sells_those_that_have_a_price()
    {
        var user = await Backend.Apis.NewUserAsync("1");
        var (_, one) = await Backend.Apis.NewKeyAsync(user.CustomerId, "\"models\":[\"tools/echo\"]");
        var (_, none) = await Backend.Apis.NewKeyAsync(user.CustomerId, "\"models\":[\"weather\"]");
        (await SendAsync(Path, one, "tools/list")).MustBe(200);
        Assert.True((await CallAsync(user with { Token = one }, "echo", null)).Json.TryGetProperty("result", out _));
        var refused = (await CallAsync(user with { Token = one }, "fails", null)).MustBe(200).Json.GetProperty("error");
        Assert.Equal("model_not_allowed", refused.GetProperty("data").Text("code"));
        Assert.Equal(403, (await SendAsync(Path, none, "tools/list")).Status);

        var few = await SendAsync("/v1/few-tools", user.Token, "tools/call", """{"name":"streams","arguments":{}}""");
        Assert.Equal("model_unpriced", few.MustBe(200).Json.GetProperty("error").GetProperty("data").Text("code"));
        await Books.MustBeRightAsync();
    }

    [Fact]
    public async Task A_failure_gives_a_call_credit_back()
    {
        var user = await Backend.Apis.NewUserAsync(null);
        (await Backend.Apis.PostAsync(
            $"/v1/customers/{user.CustomerId}/balances", """{"type":"standard","amount":1,"op":"credit"}""")).MustBe(200);
        foreach (var (tool, used) in ((string, string?)[])[("fails", null), ("refuses", null), ("echo", "standard")])
        {
            var reply = await SendAsync("/v1/credited-tools", user.Token, "tools/call", $$$"""{"name":"{{{tool}}}","arguments":{}}""");
            Assert.Equal(used, reply.MustBe(200)["X-Query-Type"]);
        }
        await Books.UsageAsync(user, 3);
        var data = (await SendAsync("/v1/credited-tools", user.Token, "tools/call", """{"name":"echo","arguments":{}}"""))
            .MustBe(200).Json.GetProperty("error").GetProperty("data");
        Assert.Equal(("not_enough_queries", "standard"), (data.Text("code"), data.GetProperty("details").Text("queryType")));
    }

    [Fact]
    public async Task Headers_that_contradict_the_message_are_refused()
    {
        var user = await Backend.Apis.NewUserAsync("1");
        foreach (var header in ((string, string)[])[("Mcp-Method", "ping"), ("Mcp-Name", "costly")])
        {
            var reply = await SendAsync(
                Path, user.Token, "tools/call", """{"name":"echo","arguments":{}}""", null, null, header);
            Assert.Equal("invalid_value", reply.MustBe(200).Json.GetProperty("error").GetProperty("data").Text("code"));
        }
        Assert.Empty(await Books.UsageAsync(user));
    }

    static Dictionary<string, object?> Words(string text) => new Dictionary<string, object?> { ["text"] = text };

    static Task<McpClient> ConnectAsync(string credential) => McpClient.CreateAsync(
        new HttpClientTransport(
            new()
            {
                Endpoint = new(Stack.Proxy, Path),
                TransportMode = HttpTransportMode.StreamableHttp,
                AdditionalHeaders = new Dictionary<string, string> { ["Authorization"] = $"Bearer {credential}" },
            },
            new HttpClient(new SocketsHttpHandler { UseProxy = false }), null, true),
        cancellationToken: Token);

    static async Task<string?> InitializeAsync(User user) => (await SendAsync(
        Path, user.Token, "initialize",
        """{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"test","version":"1"}}""")).MustBe(200)[SessionHeader];

    static Task<Reply> CallAsync(
        User user, string tool, string? cost, string text = "hello", string? session = null, Uri? at = null) =>
        Gateway.SendAsync(Message(Path, user.Token, "tools/call", Call(tool, cost, text), session, at));

    static string Call(string tool, string? cost, string text) => JsonSerializer.Serialize(
        new { name = tool, arguments = cost is null ? (object)new { text } : new { text, cost } });

    static Task<Reply> SendAsync(
        string path, string credential, string method, string parameters = "{}", string? session = null, Uri? at = null,
        params (string, string)[] headers) => Gateway.SendAsync(Message(path, credential, method, parameters, session, at, headers));

    static HttpRequestMessage Message(
        string path, string credential, string method, string parameters, string? session = null, Uri? at = null,
        params (string, string)[] headers)
    {
        var request = Gateway.Request("POST", path, credential, at: at, headers: session is null
            ? headers
            : [(SessionHeader, session), .. headers]);
        request.Headers.TryAddWithoutValidation("Accept", "application/json, text/event-stream");
        request.Content = new StringContent(
            $$"""{"jsonrpc":"2.0","id":7,"method":"{{method}}","params":{{parameters}}}""", Encoding.UTF8, "application/json");
        return request;
    }

    /// <summary>The balance when so much was paid.</summary>
    static Task<long> SettledAsync(User user, long paid) => Eventually.GetAsync(
        user.BalanceAsync, balance => balance == Money.NanosPerUsd - paid, $"a payment of {paid}");
}
