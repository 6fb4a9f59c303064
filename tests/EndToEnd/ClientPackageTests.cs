using System.Text.Json;

namespace LlmGateway.EndToEnd;

/// <summary>The npm package <c>@llmgateway/client</c> 1.2.0, unchanged.</summary>
public sealed class ClientPackageTests
{
    [Fact]
    public async Task Chats_and_the_balance_falls_by_exactly_the_cost()
    {
        var user = await Backend.App.NewUserAsync("0.5");

        var answer = await RunAsync("chat", user);

        Assert.Equal(20, Text(answer, "content").Split(' ').Length);
        Assert.Equal(("stop", 23), (Text(answer, "finishReason"), answer.GetProperty("usage").GetProperty("total_tokens").GetInt32()));
        await user.BalanceAfterAsync(1);
        var balance = await RunAsync("balance", user);
        // $0.5 − (3 × $1 + 20 × $2) per million.
        Assert.Equal(("0.499957", "USD"), (Text(balance, "balance"), Text(balance, "currency")));
        Assert.Equal(["-0.000043", "0.5"], balance.GetProperty("recentLedger").EnumerateArray().Select(entry => Text(entry, "amount")));
    }

    [Fact]
    public async Task Streams_the_same_words()
    {
        var user = await Backend.App.NewUserAsync();

        var streamed = await RunAsync("stream", user);

        Assert.Equal(Text(await RunAsync("chat", user), "content"), streamed.GetString());
        Assert.Equal(1_000_000_000 - 2 * 43_000, await user.BalanceAfterAsync(2));
    }

    [Fact]
    public async Task Refreshes_its_session_and_goes_on_with_the_new_token()
    {
        var user = await Backend.App.NewUserAsync();

        var result = await RunAsync("refresh", user);

        Assert.StartsWith("es_", Text(result.GetProperty("session"), "token"));
        Assert.NotEqual(user.Token, Text(result.GetProperty("session"), "token"));
        Assert.NotEmpty(Text(result, "content"));
    }

    [Fact]
    public async Task Refreshes_by_itself_when_less_than_a_minute_is_left()
    {
        var user = await Backend.App.NewUserAsync("1", "\"ttlSeconds\":60");

        var result = await RunAsync("refreshesItself", user, expiresAt: DateTimeOffset.UtcNow.AddSeconds(59));

        Assert.NotEqual(user.Token, Text(result, "token"));
        Assert.NotEmpty(Text(result, "content"));
    }

    [Fact]
    public async Task Asks_its_backend_for_a_new_session_when_the_old_one_has_expired()
    {
        var user = await Backend.App.NewUserAsync();
        await Books.ExpireAsync(user);
        var fresh = await Backend.App.MintAsync(user.ExternalId);

        var result = await RunAsync("asksItsBackend", user, fresh: new { token = fresh.Token, expiresAt = DateTimeOffset.UtcNow.AddSeconds(900) });

        Assert.Equal(1, result.GetProperty("asked").GetInt32());
        Assert.NotEmpty(Text(result, "content"));
    }

    [Theory]
    [InlineData("0.00001", "small", 402, "the wallet has 0.00001 USD available")]
    [InlineData("1", "no-such-model", 400, "The model 'no-such-model' does not exist in this project.")]
    [InlineData("1", "odd", 403, "This credential may not use the model 'odd'.")]
    [InlineData("1", "error-503", 503, "The provider is overloaded or down (503).")]
    public async Task Shows_why_a_chat_or_a_stream_failed(string credit, string model, int status, string message)
    {
        var user = await Backend.App.NewUserAsync(credit, "\"scope\":{\"models\":[\"small\",\"error-503\"]}");

        var errors = await RunAsync("fails", user, model);

        foreach (var error in (JsonElement[])[errors.GetProperty("chat"), errors.GetProperty("stream")])
        {
            Assert.Equal(("LLMGatewayError", status), (Text(error, "name"), error.GetProperty("status").GetInt32()));
            Assert.Contains(message, Text(error, "message"));
        }
    }

    [Fact]
    public async Task Shows_that_a_session_has_expired_or_was_revoked()
    {
        var (expired, revoked) = (await Backend.App.NewUserAsync(), await Backend.App.NewUserAsync());
        await Books.ExpireAsync(expired);
        (await Backend.App.DeleteAsync($"/v1/sessions/{revoked.SessionId}")).MustBe(204);

        foreach (var (user, message) in (IEnumerable<(User, string)>)[(expired, "has expired"), (revoked, "was revoked")])
        {
            var balance = await RunAsync("balanceFails", user);
            Assert.Equal(401, balance.GetProperty("status").GetInt32());
            Assert.Contains(message, Text(balance, "message"));
            Assert.Contains(message, Text((await RunAsync("fails", user, "small")).GetProperty("stream"), "message"));
        }
    }

    static Task<JsonElement> RunAsync(string scenario, User user, string? model = null, DateTimeOffset? expiresAt = null, object? fresh = null) => Node.RunAsync("client.mjs", scenario,
        new { gatewayUrl = Stack.Proxy, apiUrl = Stack.Proxy2, token = user.Token, expiresAt = expiresAt ?? DateTimeOffset.UtcNow.AddSeconds(890), model, fresh });

    static string Text(JsonElement json, string name) => json.GetProperty(name).GetString()!;
}
