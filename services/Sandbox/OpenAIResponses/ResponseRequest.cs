using System.Text.Json;

namespace LlmGateway.Sandbox;

/// <summary>A request of OpenAI's responses.</summary>
/// <param name="SealsThoughts">Thoughts are told in encrypted form, too, so that the caller can say them again.</param>
public sealed record ResponseRequest(
    Question Question, bool Streams, bool HasStreamOptions, string? Instructions, bool SealsThoughts)
{
    /// <summary>The smallest limit that OpenAI accepts.</summary>
    const int LeastLimit = 16;

    const string Sealed = "reasoning.encrypted_content";

    /// <summary>The encrypted form of a thought. As at OpenAI, it is worth nothing under another id.</summary>
    public static string SealOf(string thoughtId) => $"sealed {thoughtId}";

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
            MostSearches = fields.Array("tools") is { } offered && offered.EnumerateArray().Any(IsSearch)
                ? fields.WholeNumber("max_tool_calls", 1, int.MaxValue) ?? int.MaxValue
                : 0,
        };
        return new(question, fields.Flag("stream"), fields.Has("stream_options"), instructions, fields.Texts("include").Contains(Sealed));
    }

    /// <summary>Nothing is stored here, so an item by its id alone is not found.</summary>
    static void RefuseStored(RequestFields fields, JsonElement item, string kind)
    {
        var (id, seal) = (item.TextMember("id") ?? "", item.TextMember("encrypted_content"));
        if (kind == "item_reference" || (kind == "reasoning" && seal is null && item.AnyMember("content") is null))
        {
            fields.Fail($"Item with id '{id}' not found. Items are not persisted when `store` is set to false.", "input");
        }
        else if (kind == "reasoning" && seal is not null && seal != SealOf(id))
        {
            fields.Fail(
                "The encrypted content could not be verified. Reason: Encrypted content item_id did not match the target item id.",
                "input",
                "invalid_encrypted_content");
        }
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
            RefuseStored(fields, item, kind);
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

    static bool IsSearch(JsonElement tool) => tool.TextMember("type") is "web_search" or "web_search_preview";

    static bool IsTextTool(JsonElement tool, string name) => tool.TextMember("type") == "custom" && tool.TextMember("name") == name;
}
