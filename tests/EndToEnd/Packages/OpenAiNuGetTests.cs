using System.ClientModel;
using System.ClientModel.Primitives;
using System.Text.Json;
using OpenAI;
using OpenAI.Chat;
using OpenAI.Embeddings;
using OpenAI.Models;

namespace LlmGateway.EndToEnd;

/// <summary>
/// The NuGet package <c>OpenAI</c>, unchanged, with an endpoint and a key, with models of providers of its own and of a foreign wire.
/// </summary>
public sealed class OpenAiNuGetTests
{
    static readonly ChatTool Weather = ChatTool.CreateFunctionTool("weather"), Clock = ChatTool.CreateFunctionTool("clock");

    static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Lists_the_models_that_the_key_may_use()
    {
        var user = await Backend.Wires.NewUserAsync("1", "\"scope\":{\"models\":[\"chat-small\"]}");
        var models = (await new OpenAIModelClient(new ApiKeyCredential(user.Token), Options()).GetModelsAsync(Token)).Value;
        Assert.Equal("chat-small", Assert.Single(models).Id);
    }

    [Theory, InlineData("chat"), InlineData("messages")]
    public async Task Chats_and_is_charged(string provider)
    {
        var user = await Backend.Wires.NewUserAsync();

        var answer = await AskAsync(user.Token, $"{provider}-small", Price.Question);

        Assert.Equal(20, answer.Content[0].Text.Split(' ').Length);
        Assert.Equal((3, 20, ChatFinishReason.Stop), (answer.Usage.InputTokenCount, answer.Usage.OutputTokenCount, answer.FinishReason));
        Assert.Equal(1_000_000_000 - 43_000, await user.BalanceAfterAsync(1));
    }

    [Theory, InlineData("chat"), InlineData("messages")]
    public async Task Streams_and_sees_usage_because_it_asks_for_it(string provider)
    {
        var user = await Backend.Wires.NewUserAsync();

        var (text, usage) = ("", (ChatTokenUsage?)null);
        await foreach (var update in Client(user.Token, $"{provider}-small")
            .CompleteChatStreamingAsync([new UserChatMessage(Price.Question)], cancellationToken: Token))
        {
            text += string.Concat(update.ContentUpdate.Select(part => part.Text));
            usage = update.Usage ?? usage;
        }

        Assert.Equal(20, text.Split(' ').Length);
        Assert.Equal((3, 20), (usage!.InputTokenCount, usage.OutputTokenCount));
        Assert.Equal(43_000, (await Books.OnlyUsageAsync(user)).Charged);
    }

    [Theory, InlineData("chat"), InlineData("messages")]
    public async Task Calls_tools(string provider)
    {
        var user = await Backend.Wires.NewUserAsync();

        var answer = await AskAsync(
            user.Token,
            $"{provider}-small",
            """call [[tool:weather {"city":"Rome"}]]""",
            new() { Tools = { Weather }, MaxOutputTokenCount = 100 });

        Assert.Equal(ChatFinishReason.ToolCalls, answer.FinishReason);
        Assert.Equal(
            ("weather", """{"city":"Rome"}"""),
            (answer.ToolCalls[0].FunctionName, answer.ToolCalls[0].FunctionArguments.ToString()));
    }

    [Theory, InlineData("chat"), InlineData("messages")]
    public async Task Calls_several_tools_in_a_stream(string provider)
    {
        var user = await Backend.Wires.NewUserAsync();
        var question = new UserChatMessage("""call [[tool:weather {"city":"Rome"}]] [[tool:clock {"zone":"CET"}]]""");

        var (calls, reason) = (new SortedDictionary<int, string>(), (ChatFinishReason?)null);
        await foreach (var update in Client(user.Token, $"{provider}-small")
            .CompleteChatStreamingAsync([question], new() { Tools = { Weather, Clock } }, Token))
        {
            foreach (var call in update.ToolCallUpdates)
                calls[call.Index] = calls.GetValueOrDefault(call.Index) + call.FunctionName + call.FunctionArgumentsUpdate;
            reason = update.FinishReason ?? reason;
        }

        Assert.Equal(["""weather{"city":"Rome"}""", """clock{"zone":"CET"}"""], calls.Values);
        Assert.Equal(ChatFinishReason.ToolCalls, reason);
    }

    [Theory, InlineData("chat"), InlineData("messages")]
    public async Task Shows_an_image(string provider)
    {
        var user = await Backend.Wires.NewUserAsync();
        var image = ChatMessageContentPart.CreateImagePart(BinaryData.FromBytes(Convert.FromBase64String(Chat.Png)), "image/png");

        var answer = (await Client(user.Token, $"{provider}-small").CompleteChatAsync(
            [new UserChatMessage(ChatMessageContentPart.CreateTextPart(Price.Question), image)],
            null,
            Token)).Value;

        Assert.Equal(3 + 85, answer.Usage.InputTokenCount);
    }

    [Theory, InlineData("chat"), InlineData("messages")]
    public async Task Answers_in_the_form_that_it_is_asked_for(string provider)
    {
        var user = await Backend.Wires.NewUserAsync();
        var schema = BinaryData.FromString(
            """{"type":"object","properties":{"answer":{"type":"string"}},"required":["answer"],"additionalProperties":false}""");

        var answer = await AskAsync(user.Token, $"{provider}-small", Price.Question,
            new() { ResponseFormat = ChatResponseFormat.CreateJsonSchemaFormat("answer", schema, jsonSchemaIsStrict: true) });

        Assert.NotEmpty(JsonSerializer.Deserialize<JsonElement>(answer.Content[0].Text).Text("answer"));
    }

    [Fact]
    public async Task Embeds()
    {
        var user = await Backend.Wires.NewUserAsync();
        var vector = (await new EmbeddingClient("chat-embedding", new ApiKeyCredential(user.Token), Options()).GenerateEmbeddingAsync(
            Price.Question,
            cancellationToken: Token)).Value;
        Assert.Contains(vector.ToFloats().ToArray(), value => value != 0);
    }

    [Theory]
    [InlineData("1", "no-such-model", 400, "does not exist in this project")]
    [InlineData(null, "chat-small", 402, "wallet_exhausted")]
    [InlineData("1", "chat-error-404", 404, "model_not_found")]
    [InlineData("1", "chat-error-429", 429, "rate")]
    [InlineData("1", "chat-error-500", 502, "failed")]
    [InlineData("1", "messages-error-500", 502, "failed")]
    public async Task Raises_an_exception_with_status_and_reason(string? credit, string model, int status, string message)
    {
        var user = await Backend.Wires.NewUserAsync(credit);
        var raised = await Assert.ThrowsAsync<ClientResultException>(() => AskAsync(user.Token, model, Price.Question));
        Assert.Equal(status, raised.Status);
        Assert.Contains(message, raised.Message);
    }

    [Fact]
    public async Task Raises_an_exception_where_the_key_is_wrong_or_too_narrow()
    {
        var narrow = await Backend.Wires.NewUserAsync("1", "\"scope\":{\"models\":[\"chat-embedding\"]}");
        foreach (var (key, status) in new[] { ("sk_live_wrong", 401), (narrow.Token, 403) })
            Assert.Equal(
                status,
                (await Assert.ThrowsAsync<ClientResultException>(() => AskAsync(key, "chat-small", Price.Question))).Status);
    }

    [Theory, InlineData("chat"), InlineData("messages")]
    public async Task Who_leaves_a_stream_has_left_the_provider_too(string provider)
    {
        var user = await Backend.Wires.NewUserAsync();
        var tag = Sandbox.NewTag();

        var words = 0;
        await foreach (var update in Client(user.Token, $"{provider}-slow").CompleteChatStreamingAsync(
            [new UserChatMessage($"[[tag:{tag}]] [[tokens:500]]")],
            cancellationToken: Token))
            if (update.ContentUpdate.Count > 0 && ++words == 3)
                break;

        Assert.InRange((await Sandbox.CallAsync(tag, call => call.Outcome == "aborted", "the abort at the provider")).TokensOut, 3, 499);
    }

    static async Task<ChatCompletion> AskAsync(string key, string model, string question, ChatCompletionOptions? options = null) =>
        (await Client(key, model).CompleteChatAsync([new UserChatMessage(question)], options, Token)).Value;

    static ChatClient Client(string key, string model) => new(model, new ApiKeyCredential(key), Options());

    static OpenAIClientOptions Options() => new() { Endpoint = new Uri(Stack.Proxy, "/v1"), RetryPolicy = new ClientRetryPolicy(0) };
}
