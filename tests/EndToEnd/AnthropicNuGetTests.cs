using System.Text.Json;
using Anthropic;
using Anthropic.Exceptions;
using Anthropic.Models.Messages;

namespace LlmGateway.EndToEnd;

/// <summary>The NuGet package <c>Anthropic</c>, unchanged, with a base URL and a key, with models of providers of its own and of a foreign wire.</summary>
public sealed class AnthropicNuGetTests
{
    static readonly IReadOnlyList<ToolUnion> Tools = [new Tool { Name = "weather", InputSchema = InputSchema.FromRawUnchecked(Raw("""{"type":"object","properties":{"city":{"type":"string"}}}""")) }];

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

        Assert.Equal((20, 3, 20, "end_turn"), (Text(message).Split(' ').Length, message.Usage.InputTokens, message.Usage.OutputTokens, message.StopReason!.Raw()));
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

        var message = await Client(user).Messages.Create(Ask($"{provider}-small", """call [[tool:weather {"city":"Rome"}]]""") with { Tools = Tools }, Token);

        Assert.Equal("tool_use", message.StopReason!.Raw());
        var call = Assert.Single(message.Content, block => block.TryPickToolUse(out _));
        Assert.True(call.TryPickToolUse(out var use));
        Assert.Equal(("weather", "Rome"), (use.Name, use.Input["city"].GetString()));
    }

    [Theory, InlineData("messages"), InlineData("chat")]
    public async Task Answers_in_the_form_that_it_is_asked_for(string provider)
    {
        var user = await Backend.Wires.NewUserAsync();
        var schema = Raw("""{"type":"object","properties":{"answer":{"type":"string"}},"required":["answer"],"additionalProperties":false}""");

        var message = await Client(user).Messages.Create(Ask($"{provider}-small", Price.Question) with { OutputConfig = new() { Format = new() { Schema = schema } } }, Token);

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

        var raised = await Assert.ThrowsAnyAsync<AnthropicApiException>(() => Client(user).Messages.Create(Ask(model, Price.Question), Token));

        Assert.Equal(status, (int)raised.StatusCode);
        Assert.StartsWith("req_", raised.RequestID);
    }

    static AnthropicClient Client(User user) => new() { ApiKey = user.Token, BaseUrl = Stack.Proxy.ToString().TrimEnd('/'), MaxRetries = 0 };

    static MessageCreateParams Ask(string model, string question) => new() { Model = model, MaxTokens = 500, Messages = [new UserMessageParam { Content = question }] };

    static string Text(Message message) => string.Concat(message.Content.Select(block => block.TryPickText(out var text) ? text.Text : ""));

    static Dictionary<string, JsonElement> Raw(string json) => JsonSerializer.Deserialize<Dictionary<string, JsonElement>>(json)!;
}
