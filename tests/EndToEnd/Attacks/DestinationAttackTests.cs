using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using static LlmGateway.EndToEnd.Attack;

namespace LlmGateway.EndToEnd;

/// <summary>Nothing reaches a provider, or anybody else, that the configuration does not say: tried on every wire of callers.</summary>
public sealed class DestinationAttackTests
{
    /// <summary>All that a provider needs to know of a request.</summary>
    static readonly HashSet<string> ProviderHeaders =
        new(
            ["Accept", "Content-Type", "Content-Length", "Host", "Authorization", "x-api-key", "x-goog-api-key", "anthropic-version"],
            StringComparer.OrdinalIgnoreCase);

    static readonly string[] CallerHeaders =
    [
        "Cookie", "Forwarded", "Via", "Referer", "User-Agent", "Proxy-Authorization", "x-api-key", "x-goog-api-key", "X-Original-URL",
        "X-Rewrite-URL", "X-HTTP-Method-Override", "X-User-ID", "X-Plan-ID", "X-Key-ID", "X-Forwarded-For", "X-Forwarded-Host",
        "X-Forwarded-Proto", "X-Forwarded-Prefix", "X-Real-IP", "X-Gateway-Call", "X-Client-Session", "x-goog-user-project",
        "x-goog-api-client", "openai-organization", "openai-project", "openai-beta", "anthropic-dangerous-direct-browser-access",
        "anthropic-workspace-id", "anthropic-beta", "anthropic-version",
        "X-Provider", "X-Api-Base", "X-Base-Url", "X-LiteLLM-Api-Base", "x-portkey-custom-host",
        "Helicone-Target-Url", "X-Upstream", "X-LLMGateway-Cost", "X-LLMGateway-Provider", "traceparent", "baggage", "Idempotency-Key",
    ];

    [Theory, MemberData(nameof(Speaker.Pairs), MemberType = typeof(Speaker))]
    public async Task Nothing_of_a_caller_s_headers_and_query_reaches_the_provider(string caller, string provider)
    {
        var (speaker, user, tag) = (Speaker.Of(caller), await Backend.Wires.NewUserAsync(), Sandbox.NewTag());
        var canary = $"canary{Guid.NewGuid():N}";
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

    [Theory, MemberData(nameof(Speaker.Callers), MemberType = typeof(Speaker))]
    public async Task Nobody_chooses_where_a_call_goes_by_a_member_of_the_body(string caller)
    {
        var (speaker, user, tag) = (Speaker.Of(caller), await Backend.Wires.NewUserAsync(), Sandbox.NewTag());
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

    [Theory, MemberData(nameof(Speaker.Callers), MemberType = typeof(Speaker))]
    public async Task A_name_that_only_looks_like_a_model_s_calls_nothing(string caller)
    {
        var (speaker, user, tag) = (Speaker.Of(caller), await Backend.Wires.NewUserAsync(), Sandbox.NewTag());
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
        var body = Question(Speaker.Of("gemini"), "chat-small", tag);
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
            Assert.True(status is 400 or 404 or 405, $"{target}: {status} {text}");
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

    [Theory, MemberData(nameof(Speaker.Pairs), MemberType = typeof(Speaker))]
    public async Task The_gateway_fetches_no_address_that_stands_in_a_request(string caller, string provider)
    {
        var (speaker, user) = (Speaker.Of(caller), await Backend.Wires.NewUserAsync());
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
}
