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
