using System.Text.Json;
using Anthropic;
using Anthropic.Exceptions;
using Anthropic.Models.Messages;

namespace LlmGateway.EndToEnd;

/// <summary>
/// The NuGet package <c>Anthropic</c>, unchanged, with a base URL and a key, with models of providers of its own and of a foreign wire.
/// </summary>
public sealed class AnthropicNuGetTests
{
    static readonly IReadOnlyList<ToolUnion> Tools = [Tool("weather"), Tool("clock")];

    static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Lists_the_models_that_the_key_may_use()
    {
        var user = await Backend.Wires.NewUserAsync("1", "\"scope\":{\"models\":[\"messages-small\"]}");
        Assert.Equal("messages-small", Assert.Single((await Client(user).Models.List(cancellationToken: Token)).Items).ID);
    }

    [Theory, InlineData("messages"), InlineData("chat")]
    public async Task Chats_and_is_charged(string provider)
    {
        var user = await Backend.Wires.NewUserAsync();

        var message = await Client(user).Messages.Create(Ask($"{provider}-small", Price.Question), Token);

        Assert.Equal(
            (20, 3, 20, "end_turn"),
            (Text(message).Split(' ').Length, message.Usage.InputTokens, message.Usage.OutputTokens, message.StopReason!.Raw()));
        Assert.Equal(1_000_000_000 - 43_000, await user.BalanceAfterAsync(1));
    }

    [Theory, InlineData("messages"), InlineData("chat")]
    public async Task Streams(string provider)
    {
        var user = await Backend.Wires.NewUserAsync();

        var text = "";
        await foreach (var e in Client(user).Messages.CreateStreaming(Ask($"{provider}-small", Price.Question), Token))
            if (e.TryPickContentBlockDelta(out var delta) && delta.Delta.TryPickText(out var piece))
                text += piece.Text;

        Assert.Equal(20, text.Split(' ').Length);
        Assert.Equal(43_000, (await Books.OnlyUsageAsync(user)).Charged);
    }

    [Theory, InlineData("messages"), InlineData("chat")]
    public async Task Calls_tools(string provider)
    {
        var user = await Backend.Wires.NewUserAsync();

        var message = await Client(user).Messages.Create(
            Ask($"{provider}-small", """call [[tool:weather {"city":"Rome"}]]""") with { Tools = Tools },
            Token);

        Assert.Equal("tool_use", message.StopReason!.Raw());
        var call = Assert.Single(message.Content, block => block.TryPickToolUse(out _));
        Assert.True(call.TryPickToolUse(out var use));
        Assert.Equal(("weather", "Rome"), (use.Name, use.Input["city"].GetString()));
    }

    [Theory, InlineData("messages"), InlineData("chat")]
    public async Task Calls_several_tools_in_a_stream(string provider)
    {
        var user = await Backend.Wires.NewUserAsync();
        var question = Ask(
            $"{provider}-small",
            """call [[tool:weather {"city":"Rome"}]] [[tool:clock {"zone":"CET"}]]""") with { Tools = Tools };

        var calls = new SortedDictionary<long, string>();
        await foreach (var e in Client(user).Messages.CreateStreaming(question, Token))
        {
            if (e.TryPickContentBlockStart(out var start) && start.ContentBlock.TryPickToolUse(out var use))
                calls[start.Index] = use.Name;
            if (e.TryPickContentBlockDelta(out var delta) && delta.Delta.TryPickInputJson(out var piece))
                calls[delta.Index] += piece.PartialJson;
        }

        Assert.Equal(["""weather{"city":"Rome"}""", """clock{"zone":"CET"}"""], calls.Values);
    }

    [Theory, InlineData("messages"), InlineData("chat")]
    public async Task Shows_an_image(string provider)
    {
        var user = await Backend.Wires.NewUserAsync();
        List<ContentBlockParam> content =
        [
            new TextBlockParam { Text = Price.Question },
            new ImageBlockParam { Source = new Base64ImageSource { MediaType = MediaType.ImagePng, Data = Chat.Png } },
        ];

        var message = await Client(user).Messages.Create(
            Ask($"{provider}-small", "") with { Messages = [new UserMessageParam { Content = content }] },
            Token);

        Assert.Equal(3 + 85, message.Usage.InputTokens);
    }

    [Theory, InlineData("messages"), InlineData("chat")]
    public async Task Answers_in_the_form_that_it_is_asked_for(string provider)
    {
        var user = await Backend.Wires.NewUserAsync();
        var schema = Raw(
            """{"type":"object","properties":{"answer":{"type":"string"}},"required":["answer"],"additionalProperties":false}""");

        var message = await Client(user).Messages.Create(
            Ask($"{provider}-small", Price.Question) with { OutputConfig = new() { Format = new() { Schema = schema } } },
            Token);

        Assert.NotEmpty(JsonSerializer.Deserialize<JsonElement>(Text(message)).Text("answer"));
    }

    [Theory]
    [InlineData(null, "messages-small", 402)]
    [InlineData("1", "no-such-model", 400)]
    [InlineData("1", "messages-error-404", 404)]
    [InlineData("1", "messages-error-429", 429)]
    [InlineData("1", "messages-error-500", 502)]
    public async Task Raises_an_exception_with_status_and_reason(string? credit, string model, int status)
    {
        var user = await Backend.Wires.NewUserAsync(credit);

        var raised =
            await Assert.ThrowsAnyAsync<AnthropicApiException>(() => Client(user).Messages.Create(Ask(model, Price.Question), Token));

        Assert.Equal(status, (int)raised.StatusCode);
        Assert.StartsWith("req_", raised.RequestID);
    }

    [Fact]
    public async Task Raises_an_exception_where_the_key_is_wrong_or_too_narrow()
    {
        var narrow = await Backend.Wires.NewUserAsync("1", "\"scope\":{\"models\":[\"chat-embedding\"]}");
        foreach (var (key, status) in new[] { ("sk_live_wrong", 401), (narrow.Token, 403) })
            Assert.Equal(
                status,
                (int)(await Assert.ThrowsAnyAsync<AnthropicApiException>(() =>
                    Client(key).Messages.Create(Ask("messages-small", Price.Question), Token))).StatusCode);
    }

    [Theory, InlineData("messages"), InlineData("chat")]
    public async Task Who_leaves_a_stream_has_left_the_provider_too(string provider)
    {
        var user = await Backend.Wires.NewUserAsync();
        var tag = Sandbox.NewTag();

        var words = 0;
        await foreach (var e in Client(user).Messages.CreateStreaming(Ask($"{provider}-slow", $"[[tag:{tag}]] [[tokens:500]]"), Token))
            if (e.TryPickContentBlockDelta(out _) && ++words == 3)
                break;

        Assert.InRange((await Sandbox.CallAsync(tag, call => call.Outcome == "aborted", "the abort at the provider")).TokensOut, 3, 499);
    }

    static AnthropicClient Client(User user) => Client(user.Token);

    static AnthropicClient Client(string key) => new() { ApiKey = key, BaseUrl = Stack.Proxy.ToString().TrimEnd('/'), MaxRetries = 0 };

    static MessageCreateParams Ask(string model, string question) =>
        new() { Model = model, MaxTokens = 500, Messages = [new UserMessageParam { Content = question }] };

    static Tool Tool(string name) => new() { Name = name, InputSchema = InputSchema.FromRawUnchecked(
        Raw("""{"type":"object","properties":{"city":{"type":"string"},"zone":{"type":"string"}}}""")) };

    static string Text(Message message) => string.Concat(message.Content.Select(block => block.TryPickText(out var text) ? text.Text : ""));

    static Dictionary<string, JsonElement> Raw(string json) => JsonSerializer.Deserialize<Dictionary<string, JsonElement>>(json)!;
}
