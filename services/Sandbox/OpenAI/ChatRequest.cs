using System.Text.Json;

namespace LlmGateway.Sandbox;

/// <summary>A chat completion request as OpenAI reads it. Of duplicate members the last one counts.</summary>
/// <param name="HasStreamOptions">Whether <c>stream_options</c> is there at all.</param>
/// <param name="IncludesUsage">Whether the stream is to end with the usage.</param>
public sealed record ChatRequest(Question Question, bool Streams, bool HasStreamOptions, bool IncludesUsage)
{
    const int MaxChoices = 128;

    /// <summary>The model thinks, and a call of an earlier turn is there without its thoughts.</summary>
    public bool LacksThoughts { get; private init; }

    public static ChatRequest Read(RequestFields fields)
    {
        var model = fields.RequiredText("model");
        var messages = fields.RequiredArray("messages");
        var orders = new ToolOrders();
        var (promptTokens, lastUserText) = ReadMessages(messages, fields, orders);

        var streams = fields.Flag("stream");
        if (fields.Has("stream_options") && !streams)
        {
            fields.Fail("The 'stream_options' parameter is only allowed when 'stream' is enabled.", "stream_options");
        }
        var question = new Question(model, Question.FingerprintOf(model, messages), promptTokens, Markers.Read(lastUserText))
        {
            Choices = fields.WholeNumber("n", 1, MaxChoices) ?? 1,
            MaxTokens = ReadLimit(fields),
            Stops = fields.Texts("stop"),
            Calls = fields.Array("tools")?.GetArrayLength() > 0 && fields.Text("tool_choice") != "none" ? orders.Due() : [],
            WantsJson = fields.Text("response_format.type") is "json_object" or "json_schema",
        };
        return new(question, streams, fields.Has("stream_options"), fields.Flag("stream_options.include_usage"))
        {
            LacksThoughts = question.Thoughts > 0 && messages.EnumerateArray().Any(LacksThought),
        };
    }

    static bool LacksThought(JsonElement message) => message.TextMember("role") == "assistant"
        && message.AnyMember("tool_calls") is { ValueKind: JsonValueKind.Array }
        && message.TextMember("reasoning_content") is null;

    static int? ReadLimit(RequestFields fields)
    {
        var maxTokens = fields.WholeNumber("max_tokens", 1, int.MaxValue);
        var maxCompletionTokens = fields.WholeNumber("max_completion_tokens", 1, int.MaxValue);
        if (maxTokens is not null && maxCompletionTokens is not null)
        {
            const string message = "Setting 'max_tokens' and 'max_completion_tokens' at the same time is not supported.";
            fields.Fail(message, "max_tokens", "invalid_parameter_combination");
        }
        return maxCompletionTokens ?? maxTokens;
    }

    static (int Tokens, string LastUserText) ReadMessages(JsonElement messages, RequestFields fields, ToolOrders orders)
    {
        var tokens = 0;
        var lastUserText = "";
        foreach (var (index, message) in messages.EnumerateArray().Index())
        {
            if (message.TextMember("role") is not { } role)
            {
                fields.Miss($"messages[{index}].role");
                break;
            }
            var said = Said.Of(message.AnyMember("content"));
            tokens += said.Tokens;
            switch (role)
            {
                case "user":
                    lastUserText = said.Text;
                    orders.AddUserText(said.Text);
                    break;
                case "tool":
                    orders.AddResults(1);
                    break;
            }
        }
        return (tokens, lastUserText);
    }
}
