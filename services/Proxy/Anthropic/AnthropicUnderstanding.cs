using System.Text.Json;
using LlmGateway.Proxy.Translation;
using static LlmGateway.Proxy.FieldErrors;

namespace LlmGateway.Proxy.Anthropic;

/// <summary>Says in no wire's words what a Messages request asks for. The body has passed <see cref="AnthropicRequestReader"/>.</summary>
static class AnthropicUnderstanding
{
    // Which wire the provider speaks is not known here, only that it is not this one.
    const string OtherWire = "another wire";

    /// <summary>Members that are read elsewhere, that say who asks, or that only save the provider work: the answer is the same without them.</summary>
    static readonly HashSet<string> LeftOut =
        ["model", "max_tokens", "stream", "metadata", "user_profile_id", "cache_control", "diagnostics", "service_tier", "speed", "inference_geo", "mcp_servers"];

    public static Conversation Understand(ReadOnlySpan<byte> body)
    {
        var reader = new Utf8JsonReader(body, new JsonReaderOptions { MaxDepth = StrictJson.MaxDepth + 1 });
        using var json = JsonDocument.ParseValue(ref reader);
        var root = json.RootElement;
        var system = new List<string>();
        if (root.TryGetProperty("system", out var instructions))
            AddSystem(system, instructions, "system");
        var said = new Conversation { System = system, Turns = AnthropicTurns.Read(root.GetProperty("messages"), system) };
        foreach (var member in root.EnumerateObject())
            if (member.Value.ValueKind is not (JsonValueKind.Null or JsonValueKind.False) && !LeftOut.Contains(member.Name))
                said = With(said, member.Name, member.Value);
        return said with { Effort = EffortOf(root) };
    }

    static Conversation With(Conversation said, string name, JsonElement value) => name switch
    {
        "system" or "messages" or "thinking" => said,
        "tools" => said with { Tools = [.. value.EnumerateArray().Select(ReadTool)] },
        "tool_choice" => WithToolChoice(said, value),
        "temperature" => said with { Temperature = new(Number(value, name), name) },
        "top_p" => said with { TopP = new(Number(value, name), name) },
        "top_k" => said with { TopK = new(value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out var top) ? top : throw Invalid(name, "must be an integer"), name) },
        "stop_sequences" => said with { Stop = new(Texts(value, name), name) },
        "output_config" => WithOutput(said, value),
        "output_format" => said with { Format = ReadFormat(value, name) },
        _ => throw Untranslatable(name, OtherWire),
    };

    static Tool ReadTool(JsonElement tool, int index)
    {
        var path = $"tools[{index}]";
        Only(tool, path, "type", "name", "description", "input_schema", "strict", "eager_input_streaming");
        return new(
            Text(tool, "name", path), OptionalText(tool, "description", path), tool.TryGetProperty("input_schema", out var schema) ? schema.GetRawText() : null, IsTrue(tool, "strict"), path);
    }

    static Conversation WithToolChoice(Conversation said, JsonElement choice)
    {
        const string Path = "tool_choice";
        Only(choice, Path, "type", "name", "disable_parallel_tool_use");
        var mode = Text(choice, "type", Path) switch
        {
            "auto" => ToolMode.Auto,
            "any" => ToolMode.Required,
            "tool" => ToolMode.One,
            "none" => ToolMode.None,
            _ => throw Invalid($"{Path}.type", "must be 'auto', 'any', 'tool' or 'none'"),
        };
        Given<bool>? parallel = choice.TryGetProperty("disable_parallel_tool_use", out var disable) && disable.ValueKind is JsonValueKind.True or JsonValueKind.False
            ? new(disable.ValueKind == JsonValueKind.False, $"{Path}.disable_parallel_tool_use")
            : null;
        return said with { ToolChoice = new(mode, mode == ToolMode.One ? Text(choice, "name", Path) : null, Path), ParallelTools = parallel };
    }

    static Conversation WithOutput(Conversation said, JsonElement output)
    {
        Only(output, "output_config", "effort", "format");
        return output.TryGetProperty("format", out var format) && format.ValueKind != JsonValueKind.Null ? said with { Format = ReadFormat(format, "output_config.format") } : said;
    }

    static OutputFormat ReadFormat(JsonElement format, string path)
    {
        Only(format, path, "type", "schema");
        if (Text(format, "type", path) != "json_schema" || !format.TryGetProperty("schema", out var schema))
            throw Invalid(path, "must be of type 'json_schema' and have a 'schema'");
        return new(null, schema.GetRawText(), Strict: true, path);
    }

    /// <summary>A budget, or a level, or as much as the model likes.</summary>
    static Effort? EffortOf(JsonElement root)
    {
        var level = root.TryGetProperty("output_config", out var output) ? OptionalText(output, "effort", "output_config") : null;
        if (level is not (null or "low" or "medium" or "high"))
            throw Untranslatable("output_config.effort", OtherWire, "only 'low', 'medium' and 'high' are known there");
        if (!root.TryGetProperty("thinking", out var thinking) || thinking.ValueKind == JsonValueKind.Null)
            return level is null ? null : new(level, null, Shown: false, "output_config.effort");

        Only(thinking, "thinking", "type", "budget_tokens", "display");
        var shown = OptionalText(thinking, "display", "thinking") != "omitted";
        int? budget = Text(thinking, "type", "thinking") switch
        {
            "adaptive" => level is null ? -1 : null,
            "disabled" => 0,
            "enabled" when thinking.TryGetProperty("budget_tokens", out var tokens) && tokens.TryGetInt32(out var given) => given,
            "enabled" => throw Invalid("thinking.budget_tokens", "is required"),
            _ => throw Untranslatable("thinking.type", OtherWire),
        };
        if (budget is not null && level is not null)
            throw Untranslatable("output_config.effort", OtherWire, "it cannot be said there beside 'thinking'");
        return new(level, budget, shown && budget != 0, "thinking");
    }

    /// <summary>Instructions as one string or several blocks.</summary>
    internal static void AddSystem(List<string> to, JsonElement instructions, string path)
    {
        if (instructions.ValueKind == JsonValueKind.String)
            to.Add(instructions.GetString()!);
        if (instructions.ValueKind != JsonValueKind.Array)
            return;
        var index = 0;
        foreach (var block in instructions.EnumerateArray())
        {
            Only(block, $"{path}[{index}]", "type", "text", "citations");
            to.Add(Text(block, "text", $"{path}[{index++}]"));
        }
    }

    /// <summary>Refuses every member that is not named, unless it is null or false; marks for the cache only save work.</summary>
    internal static void Only(JsonElement value, string path, params ReadOnlySpan<string> known)
    {
        if (value.ValueKind != JsonValueKind.Object)
            throw Invalid(path, "must be an object");
        foreach (var member in value.EnumerateObject())
            if (member.Value.ValueKind is not (JsonValueKind.Null or JsonValueKind.False) && member.Name != "cache_control" && !known.Contains(member.Name))
                throw Untranslatable($"{path}.{member.Name}", OtherWire);
    }

    internal static string Text(JsonElement value, string name, string path) => OptionalText(value, name, path) ?? throw Invalid($"{path}.{name}", "is required");

    internal static string? OptionalText(JsonElement value, string name, string path)
    {
        if (value.ValueKind != JsonValueKind.Object)
            throw Invalid(path, "must be an object");
        if (!value.TryGetProperty(name, out var text) || text.ValueKind == JsonValueKind.Null)
            return null;
        return text.ValueKind == JsonValueKind.String ? text.GetString() : throw Invalid($"{path}.{name}", "must be a string");
    }

    internal static bool IsTrue(JsonElement value, string name) => value.TryGetProperty(name, out var given) && given.ValueKind == JsonValueKind.True;

    static decimal Number(JsonElement value, string path) =>
        value.ValueKind == JsonValueKind.Number && value.TryGetDecimal(out var number) ? number : throw Invalid(path, "must be a number");

    static List<string> Texts(JsonElement value, string path)
    {
        var texts = new List<string>();
        foreach (var text in value.ValueKind == JsonValueKind.Array ? value.EnumerateArray() : throw Invalid(path, "must be an array of strings"))
            texts.Add(text.ValueKind == JsonValueKind.String ? text.GetString()! : throw Invalid(path, "must be an array of strings"));
        return texts;
    }
}
