namespace LlmGateway.EndToEnd;

/// <summary>
/// The CORS headers of answers. The test projects allow <c>https://app.example.com</c>, <c>https://other.example.com</c> and a few more.
/// </summary>
public sealed class CorsTests
{
    const string
        Allowed = "https://app.example.com",
        Extension = "chrome-extension://abcdefghijklmnopabcdefghijklmnop",
        Forbidden = "https://evil.example.com";

    [Theory]
    [InlineData(Chat.Path, "POST")]
    [InlineData("/v1/wallet/balance", "GET")]
    [InlineData("/v1/sessions/refresh", "POST")]
    public async Task A_preflight_from_an_allowed_origin_succeeds_and_a_forbidden_one_fails(string path, string method)
    {
        foreach (var origin in (string[])[Allowed, Extension])
        {
            var reply = (await PreflightAsync(path, method, origin)).MustBe(204);
            Assert.Equal(origin, reply["Access-Control-Allow-Origin"]);
            Assert.Contains(method, reply["Access-Control-Allow-Methods"]);
            Assert.Equal("authorization, content-type, x-stainless-lang", reply["Access-Control-Allow-Headers"]);
            Assert.Equal("Origin", reply["Vary"]);
            Assert.Null(reply["Access-Control-Allow-Credentials"]);
        }
        foreach (var origin in (string[])[Forbidden, "null", "https://app.example.com.evil.com", "http://app.example.com"])
        {
            var reply = (await PreflightAsync(path, method, origin)).MustBe(403);
            Assert.Null(reply["Access-Control-Allow-Origin"]);
        }
    }

    [Fact]
    public async Task A_page_of_an_allowed_origin_may_read_the_answer_and_its_headers()
    {
        var user = await Backend.App.NewUserAsync();

        var reply = (await AskAsync(user.Token, Allowed)).MustBe(200);

        Assert.Equal(Allowed, reply["Access-Control-Allow-Origin"]);
        string[] exposed =
        [
            "X-Request-Id",
            "request-id",
            "X-LLMGateway-Cost",
            "X-LLMGateway-Model",
            "X-LLMGateway-Provider",
            "Retry-After",
            "x-should-retry",
            "X-RateLimit-Limit-Requests",
        ];
        foreach (var header in exposed)
            Assert.Contains(header, reply["Access-Control-Expose-Headers"]);
    }

    [Fact]
    public async Task A_refusal_is_readable_too_so_that_a_page_can_show_why()
    {
        var user = await Backend.App.NewUserAsync(null);

        var reply = await AskAsync(user.Token, Allowed);

        reply.MustBeProblem(402, "wallet_exhausted");
        Assert.Equal(Allowed, reply["Access-Control-Allow-Origin"]);
    }

    [Theory]
    [InlineData(Forbidden)]
    [InlineData("https://other.example.com")] // allowed by another project only
    [InlineData("https://APP.example.com")]
    public async Task An_origin_that_is_not_on_the_project_s_list_gets_403_and_may_not_read_it(string origin)
    {
        var user = await Backend.App.NewUserAsync();

        var chat = await AskAsync(user.Token, origin);
        var balance = await Gateway.SendAsync("GET", "/v1/wallet/balance", user.Token, headers: [("Origin", origin)]);

        foreach (var reply in (Reply[])[chat, balance])
        {
            Assert.Equal((403, "origin_not_allowed"), (reply.Status, reply.Code));
            Assert.Null(reply["Access-Control-Allow-Origin"]);
        }
        Assert.Equal(1_000_000_000, await user.BalanceAsync());
    }

    /// <summary>Each is another origin than the one that is allowed, however much it looks like that.</summary>
    [Theory]
    [InlineData("https://app.example.com.evil.com")]
    [InlineData("https://app.example.com.")]
    [InlineData("https://app.example.com:443")]
    [InlineData("https://app.example.com:8443")]
    [InlineData("https://app.example.com/")]
    [InlineData("http://app.example.com")]
    [InlineData("HTTPS://app.example.com")]
    [InlineData("https://xapp.example.com")]
    [InlineData("https://app-example.com")]
    [InlineData("https://xn--pp-2na.example.com")]
    [InlineData("chrome-extension://abcdefghijklmnopabcdefghijklmnoo")]
    [InlineData("chrome-extension://ABCDEFGHIJKLMNOPABCDEFGHIJKLMNOP")]
    [InlineData("chrome-extension://*")]
    [InlineData("moz-extension://0b7f3a52-1c9d-4b3e-9a77-2f6d1c8e5a10")]
    [InlineData("capacitor://localhost")]
    [InlineData("tauri://localhost")]
    [InlineData("file://")]
    [InlineData("null")]
    [InlineData("*")]
    public async Task A_page_that_looks_like_an_allowed_one_reads_nothing(string origin)
    {
        var user = await Backend.App.NewUserAsync();

        Reply[] replies =
        [
            await PreflightAsync(Chat.Path, "POST", origin), await AskAsync(user.Token, origin), await StreamAsync(user.Token, origin),
            await Gateway.SendAsync("GET", "/v1/wallet/balance", user.Token, headers: [("Origin", origin)]),
        ];

        Assert.All(replies, reply => Assert.Equal(
            (403, "origin_not_allowed", null), (reply.Status, reply.Code, reply["Access-Control-Allow-Origin"])));
        Assert.All(replies, reply => Assert.Contains("Origin", reply["Vary"]));
        Assert.Equal(1_000_000_000, await user.BalanceAsync());
    }

    [Theory]
    [InlineData(Allowed), InlineData(Extension)]
    public async Task A_page_of_an_allowed_origin_reads_every_kind_of_answer(string origin)
    {
        var (user, poor) = (await Backend.App.NewUserAsync(), await Backend.App.NewUserAsync(null));

        (int Status, Reply Reply)[] answers =
        [
            (200, await Gateway.SendAsync("GET", "/v1/wallet/balance", user.Token, headers: [("Origin", origin)])),
            (200, await StreamAsync(user.Token, origin)), (402, await AskAsync(poor.Token, origin)),
            (401, await AskAsync("es_nobodys", origin)),
            (404, await Gateway.SendAsync("GET", "/v1/no-such", headers: [("Origin", origin)])),
            (400, await Gateway.SendAsync("POST", Chat.Path, user.Token, "no JSON", headers: [("Origin", origin)])),
            (502, await Gateway.SendAsync(
                "POST", Chat.Path, user.Token, Chat.Body("unreachable", Price.Question), headers: [("Origin", origin)])),
        ];

        Assert.All(answers, answer => Assert.Equal(
            (answer.Status, origin), (answer.Reply.Status, answer.Reply["Access-Control-Allow-Origin"])));
        Assert.All(answers, answer => Assert.Contains("Origin", answer.Reply["Vary"]));
    }

    static Task<Reply> StreamAsync(string credential, string origin) => Gateway.SendAsync(
        "POST", Chat.Path, credential, Chat.Body("small", Price.Question, "\"stream\":true"), headers: [("Origin", origin)]);

    [Fact]
    public async Task Management_answers_are_readable_by_pages_that_hold_a_session()
    {
        var user = await Backend.App.NewUserAsync();
        var reply = (await Gateway.SendAsync("GET", "/v1/wallet/balance", user.Token, headers: [("Origin", Allowed)])).MustBe(200);
        Assert.Equal(Allowed, reply["Access-Control-Allow-Origin"]);
    }

    static Task<Reply> PreflightAsync(string path, string method, string origin) => Gateway.SendAsync("OPTIONS", path, headers:
    [
        ("Origin", origin),
        ("Access-Control-Request-Method", method),
        ("Access-Control-Request-Headers", "authorization, content-type, x-stainless-lang"),
    ]);

    static Task<Reply> AskAsync(string credential, string origin) =>
        Gateway.SendAsync("POST", Chat.Path, credential, Chat.Body("small", Price.Question), headers: [("Origin", origin)]);
}
