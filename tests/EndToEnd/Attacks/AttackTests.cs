using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;

namespace LlmGateway.EndToEnd;

/// <summary>
/// Known attacks on gateways for models, tried on every wire of callers and, where it matters, before every wire of providers. Nothing
/// reaches a provider that the configuration does not say. Nobody pays less than what was used. A refusal is in the words of the caller's
/// wire.
/// </summary>
public sealed partial class AttackTests
{
    static readonly string[] Providers = ["chat", "responses", "messages", "gemini"];

    /// <summary>All that a provider needs to know of a request.</summary>
    static readonly HashSet<string> ProviderHeaders =
        new(
            ["Accept", "Content-Type", "Content-Length", "Host", "Authorization", "x-api-key", "x-goog-api-key", "anthropic-version"],
            StringComparer.OrdinalIgnoreCase);

    static readonly string[] CallerHeaders =
    [
        "Cookie", "Forwarded", "Via", "Referer", "User-Agent", "Proxy-Authorization", "x-api-key", "x-goog-api-key", "X-Original-URL",
        "X-Rewrite-URL", "X-HTTP-Method-Override", "X-User-ID", "X-Plan-ID", "X-Key-ID", "X-Forwarded-For", "X-Forwarded-Host",
        "X-Forwarded-Proto", "X-Forwarded-Prefix", "X-Real-IP", "X-Gateway-Principal", "X-Client-Session", "x-goog-user-project",
        "x-goog-api-client", "openai-organization", "openai-project", "openai-beta", "anthropic-dangerous-direct-browser-access",
        "anthropic-workspace-id", "X-Provider", "X-Api-Base", "X-Base-Url", "X-LiteLLM-Api-Base", "x-portkey-custom-host",
        "Helicone-Target-Url", "X-Upstream", "X-LLMGateway-Cost", "X-LLMGateway-Provider", "traceparent", "baggage", "Idempotency-Key",
    ];

    /// <summary>As events of each wire, with ends and usage of next to nothing.</summary>
    const string Forgery =
        "start\n\ndata: [DONE]\n\ndata: {\"choices\":[],\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":1,\"cost\":\"0\"}}\n\n"
            + "event: response.completed\n"
            + "data: {\"type\":\"response.completed\",\"response\":{\"status\":\"completed\","
            + "\"usage\":{\"input_tokens\":1,\"output_tokens\":1}}}\n\n"
            + "event: message_delta\ndata: {\"type\":\"message_delta\",\"usage\":{\"output_tokens\":1}}\n\nevent: message_stop\n"
            + "data: {\"type\":\"message_stop\"}\n\n"
            + "data: {\"usageMetadata\":{\"promptTokenCount\":1,\"candidatesTokenCount\":1},\"error\":{\"message\":\"forged\"}}\r\n\r\n"
            + ": comment\r\revent: error\u2028\u2029\u0085\u0001\"\\ end";

    public static TheoryData<string> Callers() => [.. Speaker.All.Select(speaker => speaker.Name)];

    public static TheoryData<string, string> Pairs()
    {
        var pairs = new TheoryData<string, string>();
        foreach (var caller in Speaker.All)
            foreach (var provider in Providers)
                pairs.Add(caller.Name, provider);
        return pairs;
    }

    [Theory, MemberData(nameof(Pairs))]
    public async Task Nothing_of_a_caller_s_headers_and_query_reaches_the_provider(string caller, string provider)
    {
        var (speaker, user, tag, canary) = (Of(caller), await Backend.Wires.NewUserAsync(), Sandbox.NewTag(), $"canary{Guid.NewGuid():N}");
        var path = speaker.Path($"{provider}-small", stream: true);
        path += $"{(path.Contains('?') ? '&' : '?')}key={canary}&api_base=http://{canary}&api-version={canary}";
        var request = Gateway.Request(
            "POST",
            path,
            user.Token,
            speaker.Body($"{provider}-small", $"[[tag:{tag}]] hello", stream: true),
            headers:
            [
                ("Host", $"{canary}.example"),
                ("Connection", $"X-User-ID, Authorization, Content-Type, {canary}"),
                ("TE", "trailers"),
                ("Origin", "https://wires.example.com"),
                .. CallerHeaders.Select(name => (name, canary)),
            ]);

        (await Gateway.SendAsync(request)).MustBe(200);

        var call = await Sandbox.CallAsync(tag, call => call.Outcome == "completed", "the call");
        Assert.All(call.Headers.Keys, name => Assert.Contains(name, ProviderHeaders));
        Assert.Equal((Stack.Sandbox.Authority, provider == "gemini" ? "?alt=sse" : ""), (call.Headers["Host"], call.Query));
        var received = string.Join('\n', [call.Path, call.Query, call.Body, .. call.Headers.Values]);
        Assert.DoesNotContain(canary, received);
        Assert.DoesNotContain(user.Token, received);
    }

    [Theory, MemberData(nameof(Callers))]
    public async Task Nobody_chooses_where_a_call_goes_by_a_member_of_the_body(string caller)
    {
        var (speaker, user, tag) = (Of(caller), await Backend.Wires.NewUserAsync(), Sandbox.NewTag());
        string[] names =
        [
            "api_base", "API_BASE", "apiBase", "api-base", "\\u0061pi_base", "base_url", "baseUrl", "api_key", "apiKey", "api_version",
            "provider", "Provider", "models", "fallbacks", "route", "extra_body", "extraBody", "extra_headers", "headers",
            "organization", "custom_llm_provider", "model_list", "providerOptions", "vertex_credentials", "aws_sts_endpoint",
        ];
        foreach (var model in (string[])[$"{caller}-small", caller == "chat" ? "messages-small" : "chat-small"])
            foreach (var name in names)
            {
                var reply = await PostAsync(
                    speaker,
                    user.Token,
                    model,
                    With(Question(speaker, model, tag), $"\"{name}\":{{\"api_base\":\"http://127.0.0.1:9\"}}"));
                MustName(speaker, reply, 400, JsonSerializer.Deserialize<string>($"\"{name}\"")!);
            }
        await MustHaveCalledNothingAsync(user, tag);
    }

    [Theory]
    [InlineData("/v1/embeddings", """{"model":"chat-embedding","input":"x"}""")]
    [InlineData("/v1/moderations", """{"model":"moderation","input":"x"}""")]
    [InlineData("/v1/images/generations", """{"model":"image","prompt":"x"}""")]
    [InlineData("/v1/audio/speech", """{"model":"speech","input":"x","voice":"alloy"}""")]
    [InlineData("/v1beta/models/gemini-small:countTokens", """{"contents":[{"parts":[{"text":"x"}]}]}""")]
    [InlineData("/v1beta/models/gemini-embedding:embedContent", """{"content":{"parts":[{"text":"x"}]}}""")]
    [InlineData("/v1beta/models/gemini-embedding:batchEmbedContents",
        """{"requests":[{"model":"models/gemini-embedding","content":{"parts":[{"text":"x"}]}}]}""")]
    [InlineData("/v1/messages/count_tokens", """{"model":"messages-small","messages":[{"role":"user","content":"x"}]}""")]
    public async Task Nor_on_the_other_routes(string path, string body)
    {
        var user = await Backend.Wires.NewUserAsync();
        (await Gateway.SendAsync("POST", path, user.Token, body)).MustBe(200);
        foreach (var name in (string[])["api_base", "apiKey", "extra_body", "models", "provider"])
            Assert.Contains(
                $"'{name}'",
                (await Gateway.SendAsync("POST", path, user.Token, With(body, $"\"{name}\":\"http://127.0.0.1:9\""))).MustBe(400).Text);
        if (path.StartsWith("/v1/", StringComparison.Ordinal))
            Assert.Contains(
                "'MODEL'",
                (await Gateway.SendAsync("POST", path, user.Token, With(body, "\"MODEL\":\"large\""))).MustBe(400).Text);
    }

    [Theory, MemberData(nameof(Callers))]
    public async Task A_name_that_only_looks_like_a_model_s_calls_nothing(string caller)
    {
        var (speaker, user, tag) = (Of(caller), await Backend.Wires.NewUserAsync(), Sandbox.NewTag());
        string[] names =
        [
            " chat-small", "chat-small ", "chat-small\t", "chat-small\n", "Chat-Small", "ｃhat-small", "chat-smaⅼl", "chat-small\u200b",
            "chat\u00adsmall", "chat‐small", "chat-small\0", "chat%2Dsmall", "./chat-small", "openai/../chat-small",
            "chat/../chat/chat-small", "chat/%2e%2e/chat-small", "chat//chat-small", "chat\\chat-small", "chat%2Fchat-small",
            "chat%252Fchat-small", "//127.0.0.1/chat-small", "http://127.0.0.1:9/chat-small", "chat-small?key=1", "chat-small#x",
            "chat-small:free", "CHAT/chat-small", "messages/chat-small", "*", "../../x",
        ];
        // The server refuses a zero in an address before our code reads it, with 400 and no body. An escaped slash separates there.
        foreach (var name in names.Where(name =>
            caller != "gemini" || !(name.Contains("%2F", StringComparison.Ordinal) || name.Contains('\0'))))
        {
            // In an address a name is escaped, in a body it is JSON.
            var path = speaker.Path(Uri.EscapeDataString(name), stream: false);
            var body = speaker.Body(JsonEncodedText.Encode(name).ToString(), $"[[tag:{tag}]] hello", stream: false);
            var reply = (await Gateway.SendAsync("POST", path, user.Token, body)).MustBe(400);
            Assert.Contains("does not exist in this project", speaker.ReadError(400, reply.Json));
        }
        await MustHaveCalledNothingAsync(user, tag);
    }

    [Fact]
    public async Task An_address_calls_the_model_that_it_names_in_so_many_words_or_nothing()
    {
        var (user, tag) = (await Backend.Wires.NewUserAsync(), Sandbox.NewTag());
        var body = Question(Of("gemini"), "chat-small", tag);
        string[] targets =
        [
            "/v1beta/models/..%2f..%2fx", "/v1beta/models/..%2fchat-small", "/v1beta/models/%2e%2e/models/chat-small",
            "/v1beta/models/../models/chat-small", "/v1beta/models/openai/../chat-small", "/v1beta/models/openai/%2e%2e/chat-small",
            "/v1beta/models/./chat-small", "/v1beta/./models/chat-small", "/x/../v1beta/models/chat-small",
            "/v1beta/models/chat%252Fchat-small", "/v1beta/models/chat%255Cchat-small", "/v1beta/models/chat-small%20",
            "/v1beta/models/chat-small%00", "/v1beta/models/chat-small%0d%0aX-User-ID:%20x", "/v1beta/models/Chat-small",
            "/v1beta/models/chat-smal%EF%BD%8C", "/v1beta/models/chat\\chat-small", "/v1beta/models/chat%5cchat-small",
            "//evil.example/v1beta/models/chat-small", "\\v1beta\\models\\chat-small", "/\\evil.example/v1beta/models/chat-small",
            "/v1beta/models//chat-small", "/v1beta//models/chat-small", "//v1beta/models/chat-small",
            "/v1beta/models/http:%2f%2f127.0.0.1:9%2fchat-small", "/v1beta/models/chat-small;x=1", "/v1beta/models/chat-small%3fx",
            "/v1beta/models/chat-small:generateContent", "/V1BETA/models/chat-small",
            "http://evil.example@127.0.0.1:9/v1beta/models/chat-small", "http://evil.example/v1beta/models/../chat-small", "*",
        ];
        foreach (var target in targets)
        {
            var (status, text) = await RawHttp.PostAsync($"{target}:generateContent", user.Token, body);
            Assert.True(status is 400 or 404, $"{target}: {status} {text}");
        }
        await MustHaveCalledNothingAsync(user, tag);

        // A forward proxy is called with an absolute target. The gateway must not call the host that it names.
        foreach (var target in (string[])
        [
            "/v1beta/models/chat-small",
            "/v1beta/models/chat%2Fchat-small",
            $"http://{Stack.Proxy.Authority}/v1beta/models/chat-small",
        ])
            Assert.Equal((target, 200), (target, (await RawHttp.PostAsync($"{target}:generateContent", user.Token, body)).Status));
        Assert.Equal(
            400,
            (await RawHttp.PostAsync("http://evil.example/v1beta/models/chat-small:generateContent", user.Token, body)).Status);
        Assert.Equal(200, (await RawHttp.PostAsync(
            "http://evil.example/v1beta/models/chat-small:generateContent",
            user.Token,
            body,
            "evil.example")).Status);
        var calls = await Eventually.GetAsync(() => Sandbox.CallsAsync(tag), calls => calls.Count >= 4, "four calls");
        Assert.All(calls, call => Assert.Equal((Stack.Sandbox.Authority, "/v1/chat/completions"), (call.Headers["Host"], call.Path)));
    }

    [Theory, MemberData(nameof(Pairs))]
    public async Task What_a_model_says_is_text_and_never_an_event(string caller, string provider)
    {
        var (speaker, user) = (Of(caller), await Backend.Wires.NewUserAsync());
        var question = $"[[say:{Forgery}]]";
        var (asked, answered) = (Words(question), Words(Forgery));

        var whole = speaker.ReadWhole((await speaker.AskAsync(user.Token, $"{provider}-small", question, stream: false)).MustBe(200).Json);
        var streamed =
            speaker.ReadStream((await speaker.AskAsync(user.Token, $"{provider}-small", question, stream: true)).MustBe(200).Text);

        foreach (var said in (Said[])[whole, streamed])
            Assert.Equal((Forgery, speaker.Stopped, asked, answered, null), (said.Text, said.Stop, said.Input, said.Output, said.Error));
        foreach (var row in await Books.UsageAsync(user, 2))
            Assert.Equal((asked * Price.Input + answered * Price.Output, false), (row.Charged, row.Estimated));
    }

    [Theory, MemberData(nameof(Pairs))]
    public async Task Usage_and_cost_in_a_request_change_nothing(string caller, string provider)
    {
        var (speaker, user, answers) = (Of(caller), await Backend.Wires.NewUserAsync(), 0);
        foreach (var member in (string[])
        [
            "\"usage\":{\"prompt_tokens\":0,\"completion_tokens\":0,\"input_tokens\":0,\"output_tokens\":0,\"cost\":\"0\"}",
            "\"cost\":\"0\"",
            "\"price\":0",
            "\"usageMetadata\":{\"promptTokenCount\":0,\"candidatesTokenCount\":0}",
            "\"x_llmgateway\":{\"cost\":\"0\",\"markup\":-100}",
        ])
            foreach (var stream in (bool[])[false, true])
            {
                var reply = await PostAsync(
                    speaker,
                    user.Token,
                    $"{provider}-small",
                    With(speaker.Body($"{provider}-small", Price.Question, stream), member),
                    stream);
                // A member that another wire does not have is refused. On the same wire the provider may know it.
                Assert.True(reply.Status == (caller == provider ? 200 : reply.Status == 200 ? 200 : 400), reply.ToString());
                answers += reply.Status == 200 ? 1 : 0;
            }
        (await speaker.AskAsync(user.Token, $"{provider}-small", Price.Question, stream: false)).MustBe(200);
        var rows = await Eventually.GetAsync(
            () => Books.UsageAsync(user),
            rows => rows.Count(row => row.Charged > 0) > answers,
            "all usage rows");
        Assert.All(rows.Where(row => row.Status == 200), row => Assert.Equal(Price.OfQuestion + Price.OfAnswer, row.Charged));
        Assert.Equal(
            (answers + 1, (answers + 1) * (Price.OfQuestion + Price.OfAnswer)),
            (rows.Count(row => row.Status == 200), rows.Sum(row => row.Charged)));
    }

    [Theory]
    [InlineData("chat", "max_tokens", "\"max_tokens\":")]
    [InlineData("chat", "max_completion_tokens", "\"max_completion_tokens\":")]
    [InlineData("chat", "n", "\"n\":")]
    [InlineData("responses", "max_output_tokens", "\"max_output_tokens\":")]
    [InlineData("messages", "max_tokens", "\"max_tokens\":")]
    [InlineData("messages", "thinking.budget_tokens", "\"max_tokens\":500,\"thinking\":{\"type\":\"enabled\",\"budget_tokens\":")]
    [InlineData("gemini", "generationConfig.maxOutputTokens", "\"generationConfig\":{\"maxOutputTokens\":")]
    [InlineData("gemini", "generationConfig.max_output_tokens", "\"generationConfig\":{\"max_output_tokens\":")]
    [InlineData("gemini", "generationConfig.candidateCount", "\"generationConfig\":{\"candidateCount\":")]
    [InlineData("gemini", "generationConfig.thinkingConfig.thinkingBudget",
        "\"generationConfig\":{\"thinkingConfig\":{\"thinkingBudget\":")]
    public async Task A_limit_that_is_no_plain_number_is_refused_by_name(string caller, string field, string member)
    {
        var (speaker, user, tag) = (Of(caller), await Backend.Wires.NewUserAsync(), Sandbox.NewTag());
        var end = new string('}', member.Count(character => character == '{'));
        // On Google's wire 0 and -1 are valid budgets for thoughts.
        string[] values =
        [
            "9223372036854775808",
            "18446744073709551616",
            "2147483648",
            "1e3",
            "1E400",
            "1.5",
            "10.0",
            "-2",
            "\"10\"",
            "true",
            "[]",
            "{}",
            .. field.EndsWith("Budget", StringComparison.Ordinal) ? [] : (string[])["0", "-1", "-0"],
        ];
        foreach (var model in (string[])[$"{caller}-small", caller == "chat" ? "messages-small" : "chat-small"])
            foreach (var value in values)
            {
                var body = Question(speaker, model, tag).Replace("\"max_tokens\":500,", "", StringComparison.Ordinal);
                MustName(speaker, await PostAsync(speaker, user.Token, model, With(body, member + value + end)), 400, field);
            }
        await MustHaveCalledNothingAsync(user, tag);
    }

    [Theory, MemberData(nameof(Callers))]
    public async Task A_body_that_two_parsers_could_read_differently_is_refused_in_the_words_of_the_wire(string caller)
    {
        var (speaker, user, tag) = (Of(caller), await Backend.Wires.NewUserAsync(), Sandbox.NewTag());
        var good = Question(speaker, "chat-small", tag);
        byte[][] bodies =
        [
            [0xEF, 0xBB, 0xBF, .. Encoding.UTF8.GetBytes(good)],
            Encoding.Unicode.GetBytes(good),
            [],
            "null"u8.ToArray(),
            [.. Encoding.UTF8.GetBytes(good[..^1]), .. ",\"x\":\"\xFF\"}"u8[..6], 0xFF, .. "\"}"u8],
            .. Array.ConvertAll(
                [
                    good + "{}",
                    $"[{good}]",
                    good[..^1],
                    good[..^1] + ",}",
                    With(good, "/**/\"x\":1"),
                    With(good, "\"x\":NaN"),
                    With(good, "\"x\":1,\"x\":1"),
                    With(good, "\"x\":1,\"\\u0078\":1"),
                    With(good, "\"x\":{\"y\":1,\"y\":2}"),
                    With(good, "\"x\":\"\\ud800\""),
                    With(good, "\"\\udc00\":1"),
                    With(good, $"\"x\":{new string('[', 70)}{new string(']', 70)}"),
                    With(good, $"\"x\":{{{string.Join(',', Enumerable.Range(0, 5000).Select(index => $"\"{index}\":1"))}}}"),
                ],
                Encoding.UTF8.GetBytes),
        ];
        foreach (var body in bodies)
            await MustRefuseAsync(body, 400);
        await MustRefuseAsync(Encoding.UTF8.GetBytes(With(good, $"\"x\":\"{new string('a', 21 * 1024 * 1024)}\"")), 413);
        await MustHaveCalledNothingAsync(user, tag);

        async Task MustRefuseAsync(byte[] body, int status)
        {
            var request = Gateway.Request("POST", speaker.Path("chat-small", stream: false), user.Token);
            request.Content = new ByteArrayContent(body) { Headers = { ContentType = new("application/json") } };
            var reply = await Gateway.SendAsync(request);
            Assert.True(reply.Status == status, $"{reply} for {Encoding.UTF8.GetString(body.AsSpan(0, Math.Min(body.Length, 300)))}");
            Assert.NotEmpty(speaker.ReadError(status, reply.Json));
        }
    }

    [Theory, MemberData(nameof(Callers))]
    public async Task A_scope_holds_on_every_wire_and_for_whoever_takes_over(string caller)
    {
        var (speaker, tag) = (Of(caller), Sandbox.NewTag());
        var user =
            await Backend.Wires.NewUserAsync(terms: "\"scope\":{\"models\":[\"chat-small\",\"chat/fallback\",\"messages/fallback-429\"]}");

        foreach (var model in (string[])
        [
            "chat-slow",
            "messages-small",
            "messages/messages-small",
            "gemini-small",
            "messages/fallback",
            "chat/fallback-429",
        ])
            MustName(speaker, await PostAsync(speaker, user.Token, model, Question(speaker, model, tag)), 403, model);
        foreach (var (path, body) in Counts("messages-small", tag).Concat(Counts("gemini-small", tag)))
            (await Gateway.SendAsync("POST", path, user.Token, body)).MustBe(403);
        Assert.Empty(await Sandbox.CallsAsync(tag));
        (await PostAsync(speaker, user.Token, "chat-small", Question(speaker, "chat-small", tag))).MustBe(200);
        foreach (var model in (string[])["messages/fallback-429", "fallback-429"])
            (await PostAsync(speaker, user.Token, model, Question(speaker, model, tag))).MustBe(200);
        // The second provider would answer, but this caller may not use it.
        (await PostAsync(speaker, user.Token, "fallback", Question(speaker, "fallback", tag))).MustBe(502);
        Assert.Equal(
            ["/v1/chat/completions", "/v1/messages", "/v1/messages", "/v1/chat/completions"],
            (await Sandbox.CallsAsync(tag)).Select(call => call.Path));
    }

    [Theory, MemberData(nameof(Callers))]
    public async Task A_secret_key_calls_no_model_wherever_it_stands(string caller)
    {
        var (speaker, tag) = (Of(caller), Sandbox.NewTag());
        foreach (var key in (string[])[Backend.Wires.Key, Backend.WiresTest.Key])
            foreach (var (path, body) in Counts("messages-small", tag)
                .Append((speaker.Path("chat-small", stream: false), Question(speaker, "chat-small", tag))))
                foreach (var header in (string[])["x-api-key", "x-goog-api-key", "Authorization", "?key="])
                {
                    var isQuery = header[0] == '?';
                    if (isQuery && !path.StartsWith("/v1beta", StringComparison.Ordinal))
                        continue;
                    var reply = await Gateway.SendAsync(
                        "POST",
                        isQuery ? $"{path}?key={key}" : path,
                        null,
                        body,
                        headers: isQuery ? [] : [(header, header == "Authorization" ? $"bearer {key}" : key)]);
                    Assert.Contains("wrong_credential_kind", reply.MustBe(401).Text, StringComparison.OrdinalIgnoreCase);
                }
        Assert.Empty(await Sandbox.CallsAsync(tag));
    }

    [Theory, MemberData(nameof(Callers))]
    public async Task A_test_credential_reaches_no_live_provider(string caller)
    {
        var (speaker, user, tag) = (Of(caller), await Backend.WiresTest.NewUserAsync(), Sandbox.NewTag());

        foreach (var model in (string[])
        [
            "live-chat",
            "live-responses",
            "live-messages",
            "live-gemini",
            "live-chat/live-chat",
            "live-messages/fallback-live",
        ])
            Assert.Contains(
                "live_only",
                (await PostAsync(speaker, user.Token, model, Question(speaker, model, tag))).MustBe(403).Text,
                StringComparison.OrdinalIgnoreCase);
        foreach (var (path, body) in Counts("live-messages", tag).Concat(Counts("live-gemini", tag)))
            (await Gateway.SendAsync("POST", path, user.Token, body)).MustBe(403);

        (await PostAsync(speaker, user.Token, "chat-small", Question(speaker, "chat-small", tag))).MustBe(200);
        // Only the first of the two providers is for tests. The second would be tried, and cannot be reached.
        var failed = (await PostAsync(speaker, user.Token, "fallback-live", Question(speaker, "fallback-live", tag))).MustBe(502);
        Assert.Contains("The provider failed (500)", speaker.ReadError(502, failed.Json));
    }

    [Fact]
    public async Task A_key_in_the_query_is_seen_by_nobody_else()
    {
        var (speaker, user, tag) = (Of("gemini"), await Backend.Wires.NewUserAsync(), Sandbox.NewTag());
        foreach (var model in (string[])["chat-small", "gemini-small", "gemini-error-500", "live-gemini", "no-such-model"])
            foreach (var stream in (bool[])[false, true])
            {
                var path = speaker.Path(model, stream);
                var reply = await Gateway.SendAsync(
                    "POST",
                    $"{path}{(stream ? '&' : '?')}key={user.Token}",
                    null,
                    Question(speaker, model, tag));
                Assert.DoesNotContain(user.Token, reply.Text + reply.Headers);
                Assert.Equal(model switch { "no-such-model" => 400, "gemini-error-500" or "live-gemini" => 502, _ => 200 }, reply.Status);
            }
        foreach (var (path, body) in Counts("gemini-small", tag).Where(count => count.Path.StartsWith("/v1beta", StringComparison.Ordinal)))
            (await Gateway.SendAsync("POST", $"{path}?key={user.Token}", null, body)).MustBe(200);
        (await Gateway.SendAsync("GET", $"/v1beta/models?key={user.Token}")).MustBe(200);
        // Where the credential is not read it must not be shown either.
        foreach (var path in (string[])
        [
            Chat.Path,
            "/v1/responses",
            "/v1/messages",
            "/v1/wallet/balance",
            "/v1/nothing",
            "/v1beta/models/x:y",
            "/v1beta/models/%00:generateContent",
        ])
            Assert.NotEqual(200, (await Gateway.SendAsync("POST", $"{path}?key={user.Token}", null, "{}")).Status);

        var calls = await Eventually.GetAsync(() => Sandbox.CallsAsync(tag), calls => calls.Count >= 7, "seven calls");
        Assert.All(
            calls,
            call => Assert.DoesNotContain(user.Token, string.Join('\n', [call.Path, call.Query, call.Body, .. call.Headers.Values])));
        foreach (var (log, text) in await LogsAsync())
            Assert.False(text.Contains(user.Token, StringComparison.Ordinal), $"the key stands in {log}");
    }

    [Fact]
    public async Task Where_a_project_takes_no_keys_in_the_query_a_good_one_is_told_nothing_that_a_bad_one_is_not()
    {
        var (user, revoked) = (await Backend.App.NewUserAsync(), await Backend.App.NewUserAsync());
        (await Backend.App.DeleteAsync($"/v1/sessions/{revoked.SessionId}")).MustBe(204);
        string[] keys =
        [
            user.Token,
            revoked.Token,
            $"{user.Token[..^1]}{(user.Token[^1] == 'x' ? 'y' : 'x')}",
            "llm_gw_unknown000000000000000000000000000000000",
            Backend.App.Key,
            "x",
            new('x', 5000),
        ];
        const string Body = """{"contents":[{"role":"user","parts":[{"text":"hello"}]}]}""";
        foreach (var (method, path, body) in ((string, string, string?)[])
        [
            ("GET", "/v1beta/models", null),
            ("POST", "/v1beta/models/small:generateContent", Body),
            ("POST", "/v1beta/models/small:countTokens", Body),
        ])
        {
            (await Gateway.SendAsync(method, path, null, body, headers: ("x-goog-api-key", user.Token))).MustBe(200);
            var answers = new HashSet<string>();
            foreach (var key in keys)
                answers.Add(RequestId().Replace((await Gateway.SendAsync(method, $"{path}?key={key}", null, body)).MustBe(401).Text, ""));
            Assert.Contains("x-goog-api-key", Assert.Single(answers));
        }
        Assert.Equal(1_000_000_000 - await ChargedAsync(user), await user.BalanceAfterAsync(1));
    }

    [Theory, MemberData(nameof(Pairs))]
    public async Task The_gateway_fetches_no_address_that_stands_in_a_request(string caller, string provider)
    {
        var (speaker, user) = (Of(caller), await Backend.Wires.NewUserAsync());
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var url = $"http://127.0.0.1:{((IPEndPoint)listener.LocalEndpoint).Port}/cat.png";
        var body = speaker.Body($"{provider}-small", "what is this", stream: false, image: "iVBORw0KGgo=");
        var addressed = caller switch
        {
            "messages" => body.Replace(
                "\"type\":\"base64\",\"media_type\":\"image/png\",\"data\":\"iVBORw0KGgo=\"",
                $"\"type\":\"url\",\"url\":\"{url}\"",
                StringComparison.Ordinal),
            "gemini" => body.Replace(
                "\"inlineData\":{\"mimeType\":\"image/png\",\"data\":\"iVBORw0KGgo=\"",
                $"\"fileData\":{{\"mimeType\":\"image/png\",\"fileUri\":\"{url}\"",
                StringComparison.Ordinal),
            _ => body.Replace("data:image/png;base64,iVBORw0KGgo=", url, StringComparison.Ordinal),
        };
        Assert.Contains(url, addressed);

        var reply = await PostAsync(speaker, user.Token, $"{provider}-small", addressed);

        // The provider fetches it, or the gateway refuses it.
        Assert.True(reply.Status is 200 or 400, reply.ToString());
        Assert.False(listener.Pending());
    }

    [Fact]
    public async Task What_looks_like_SQL_or_like_a_log_line_is_text()
    {
        var user = await Backend.App.NewUserAsync();
        foreach (var text in (string[])["' or 1=1 --", "'; drop table customer; --", "%", "_", "\\", "$1", "{0}"])
        {
            Assert.Empty((await Backend.App.GetAsync($"/v1/customers?search={Uri.EscapeDataString($"{user.ExternalId}{text}")}"))
                .MustBe(200).Json
                .GetProperty("customers")
                .EnumerateArray());
            (await Backend.App.GetAsync($"/v1/sessions?customer={Uri.EscapeDataString(text)}")).MustBe(404);
        }
        var line = $"2026-01-01 crit: forged {Guid.NewGuid():N}";
        foreach (var start in (string[])["x\n", "x\r\n", "x\u2028", "x\u001b[2J"])
        {
            (await user.ChatAsync(JsonEncodedText.Encode(start + line).ToString(), "hello")).MustBe(400);
            (await Gateway.SendAsync("POST", $"/v1/{Uri.EscapeDataString(start + line)}", user.Token, "{}")).MustBe(404);
        }
        foreach (var (log, text) in await LogsAsync())
            Assert.False(
                text.Split('\n').Any(logged => logged.StartsWith(line, StringComparison.Ordinal)) || text.Contains('\u001b'),
                $"a caller wrote a line of {log}");
    }

    static async Task<long> ChargedAsync(User user) => (await Books.OnlyUsageAsync(user)).Charged;

    static async Task<(string File, string Text)[]> LogsAsync()
    {
        var logs = new List<(string, string)>();
        foreach (var log in Directory.GetFiles(Path.Combine(Stack.App.Data, "logs"), "*.log"))
        {
            using var reader = new StreamReader(
                new FileStream(log, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete));
            logs.Add((log, await reader.ReadToEndAsync(TestContext.Current.CancellationToken)));
        }
        Assert.NotEmpty(logs);
        return [.. logs];
    }

    [GeneratedRegex("req_[0-9a-z]+")]
    private static partial Regex RequestId();

    static Speaker Of(string name) => Speaker.All.Single(speaker => speaker.Name == name);

    static string Question(Speaker speaker, string model, string tag) => speaker.Body(model, $"[[tag:{tag}]] two three", stream: false);

    static string With(string body, string member) => $"{body[..^1]},{member}}}";

    static int Words(string text) => text.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries).Length;

    static IEnumerable<(string Path, string Body)> Counts(string model, string tag) =>
    [
        ("/v1/messages/count_tokens", $$$"""{"model":"{{{model}}}","messages":[{"role":"user","content":"[[tag:{{{tag}}}]]"}]}"""),
        ($"/v1beta/models/{model}:countTokens", $$$"""{"contents":[{"parts":[{"text":"[[tag:{{{tag}}}]]"}]}]}"""),
    ];

    static Task<Reply> PostAsync(Speaker speaker, string credential, string model, string body, bool stream = false) =>
        Gateway.SendAsync("POST", speaker.Path(model, stream), credential, body);

    static void MustName(Speaker speaker, Reply reply, int status, string field) =>
        Assert.Contains($"'{field}'", speaker.ReadError(status, reply.MustBe(status).Json));

    /// <summary>Makes one good call: when the ledger has that, it would have every call before it, too.</summary>
    static async Task MustHaveCalledNothingAsync(User user, string tag)
    {
        (await user.ChatAsync("chat-small", Price.Question)).MustBe(200);
        Assert.Equal(1_000_000_000 - Price.OfQuestion - Price.OfAnswer, await user.BalanceAfterAsync(1));
        Assert.Empty(await Sandbox.CallsAsync(tag));
    }
}
