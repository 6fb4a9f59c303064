using System.Text.Json;

namespace LlmGateway.Sandbox;

/// <summary>A request of OpenAI's responses.</summary>
public sealed record ResponseRequest(Question Question, bool Streams, bool HasStreamOptions, string? Instructions)
{
    /// <summary>The smallest limit that OpenAI accepts.</summary>
    const int LeastLimit = 16;

    public static ResponseRequest Read(RequestFields fields)
    {
        var model = fields.RequiredText("model");
        var instructions = fields.Text("instructions");
        var orders = new ToolOrders();
        var (promptTokens, lastUserText) = ReadInput(fields, orders);
        if (fields.Text("previous_response_id") is { } previous)
        {
            fields.Fail($"Previous response with id '{previous}' not found.", "previous_response_id", "previous_response_not_found");
        }
        var fingerprint = Question.FingerprintOf(model, fields.Any("instructions"), fields.Any("input"));
        var question = new Question(model, fingerprint, Words.Count(instructions) + promptTokens, Markers.Read(lastUserText))
        {
            MaxTokens = fields.WholeNumber("max_output_tokens", LeastLimit, int.MaxValue),
            Calls = fields.Text("tool_choice") != "none" && fields.Array("tools") is { } tools ? Due(orders, tools) : [],
            WantsJson = fields.Text("text.format.type") is "json_object" or "json_schema",
            WantsThoughts = fields.Has("reasoning.summary"),
        };
        return new(question, fields.Flag("stream"), fields.Has("stream_options"), instructions);
    }

    static (int Tokens, string LastUserText) ReadInput(RequestFields fields, ToolOrders orders)
    {
        if (fields.Text("input") is { } whole)
        {
            orders.AddUserText(whole);
            return (Words.Count(whole), whole);
        }
        var tokens = 0;
        var lastUserText = "";
        foreach (var item in fields.RequiredArray("input").EnumerateArray())
        {
            var kind = item.TextMember("type") ?? "message";
            var said = kind switch
            {
                "message" => Said.Of(item.AnyMember("content")),
                _ when IsResult(kind) => Said.Of(item.AnyMember("output")),
                _ => Said.Nothing,
            };
            tokens += said.Tokens;
            orders.AddResults(IsResult(kind) ? 1 : 0);
            if (item.TextMember("role") == "user")
            {
                lastUserText = said.Text;
                orders.AddUserText(said.Text);
            }
        }
        return (tokens, lastUserText);
    }

    /// <summary>A call's result, of a function as of any other kind of tool that the caller runs.</summary>
    static bool IsResult(string kind) => kind.EndsWith("_call_output", StringComparison.Ordinal);

    static OrderedCall[] Due(ToolOrders orders, JsonElement tools) => tools.GetArrayLength() == 0
        ? []
        : [.. orders.Due().Select(call => call with { IsText = tools.EnumerateArray().Any(tool => IsTextTool(tool, call.Name)) })];

    static bool IsTextTool(JsonElement tool, string name) => tool.TextMember("type") == "custom" && tool.TextMember("name") == name;
}
