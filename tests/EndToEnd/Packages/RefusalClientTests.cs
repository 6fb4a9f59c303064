namespace LlmGateway.EndToEnd;

/// <summary>The official clients, unchanged and with their own settings, where the gateway refuses what they ask.</summary>
public sealed class RefusalClientTests
{
    /// <summary>A client that obeyed <c>Retry-After</c> alone would sleep until midnight.</summary>
    [Theory]
    [InlineData("openai")]
    [InlineData("@anthropic-ai/sdk")]
    [InlineData("anthropic-0")]
    public async Task Official_clients_show_at_once_that_a_limit_is_used_up(string client)
    {
        var user = await Backend.App.NewUserAsync();
        var (_, key) = await Backend.App.NewKeyAsync(user.CustomerId);
        (await Backend.App.PutAsync($"/v1/customers/{user.CustomerId}/limits", """[{"unit":"requests","amount":1,"cycle":"day"}]"""))
            .MustBe(200);
        (await Chat.AskAsync(key, "small", Price.Question)).MustBe(200);
        await Books.UsageAsync(user, 1); // until then it might come back

        var seen = await Node.RunAsync("refused.mjs", "ask", new { url = Stack.Proxy.ToString().TrimEnd('/'), key, name = client });

        Assert.Equal((1, "RateLimitError", 429), (seen.Int("asked"), seen.Text("name"), seen.Int("status")));
        Assert.Contains("limit of 1 requests", seen.Text("message"));
    }
}
