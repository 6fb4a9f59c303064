using System.ClientModel;
using System.ClientModel.Primitives;
using OpenAI;
using OpenAI.Chat;
using OpenAI.Models;

namespace LlmGateway.EndToEnd;

/// <summary>The NuGet package <c>OpenAI</c>, unchanged, with an endpoint and a key.</summary>
public sealed class OpenAiNuGetTests
{
    static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Chats_and_is_charged()
    {
        var user = await Backend.App.NewUserAsync();

        var answer = (await Client(user, "small").CompleteChatAsync([new UserChatMessage(Price.Question)], cancellationToken: Token)).Value;

        Assert.Equal(20, answer.Content[0].Text.Split(' ').Length);
        Assert.Equal((3, 20, ChatFinishReason.Stop), (answer.Usage.InputTokenCount, answer.Usage.OutputTokenCount, answer.FinishReason));
        Assert.Equal(1_000_000_000 - 43_000, await user.BalanceAfterAsync(1));
    }

    [Fact]
    public async Task Streams_and_sees_usage_because_it_asks_for_it()
    {
        var user = await Backend.App.NewUserAsync();

        var (text, usage) = ("", (ChatTokenUsage?)null);
        await foreach (var update in Client(user, "small").CompleteChatStreamingAsync([new UserChatMessage(Price.Question)], cancellationToken: Token))
        {
            text += string.Concat(update.ContentUpdate.Select(part => part.Text));
            usage = update.Usage ?? usage;
        }

        Assert.Equal(20, text.Split(' ').Length);
        Assert.Equal((3, 20), (usage!.InputTokenCount, usage.OutputTokenCount));
        Assert.Equal(43_000, (await Books.OnlyUsageAsync(user)).Charged);
    }

    [Fact]
    public async Task Calls_tools()
    {
        var user = await Backend.App.NewUserAsync();
        var options = new ChatCompletionOptions { Tools = { ChatTool.CreateFunctionTool("weather") }, MaxOutputTokenCount = 100 };

        var answer = (await Client(user, "small").CompleteChatAsync([new UserChatMessage("""call [[tool:weather {"city": "Rome"}]]""")], options, Token)).Value;

        Assert.Equal(ChatFinishReason.ToolCalls, answer.FinishReason);
        Assert.Equal(("weather", """{"city": "Rome"}"""), (answer.ToolCalls[0].FunctionName, answer.ToolCalls[0].FunctionArguments.ToString()));
    }

    [Fact]
    public async Task Lists_the_models_that_the_key_may_use()
    {
        var user = await Backend.App.NewUserAsync("1", "\"scope\":{\"models\":[\"small\"]}");
        var models = (await new OpenAIModelClient(new ApiKeyCredential(user.Token), Options()).GetModelsAsync(Token)).Value;
        Assert.Equal("small", Assert.Single(models).Id);
    }

    [Theory]
    [InlineData(null, "small", 402, "wallet_exhausted")]
    [InlineData("1", "no-such-model", 400, "does not exist in this project")]
    [InlineData("1", "error-503", 503, "overloaded or down")]
    public async Task Raises_an_exception_with_status_and_reason(string? credit, string model, int status, string message)
    {
        var user = await Backend.App.NewUserAsync(credit);

        var error = await Assert.ThrowsAsync<ClientResultException>(() =>
            Client(user, model).CompleteChatAsync([new UserChatMessage(Price.Question)], cancellationToken: Token));

        Assert.Equal(status, error.Status);
        Assert.Contains(message, error.Message);
    }

    static ChatClient Client(User user, string model) => new(model, new ApiKeyCredential(user.Token), Options());

    static OpenAIClientOptions Options() => new() { Endpoint = new Uri(Stack.Proxy, "/v1"), RetryPolicy = new ClientRetryPolicy(0) };
}
