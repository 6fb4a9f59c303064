using System.Net.Http.Headers;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using LlmGateway.Contracts;

namespace LlmGateway.EndToEnd;

/// <summary>
/// Raw calls of providers that are any HTTP API: what passes, what does not, and what a call costs. The API is the sandbox's, see
/// <c>services/Sandbox/Http</c>.
/// </summary>
public sealed class RawCallTests
{
    const string Ours = "sk-api-of-ours-000";

    static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("GET"), InlineData("POST"), InlineData("PUT"), InlineData("PATCH"), InlineData("DELETE")]
    public async Task Any_method_reaches_the_api_below_its_address_and_its_answer_the_caller(string method)
    {
        var user = await NewCallerAsync(standard: 2);
        foreach (var (root, proxy) in ((string, Uri)[])[("/v1/providers", Stack.Proxy), ("/api/v1/api-gateway", Stack.Proxy2)])
        {
            var reply = (await Gateway.SendAsync(
                method, $"{root}/api/echo/a%20b/c/?x=1&y=%C3%A9%26&paywall_id=pw_1&z", user.Token,
                method is "GET" ? null : "{\"text\":\"\u00e9\"}", proxy)).MustBe(200);
            Assert.Equal(
                ("42", "standard", "query:standard=1"), (reply["X-Total-Count"], reply["X-Query-Type"], reply["X-LLMGateway-Used"]));
            Assert.Equal(
                (method, "/http/echo/a%20b/c/?x=1&y=%C3%A9%26&z", method is "GET" ? "" : "{\"text\":\"\u00e9\"}"),
                (reply.Json.Text("method"), reply.Json.Text("target"), reply.Json.Text("body")));
        }
        await Books.UsageAsync(user, 2);
        await MustHaveAsync(user, 0);
        await Books.MustBeRightAsync();
    }

    [Fact]
    public async Task The_providers_own_address_can_be_called()
    {
        var user = await NewCallerAsync(standard: 2);
        foreach (var path in (string[])["/api/v1/api-gateway/open", "/api/v1/api-gateway/open?a=b"])
        {
            var target = (await Gateway.SendAsync("POST", path, user.Token, "{}")).MustBe(200).Json.Text("target");
            Assert.Equal("/http/echo" + (path.Contains('?') ? "?a=b" : ""), target);
        }
    }

    [Fact]
    public async Task Bodies_of_any_type_and_size_pass_both_ways_byte_for_byte()
    {
        var user = await NewCallerAsync(standard: 10);
        var bytes = RandomNumberGenerator.GetBytes(3_000_000);
        HttpContent[] bodies =
        [
            new ByteArrayContent(bytes) { Headers = { ContentType = new("application/octet-stream") } },
            new ByteArrayContent(bytes[..1000]) { Headers = { ContentType = new("image/png") } },
            new Chunked(bytes) { Headers = { ContentType = new("application/x-ndjson") } },
            new MultipartFormDataContent("boundary-1") { { new ByteArrayContent(bytes[..200_000]), "file", "a.bin" } },
            new StringContent("plain words", Encoding.UTF8, "text/plain"),
        ];
        foreach (var (i, body) in bodies.Index())
        {
            var sent = await body.ReadAsByteArrayAsync(Token);
            var type = body.Headers.ContentType!.ToString();
            using var request = Gateway.Request("POST", "/v1/providers/api/mirror", user.Token, at: Stack.Proxies[i % 2]);
            request.Content = body;
            var reply = (await Gateway.SendAsync(request)).MustBe(200);
            Assert.Equal(type, reply["Content-Type"]);
            Assert.True(sent.AsSpan().SequenceEqual(reply.Bytes), type);
        }
        Assert.Equal(5_000_000, (await CallAsync(user, "bytes/5000000")).MustBe(200).Bytes.Length);
        (await CallAsync(user, "empty")).MustBe(204);
    }

    /// <summary>The provider has had a part of it, and is not to blame.</summary>
    [Fact]
    public async Task A_body_that_turns_out_to_be_no_http_on_its_way_is_the_callers_mistake_and_costs_nothing()
    {
        var user = await NewCallerAsync(standard: 1);
        var text = await RawHttp.SendAsync(
            $"POST /v1/providers/api/mirror HTTP/1.1\r\nHost: {Stack.Proxy.Authority}\r\nAuthorization: Bearer {user.Token}\r\n"
                + "Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nno length\r\n");

        Assert.StartsWith("HTTP/1.1 400 ", text);
        var row = await Books.OnlyUsageAsync(user);
        Assert.Equal((Outcome.Failed, 400, "bad_request_body"), (row.Outcome, row.Status, row.Reason));
        await MustHaveAsync(user, 1);
    }

    /// <summary>Content of unknown length.</summary>
    sealed class Chunked(byte[] bytes) : HttpContent
    {
        protected override Task SerializeToStreamAsync(Stream stream, System.Net.TransportContext? context) =>
            stream.WriteAsync(bytes, 0, bytes.Length);

        protected override bool TryComputeLength(out long length)
        {
            length = 0;
            return false;
        }
    }

    [Fact]
    public async Task A_stream_passes_event_by_event_as_it_comes()
    {
        var user = await NewCallerAsync(standard: 1);
        using var response = await Gateway.OpenAsync(
            Gateway.Request("POST", "/v1/providers/api/events/3/hold", user.Token, "{}", Stack.Proxy), Token);
        Assert.Equal(("text/event-stream", "no"), (
            response.Content.Headers.ContentType!.ToString(), response.Headers.GetValues("X-Accel-Buffering").Single()));
        using var reader = new StreamReader(await response.Content.ReadAsStreamAsync(Token));
        for (var i = 0; i < 3; i++)
        {
            Assert.Equal(
                """data: {"object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":"word "}}]}""",
                await reader.ReadLineAsync(Token));
            Assert.Equal("", await reader.ReadLineAsync(Token));
        }
    }

    /// <summary>Whatever the caller says of itself, of other gateways and of our account there.</summary>
    static readonly string[] CallerHeaders =
    [
        "X-API-Key", "x-goog-api-key", "Api-Key", "Cookie", "Forwarded", "Via", "Referer", "Proxy-Authorization", "X-Original-URL",
        "X-Rewrite-URL", "X-HTTP-Method-Override", "X-User-ID", "X-Plan-ID", "X-Key-ID", "X-Forwarded-For", "X-Forwarded-Host",
        "X-Forwarded-Proto", "X-Forwarded-Prefix", "X-Real-IP", "X-Paywall-Id", "X-SDK-Version", "X-SDK-Capabilities", "X-Client-Session",
        "X-LLMGateway-Provider", "X-Gateway-Call", "x-goog-user-project", "openai-organization", "openai-project", "traceparent",
        "baggage", "Sec-Fetch-Mode", "CF-Connecting-IP", "X-Declared", "X-Provider", "X-Api-Base", "X-Base-Url", "X-LiteLLM-Api-Base",
        "x-portkey-custom-host", "Helicone-Target-Url", "X-Upstream",
    ];

    [Theory]
    [InlineData("api", "authorization", $"Bearer {Ours}")]
    [InlineData("by-header", "x-secret", Ours)]
    [InlineData("by-password", "authorization", "Basic dXNlcjpzay1hcGktb2Ytb3Vycy0wMDA=")]
    [InlineData("by-query", null, null)]
    [InlineData("gratis", null, null)]
    public async Task Our_credential_reaches_the_api_and_nothing_of_the_callers_does(string provider, string? header, string? value)
    {
        var user = await NewCallerAsync(standard: 5);
        var canary = $"canary{Guid.NewGuid():N}";
        var reply = (await Gateway.SendAsync(Gateway.Request(
            "POST", $"/v1/providers/{provider}/echo/x?a=1&token={user.Token}&paywall_id={canary}&b=2"
                + (provider == "by-query" ? $"&key={canary}&%6Bey={canary}&KEY={canary}" : ""),
            user.Token, "{}", headers:
            [
                ("Connection", "X-Declared"),
                ("Origin", "https://apis.example.com"),
                ("X-Mine", "passes"),
                ("X-Mine-Too", $"my key is {user.Token}"),
                ("Accept", "application/json"),
                ("X-Secret", canary),
                .. CallerHeaders.Select(name => (name, canary)),
            ]))).MustBe(200);

        var headers = reply.Json.GetProperty("headers").Deserialize<Dictionary<string, string>>()!;
        Assert.Equal(("passes", "application/json"), (headers["x-mine"], headers["accept"]));
        var target = reply.Json.Text("target");
        Assert.Equal($"/http/echo/x?a=1&b=2{(provider == "by-query" ? $"&key={Ours}" : "")}", target);
        if (header is not null)
            Assert.Equal(value, headers[header]);
        else
            Assert.DoesNotContain("authorization", headers.Keys);
        if (provider != "by-header")
            headers.Remove("x-secret"); // any other header is the caller's to send
        Assert.DoesNotContain(canary, string.Join('\n', headers.Values) + target);
        Assert.DoesNotContain(user.Token, reply.Text);
        // What the API says to the browser of its own users, and links with our key in them, end here.
        Assert.Null(reply["Set-Cookie"]);
        Assert.DoesNotContain(Ours, reply["Link"] ?? "");
        Assert.DoesNotContain(Stack.Sandbox.Authority, reply["Link"] ?? "");
    }

    [Theory]
    [InlineData("../status/200"), InlineData("a/../../status/200"), InlineData("%2e%2e/status/200"), InlineData("..%2fstatus/200")]
    [InlineData("a/%2E%2E/%2e%2e/status/200"), InlineData("a//b"), InlineData("/evil.example/x"), InlineData("%2f%2fevil.example")]
    [InlineData("%252e%252e/x"), InlineData("a%00b"), InlineData("http://evil.example/"), InlineData("a?x=1#y"), InlineData(".%2e/x")]
    [InlineData("a\\..\\b"), InlineData("a%5c..%5cb"), InlineData("..;/status/200"), InlineData("%2e%2e%3bx/status/200")]
    public async Task No_path_leads_out_of_the_providers_address(string path)
    {
        var user = await NewCallerAsync(standard: 1);
        var tag = Sandbox.NewTag();

        var (status, text) = await RawHttp.PostAsync(
            $"/v1/providers/open/{path}{(path.Contains('?') ? '&' : '?')}tag={tag}", user.Token, "{}");

        Assert.True(status is 400 or 401 or 404 or 405, $"{status} {text}");
        Assert.Empty(await Sandbox.CallsAsync(tag));
        await MustHaveAsync(user, 1);
    }

    [Fact]
    public async Task A_request_line_with_another_host_in_it_calls_nobody()
    {
        var user = await NewCallerAsync(standard: 1);
        var tag = Sandbox.NewTag();
        var (status, _) = await RawHttp.PostAsync($"http://evil.example/v1/providers/open/x?tag={tag}", user.Token, "{}", "evil.example");
        Assert.Equal(400, status);
        Assert.Empty(await Sandbox.CallsAsync(tag));
    }

    [Theory]
    [InlineData("status/400", 400), InlineData("status/404", 404), InlineData("status/409", 409), InlineData("status/429", 429)]
    [InlineData("status/500", 500), InlineData("status/503", 503), InlineData("status/401", 502), InlineData("status/402", 502)]
    [InlineData("status/403", 502), InlineData("redirect?to=http://evil.example/", 502), InlineData("cut", 502)]
    [InlineData("events/0/cut", 502)]
    public async Task An_api_that_fails_or_refuses_gives_the_credit_back_and_says_why(string path, int status)
    {
        var user = await NewCallerAsync(standard: 1);
        for (var i = 0; i < 2; i++)
        {
            var reply = (await CallAsync(user, path, Stack.Proxies[i])).MustBe(status);
            Assert.Equal((null, null, null), (reply["X-LLMGateway-Used"], reply["X-Query-Type"], reply["Location"]));
            Assert.DoesNotContain(Ours, reply.Text);
            if (status == 502)
                Assert.Equal(reply.Code, reply.Json.Text("code"));
            else
                Assert.Equal(("refused", "no luck with 'Bearer ***'"), (reply.Json.Text("error"), reply.Json.Text("detail")));
        }
        Assert.All(await Books.UsageAsync(user, 2), row => Assert.Equal((Outcome.Failed, status, 0), (row.Outcome, row.Status, row.Cost)));
        await MustHaveAsync(user, 1);
        (await CallAsync(user, "echo/x")).MustBe(200);
    }

    [Theory]
    [InlineData("unreachable", "echo/x", 502, "upstream_unreachable")]
    [InlineData("impatient", "hang", 504, "upstream_timeout")]
    public async Task An_api_that_is_not_there_costs_nothing(string provider, string path, int status, string code)
    {
        var user = await NewCallerAsync(standard: 1);
        (await Gateway.SendAsync("POST", $"/v1/providers/{provider}/{path}", user.Token, "{}")).MustBeProblem(status, code);
        await Books.UsageAsync(user, 1);
        await MustHaveAsync(user, 1);
    }

    [Fact]
    public async Task Who_leaves_before_the_answer_begins_keeps_the_credit_and_who_leaves_later_has_spent_it()
    {
        var user = await NewCallerAsync(standard: 2);
        foreach (var (path, left, words) in ((string, int, int)[])[("hang", 2, 0), ("events/4/hold", 1, 4)])
        {
            var tag = Sandbox.NewTag();
            using var leaves = CancellationTokenSource.CreateLinkedTokenSource(Token);
            var call = Gateway.OpenAsync(
                Gateway.Request("POST", $"/v1/providers/api/{path}?tag={tag}", user.Token, "{}"), leaves.Token);
            await Sandbox.CallAsync(tag, seen => seen.Outcome == "running", "the API's call");
            if (words > 0)
            {
                using var response = await call;
                using var reader = new StreamReader(await response.Content.ReadAsStreamAsync(Token));
                for (var i = 0; i < 2 * words; i++)
                    await reader.ReadLineAsync(Token);
            }
            else
            {
                await leaves.CancelAsync();
                await Assert.ThrowsAnyAsync<OperationCanceledException>(() => call);
            }
            await Sandbox.CallAsync(tag, seen => seen.Outcome == "aborted", "the end of the API's call");
            await MustHaveEventuallyAsync(user, left);
        }
        Assert.All(await Books.UsageAsync(user, 2), row => Assert.Equal(Outcome.Aborted, row.Outcome));
        await Books.MustBeRightAsync();
    }

    [Fact]
    public async Task An_answer_that_breaks_off_is_no_clean_end_and_keeps_the_credit()
    {
        var user = await NewCallerAsync(standard: 1);
        await Assert.ThrowsAnyAsync<HttpRequestException>(() => CallAsync(user, "events/5/cut"));
        Assert.Equal(Outcome.Interrupted, (await Books.OnlyUsageAsync(user)).Outcome);
        await MustHaveAsync(user, 0);
    }

    [Fact]
    public async Task Of_many_calls_at_once_exactly_as_many_are_answered_as_there_are_credits()
    {
        const int Credits = 5;
        var user = await NewCallerAsync(standard: Credits);
        var replies = await Task.WhenAll(Enumerable.Range(0, 40).Select(i => CallAsync(user, "echo/x", Stack.Proxies[i % 2])));
        Assert.Equal(Credits, replies.Count(reply => reply.Status == 200));
        Assert.All(replies.Where(reply => reply.Status != 200), reply => Assert.True(
            (reply.Status, reply.Code) is (402, "not_enough_queries") or (429, "balance_held"), reply.ToString()));
        await Books.UsageAsync(user, Credits);
        await MustHaveAsync(user, 0);

        var refused = (await CallAsync(user, "echo/x")).MustBeProblem(402, "not_enough_queries").Json;
        Assert.Equal("not_enough_queries", refused.Text("code"));
        var details = refused.GetProperty("details");
        Assert.Equal(("standard", 0), (details.Text("queryType"), details.GetProperty("currentBalance").Int("count")));
        Assert.Equal("standard", details.GetProperty("balances")[0].Text("type"));
        await Books.MustBeRightAsync();
    }

    [Fact]
    public async Task What_is_free_is_never_charged()
    {
        var user = await NewCallerAsync(standard: 1);
        var reply = (await Gateway.SendAsync("GET", "/v1/providers/gratis/echo/x", user.Token)).MustBe(200);
        Assert.Equal(("free", null), (reply["X-Query-Type"], reply["X-LLMGateway-Used"]));
        await Books.UsageAsync(user, 1);
        await MustHaveAsync(user, 1);
    }

    [Fact]
    public async Task A_wallet_pays_no_raw_call()
    {
        var user = await Backend.Apis.NewUserAsync("5");
        (await CallAsync(user, "echo/x")).MustBeProblem(402, "not_enough_queries");
        await AdjustAsync(user, 1);
        (await CallAsync(user, "echo/x", Stack.Proxy2)).MustBe(200);
        Assert.Equal(5 * Money.NanosPerUsd, await user.BalanceAfterAsync(1));
        await MustHaveAsync(user, 0);
    }

    [Theory]
    [InlineData("untyped", "echo/x", 403, "provider-disabled")]
    [InlineData("closed", "echo/x", 403, "provider-disabled")]
    [InlineData("narrow", "echo/other", 403, "provider-disabled")]
    [InlineData("narrow", "echo/allowedx", 403, "provider-disabled")]
    [InlineData("narrow", "echo/allowed/x", 200, null)]
    [InlineData("narrow", "rows/3", 200, null)]
    [InlineData("models", "v1/files", 403, "provider-disabled")]
    [InlineData("models", "v1/responses", 403, "provider-disabled")]
    [InlineData("models", "v1/chat/completions", 400, null)]
    [InlineData("models", "chat/completions", 400, null)]
    [InlineData("nobody", "echo/x", 404, "not_found")]
    [InlineData("sandbox", "echo/x", 404, "not_found")] // another project's
    public async Task A_provider_is_called_where_it_takes_raw_calls_and_nowhere_else(string provider, string path, int status, string? code)
    {
        var user = await NewCallerAsync(standard: 1);
        var reply = (await Gateway.SendAsync("POST", $"/v1/providers/{provider}/{path}", user.Token, "{}")).MustBe(status);
        if (code is null)
            return;
        reply.MustBeProblem(status, code);
        Assert.Equal(code, reply.Json.Text("code"));
        await MustHaveAsync(user, 1);
    }

    [Fact]
    public async Task A_model_is_called_raw_for_one_credit()
    {
        var user = await NewCallerAsync(standard: 1);
        var reply = (await Gateway.SendAsync(
            "POST", "/api/v1/api-gateway/models/v1/chat/completions?paywall_id=pw_1", user.Token,
            """{"model":"sandbox-small","messages":[{"role":"user","content":"[[say:hello]]"}]}""")).MustBe(200);
        Assert.Equal(("hello", "standard"), (reply.Content, reply["X-Query-Type"]));
        await Books.UsageAsync(user, 1);
        await MustHaveAsync(user, 0);
    }

    [Fact]
    public async Task Whose_key_is_for_some_models_calls_raw_only_where_its_scope_says_so()
    {
        var user = await NewCallerAsync(standard: 3);
        var (_, scoped) = await Backend.Apis.NewKeyAsync(user.CustomerId, "\"models\":[\"small\"]");
        var (_, named) = await Backend.Apis.NewKeyAsync(user.CustomerId, "\"models\":[\"api/*\"]");
        (await Gateway.SendAsync("POST", "/v1/providers/api/echo/x", scoped, "{}")).MustBeProblem(403, "model_not_allowed", "model");
        (await Gateway.SendAsync("POST", "/v1/providers/open/x", named, "{}")).MustBeProblem(403, "model_not_allowed", "model");
        (await Gateway.SendAsync("POST", "/v1/providers/api/echo/x", named, "{}")).MustBe(200);
    }

    [Fact]
    public async Task A_test_credential_reaches_only_the_sandbox_and_a_secret_key_nothing()
    {
        var user = await Backend.ApisTest.NewUserAsync(null);
        (await Gateway.SendAsync("POST", "/v1/providers/unreachable/echo/x", user.Token, "{}")).MustBeProblem(403, "live_only", "model");
        (await Gateway.SendAsync("POST", "/v1/providers/gratis/echo/x", user.Token, "{}")).MustBe(200);
        (await Backend.Apis.PostAsync("/v1/providers/gratis/echo/x", "{}")).MustBeProblem(401, "wrong_credential_kind");
        var nobodys = (await Gateway.SendAsync("POST", "/v1/providers/gratis/echo/x", null, "{}")).MustBeProblem(401, "missing_api_key");
        Assert.Equal("missing_api_key", nobodys.Json.Text("code"));
    }

    [Fact]
    public async Task A_call_that_is_repeated_under_its_key_runs_once_and_each_repetition_gets_the_same_answer()
    {
        var user = await NewCallerAsync(standard: 5);
        var (key, tag) = (Guid.NewGuid().ToString(), Sandbox.NewTag());
        foreach (var (address, status) in ((string, int)[])[("mirror", 200), ("empty", 204), ("events/3", 200)])
        {
            var path = $"{address}?tag={tag}";
            Reply? first = null;
            foreach (var proxy in Stack.Proxies)
            {
                var reply = (await SendAsync(path, "\"any text\"", proxy)).MustBe(status);
                first ??= reply;
                Assert.Equal((first.Text, first["Content-Type"]), (reply.Text, reply["Content-Type"]));
                Assert.Equal(("query:standard=1", "standard"), (reply["X-LLMGateway-Used"], reply["X-Query-Type"]));
                Assert.Equal(reply == first ? null : "true", reply["Idempotent-Replayed"]);
            }
            (await SendAsync(path, "\"another\"", Stack.Proxy)).MustBeProblem(422, "idempotency_key_reused", "Idempotency-Key");
            key = Guid.NewGuid().ToString();
        }
        Assert.Equal(3, (await Sandbox.CallsAsync(tag)).Count);
        Assert.Equal(3, (await Books.UsageAsync(user, 3)).Count);
        await MustHaveAsync(user, 2);

        // A call that failed has not used its key.
        (await SendAsync($"status/500?tag={tag}", "{}", Stack.Proxy)).MustBe(500);
        (await SendAsync($"status/500?tag={tag}", "{}", Stack.Proxy2)).MustBe(500);
        Assert.Equal(5, (await Sandbox.CallsAsync(tag)).Count);

        Task<Reply> SendAsync(string path, string body, Uri at) =>
            Gateway.SendAsync("POST", $"/v1/providers/api/{path}", user.Token, body, at, ("Idempotency-Key", key));
    }

    [Fact]
    public async Task A_key_in_the_path_is_seen_by_nobody_else()
    {
        var user = await NewCallerAsync(standard: 20);
        var (_, key) = await Backend.Apis.NewKeyAsync(user.CustomerId, "\"keyInPath\":true");
        var tag = Sandbox.NewTag();
        foreach (var (path, status) in ((string, int)[])
        [
            ("/v1/providers/api/echo/x", 200), ("/v1/providers/by-query/echo/x", 200), ("/v1/providers/api/status/404", 404),
            ("/v1/providers/api/status/500", 500), ("/v1/providers/api/cut", 502), ("/v1/providers/unreachable/x", 502),
            ("/v1/providers/nobody/x", 404), ("/v1/providers/api/..%2fx", 400), ("/v1/weather/10", 200), ("/v1/choose/..%2fx", 400),
        ])
        {
            var address = $"/k/{key}{path}?tag={tag}&again={key}";
            var reply = (await Gateway.SendAsync("GET", address, headers: [("Referer", $"https://a.example{address}")])).MustBe(status);
            Assert.Equal(("no-store", "no-referrer"), (reply["Cache-Control"], reply["Referrer-Policy"]));
            Assert.DoesNotContain(key, reply.Text + reply.Headers);
        }
        var calls = await Sandbox.CallsAsync(tag);
        // A GET whose connection ends before its answer is sent again, as HTTP has it.
        Assert.Equal(6, calls.DistinctBy(call => (call.Path, call.Query)).Count());
        Assert.All(calls, call => Assert.DoesNotContain(key, string.Join('\n', [call.Path, call.Query, .. call.Headers.Values])));
        foreach (var (log, text) in await Attack.LogsAsync())
            Assert.False(text.Contains(key, StringComparison.Ordinal), $"the key stands in {log}");
    }

    [Fact]
    public async Task Every_limit_of_the_customer_holds_for_raw_calls_too()
    {
        var user = await NewCallerAsync(standard: 20);
        var limits = $"/v1/customers/{user.CustomerId}/limits";
        (await Backend.Apis.PutAsync(limits, """[{"id":"few","unit":"requests","amount":2,"cycle":"day"}]""")).MustBe(200);
        await Eventually.HoldsAsync(async () => (await Backend.Apis.GetAsync(limits)).Text.Contains("few"), "the limit");
        for (var i = 0; i < 2; i++)
            (await CallAsync(user, "echo/x", Stack.Proxies[i])).MustBe(200);
        (await Gateway.SendAsync("POST", "/v1/providers/gratis/echo/x", user.Token, "{}")).MustBeProblem(429, "limit_reached");
        (await CallAsync(user, "echo/x")).MustBeProblem(429, "limit_reached");

        (await Backend.Apis.PutAsync(limits, """[{"id":"some","unit":"tokens","amount":2000,"cycle":"day"}]""")).MustBe(200);
        (await Eventually.GetAsync(
            () => CallAsync(user, "echo/x"), reply => reply.Status != 429, "the new limit")).MustBeProblem(400, "limit_not_measurable");

        const string One = """[{"id":"one","unit":"requests","amount":1,"cycle":"day","selector":{"models":["open/*"]}}]""";
        (await Backend.Apis.PutAsync(limits, One)).MustBe(200);
        await Eventually.GetAsync(
            () => Gateway.SendAsync("POST", "/v1/providers/open/x", user.Token, "{}"), reply => reply.Status == 200, "the new limit");
        (await Gateway.SendAsync("POST", "/v1/providers/open/x", user.Token, "{}")).MustBeProblem(429, "limit_reached");
        (await CallAsync(user, "echo/x")).MustBe(200);
        await Books.MustBeRightAsync();
    }

    [Fact]
    public async Task Rates_and_places_hold_for_raw_calls_too()
    {
        var user = await NewCallerAsync(standard: 20);
        (await Backend.Apis.PutAsync($"/v1/customers/{user.CustomerId}/rates", """{"requestsPerMinute":3,"concurrent":1}""")).MustBe(200);
        await Task.WhenAll(Stack.Proxies.Select(proxy => Eventually.GetAsync(
            () => Gateway.SendAsync("POST", "/v1/providers/nobody/x", user.Token, "{}", proxy),
            reply => reply["X-RateLimit-Limit-Requests"] == "3" || reply.Status == 429, "the rates")));
        (await Eventually.GetAsync(() => CallAsync(user, "echo/x"), reply => reply.Status == 429, "the end of the minute's requests"))
            .MustBeProblem(429, "rate_limit_exceeded");

        (await Backend.Apis.PutAsync($"/v1/customers/{user.CustomerId}/rates", """{"concurrent":1}""")).MustBe(200);
        await Eventually.HoldsAsync(async () => (await CallAsync(user, "echo/x")).Status == 200, "the new rates");
        using (var held = await Gateway.OpenAsync(
            Gateway.Request("POST", "/v1/providers/api/events/1/hold", user.Token, "{}", Stack.Proxy), Token))
            (await Eventually.GetAsync(() => CallAsync(user, "echo/x", Stack.Proxy2), reply => reply.Status != 200, "the slot in use"))
                .MustBeProblem(429, "concurrent_limit_reached");
    }

    /// <summary>A customer whom only call credits pay for, with a key.</summary>
    static async Task<User> NewCallerAsync(long standard)
    {
        var name = $"caller-{Guid.NewGuid():N}";
        var made = (await Backend.Apis.PostAsync("/v1/customers", $$"""{"externalId":"{{name}}","wallet":false}""")).MustBe(201).Json;
        var (_, key) = await Backend.Apis.NewKeyAsync(made.Text("id"));
        var user = new User(Backend.Apis, name, key, "", made.Text("id"), "");
        await AdjustAsync(user, standard);
        return user;
    }

    static async Task AdjustAsync(User user, long amount) => (await Backend.Apis.PostAsync(
        $"/v1/customers/{user.CustomerId}/balances", $$"""{"type":"standard","amount":{{amount}},"op":"credit"}""")).MustBe(200);

    static Task<Reply> CallAsync(User user, string path, Uri? proxy = null) =>
        Gateway.SendAsync("POST", $"/v1/providers/api/{path}", user.Token, "{}", proxy);

    static async Task<long> LeftAsync(User user) =>
        (await Backend.Apis.GetAsync($"/v1/customers/{user.CustomerId}/balances")).MustBe(200).Json.GetProperty("balances")
            .EnumerateArray().Single().GetProperty("count").GetInt64();

    static async Task MustHaveAsync(User user, long standard) => Assert.Equal(standard, await LeftAsync(user));

    static Task MustHaveEventuallyAsync(User user, long standard) =>
        Eventually.HoldsAsync(async () => await LeftAsync(user) == standard, $"{standard} credits");
}
