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

        Assert.Equal(20, answer.Text("content").Split(' ').Length);
        Assert.Equal(("stop", 23), (answer.Text("finishReason"), answer.GetProperty("usage").Int("total_tokens")));
        await user.BalanceAfterAsync(1);
        var balance = await RunAsync("balance", user);
        // $0.5 − (3 × $1 + 20 × $2) per million.
        Assert.Equal(("0.499957", "USD"), (balance.Text("balance"), balance.Text("currency")));
        Assert.Equal(["-0.000043", "0.5"], balance.Items("recentLedger").Select(entry => entry.Text("amount")));
    }

    [Fact]
    public async Task Streams_the_same_words()
    {
        var user = await Backend.App.NewUserAsync();

        var streamed = await RunAsync("stream", user);

        Assert.Equal((await RunAsync("chat", user)).Text("content"), streamed.GetString());
        Assert.Equal(1_000_000_000 - 2 * 43_000, await user.BalanceAfterAsync(2));
    }

    [Fact]
    public async Task Refreshes_its_session_and_goes_on_with_the_new_token()
    {
        var user = await Backend.App.NewUserAsync();

        var result = await RunAsync("refresh", user);

        Assert.StartsWith("es_", result.GetProperty("session").Text("token"));
        Assert.NotEqual(user.Token, result.GetProperty("session").Text("token"));
        Assert.NotEmpty(result.Text("content"));
    }

    [Fact]
    public async Task Refreshes_by_itself_when_less_than_a_minute_is_left()
    {
        var user = await Backend.App.NewUserAsync("1", "\"ttlSeconds\":60");

        var result = await RunAsync("refreshesItself", user, expiresAt: DateTimeOffset.UtcNow.AddSeconds(59));

        Assert.NotEqual(user.Token, result.Text("token"));
        Assert.NotEmpty(result.Text("content"));
    }

    [Fact]
    public async Task Asks_its_backend_for_a_new_session_when_the_old_one_has_expired()
    {
        var user = await Backend.App.NewUserAsync();
        await Books.ExpireAsync(user);
        var fresh = await Backend.App.MintAsync(user.ExternalId);

        var result = await RunAsync(
            "asksItsBackend",
            user,
            fresh: new { token = fresh.Token, expiresAt = DateTimeOffset.UtcNow.AddSeconds(900) });

        Assert.Equal(1, result.Int("asked"));
        Assert.NotEmpty(result.Text("content"));
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
            Assert.Equal(("LLMGatewayError", status), (error.Text("name"), error.Int("status")));
            Assert.Contains(message, error.Text("message"));
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
            Assert.Equal(401, balance.Int("status"));
            Assert.Contains(message, balance.Text("message"));
            Assert.Contains(message, (await RunAsync("fails", user, "small")).GetProperty("stream").Text("message"));
        }
    }

    static Task<JsonElement> RunAsync(
        string scenario,
        User user,
        string? model = null,
        DateTimeOffset? expiresAt = null,
        object? fresh = null) =>
        Node.RunAsync("client.mjs", scenario, new
        {
            gatewayUrl = Stack.Proxy, apiUrl = Stack.Proxy2, token = user.Token, expiresAt = expiresAt
                ?? DateTimeOffset.UtcNow.AddSeconds(890), model, fresh,
        });
}
