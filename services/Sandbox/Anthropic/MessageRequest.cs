using System.Text.Json;

namespace LlmGateway.Sandbox;

/// <summary>A request of Anthropic's messages.</summary>
/// <param name="CachesForAnHour">Whether what is written to a cache stays an hour, not five minutes.</param>
public sealed record MessageRequest(Question Question, bool Streams, bool CachesForAnHour)
{
    const int LeastThinkingBudget = 1024;

    /// <param name="isCount">True for a token count, which has no limit for the answer.</param>
    public static MessageRequest Read(RequestFields fields, bool isCount = false)
    {
        var model = fields.RequiredText("model");
        var limit = fields.WholeNumber("max_tokens", 1, int.MaxValue);
        if (limit is null && !isCount)
        {
            fields.Miss("max_tokens");
        }
        var system = fields.Any("system");
        var messages = fields.RequiredArray("messages");
        var orders = new ToolOrders();
        var (promptTokens, lastUserText) = ReadMessages(messages, fields, orders);
        var question = new Question(
            model,
            Question.FingerprintOf(model, system, messages),
            Said.Of(system).Tokens + promptTokens,
            Markers.Read(lastUserText))
        {
            MaxTokens = limit,
            Stops = fields.Texts("stop_sequences"),
            Calls = fields.Array("tools")?.GetArrayLength() > 0 && fields.Text("tool_choice.type") != "none" ? orders.Due() : [],
            WantsJson = (fields.Text("output_config.format.type") ?? fields.Text("output_format.type")) == "json_schema",
            WantsThoughts = ReadThinking(fields, limit),
            MostSearches = MostSearches(fields.Array("tools")),
        };
        return new(
            question,
            fields.Flag("stream"),
            new[] { system, messages, fields.Any("tools"), fields.Any("cache_control") }.Any(part => part is { } some && HasHour(some)));
    }

    static int MostSearches(JsonElement? tools)
    {
        foreach (var tool in tools?.EnumerateArray() ?? default)
        {
            if (tool.TextMember("type")?.StartsWith("web_search_", StringComparison.Ordinal) == true)
            {
                return tool.AnyMember("max_uses") is { ValueKind: JsonValueKind.Number } most ? most.GetInt32() : int.MaxValue;
            }
        }
        return 0;
    }

    static bool ReadThinking(RequestFields fields, int? limit)
    {
        var kind = fields.Text("thinking.type");
        if (kind == "enabled" && fields.WholeNumber("thinking.budget_tokens", LeastThinkingBudget, (limit ?? int.MaxValue) - 1) is null)
        {
            fields.Miss("thinking.budget_tokens");
        }
        return kind is "enabled" or "adaptive";
    }

    static (int Tokens, string LastUserText) ReadMessages(JsonElement messages, RequestFields fields, ToolOrders orders)
    {
        var tokens = 0;
        var lastUserText = "";
        foreach (var (index, message) in messages.EnumerateArray().Index())
        {
            if (message.TextMember("role") is not ("user" or "assistant" or "system"))
            {
                fields.Miss($"messages.{index}.role");
                break;
            }
            if (message.AnyMember("content") is not { ValueKind: JsonValueKind.String or JsonValueKind.Array } content)
            {
                fields.Miss($"messages.{index}.content");
                break;
            }
            var said = Said.Of(content, OfBlock);
            tokens += said.Tokens;
            if (message.TextMember("role") == "user")
            {
                lastUserText = said.Text;
                orders.AddResults(Said.Count(content, block => block.TextMember("type") == "tool_result"));
                orders.AddUserText(Said.Of(content, _ => Said.Nothing).Text);
            }
        }
        return (tokens, lastUserText);
    }

    static Said OfBlock(JsonElement block) => block.TextMember("type") switch
    {
        "tool_result" => Said.Of(block.AnyMember("content"), OfBlock),
        "tool_use" or "thinking" or "redacted_thinking" => Said.Nothing,
        _ => Said.OtherPart,
    };

    /// <summary>
    /// Whether a <c>cache_control</c> anywhere inside asks for an hour. JSON that has been read is at most 64 levels deep.
    /// </summary>
    static bool HasHour(JsonElement element) => element.ValueKind switch
    {
        JsonValueKind.Object => element.TextMember("ttl") == "1h" || element.EnumerateObject().Any(member => HasHour(member.Value)),
        JsonValueKind.Array => element.EnumerateArray().Any(HasHour),
        _ => false,
    };
}
