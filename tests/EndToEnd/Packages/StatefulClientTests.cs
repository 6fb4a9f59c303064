namespace LlmGateway.EndToEnd;

/// <summary>
/// Clients that leave their conversation to the provider, with their default settings: with a provider of their own wire and with another.
/// In the sandbox a word is a token and an answer has 20, so what the model was told can be counted.
/// </summary>
public sealed class StatefulClientTests
{
    [Theory]
    [InlineData("responses"), InlineData("chat"), InlineData("messages"), InlineData("gemini")]
    public async Task The_openai_package_continues_by_the_previous_response(string provider)
    {
        var (_, key) = await KeyAsync();
        var (_, strangerKey) = await KeyAsync();

        var result = await Node.RunAsync("state.mjs", "openai", new { url = Url, key, strangerKey, model = $"{provider}-small" });

        // 3 words; with 20 of the answer and 2 more; with 20 more of the answer and 5 of the question with its markers.
        Assert.Equal([3, 25, 25 + 20 + 5], result.Items("inputs").Take(3).Select(count => count.GetInt32()));
        Assert.True(result.Items("inputs").Last().GetInt32() > 50);
        Assert.All(result.Items("stored"), stored => Assert.True(stored.GetBoolean()));
        Assert.True(result.GetProperty("previous").GetBoolean());
        Assert.True(result.GetProperty("same").GetBoolean());
        Assert.Equal(20, result.Text("text").Split(' ').Length);
        Assert.Equal("message,message,message,message,message", string.Join(',', result.Items("items").Take(5).Select(i => i.GetString())));
        Assert.Equal("function_call_output", result.Items("items").Last().GetString());
        foreach (var error in result.Items("strange").Concat(result.Items("deleted")))
            Assert.True(error.GetProperty("isNotFound").GetBoolean(), error.ToString());
    }

    [Theory]
    [InlineData("responses"), InlineData("chat"), InlineData("messages"), InlineData("gemini")]
    public async Task The_AI_SDK_refers_to_what_it_was_told(string provider)
    {
        var (user, key) = await KeyAsync();

        var result = await Node.RunAsync("state.mjs", "ai", new { url = Url, key, model = $"{provider}-small" });

        Assert.Equal([3, 25], result.Items("inputs").Take(2).Select(count => count.GetInt32()));
        Assert.Equal(20, result.Text("streamed").Split(' ').Length);
        Assert.Equal(["Rome"], result.Items("cities").Select(city => city.GetString()));
        Assert.Equal(2, result.Int("steps"));
        Assert.NotEmpty(result.Text("thoughts"));
        Assert.True(result.Int("references") >= 2, "the SDK sent what it was told instead of referring to it");
        Assert.Equal(20, result.Text("text").Split(' ').Length);
        Assert.All(await Books.UsageAsync(user, 5), row => Assert.Equal((Outcome.Completed, false), (row.Outcome, row.Estimated)));
    }

    static string Url => Stack.Proxy.ToString().TrimEnd('/');

    static async Task<(User User, string Key)> KeyAsync()
    {
        var user = await Backend.Wires.NewUserAsync();
        return (user, (await Backend.Wires.NewKeyAsync(user.CustomerId)).Secret);
    }
}
