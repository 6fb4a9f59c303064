using System.Text.Json;
using LlmGateway.Proxy.Translation;
using static LlmGateway.Proxy.FieldErrors;

namespace LlmGateway.Proxy.Chat;

/// <summary>Tools and forms of answers as OpenAI's two wires say them. They differ only in how deep the members stand.</summary>
static class OpenAiTools
{
    /// <param name="path">The function's place.</param>
    /// <param name="field">The tool's place.</param>
    public static Tool ReadFunction(JsonElement function, string path, string field, LeftOut left)
    {
        function.LeaveOutOthers(path, left, "type", "name", "description", "parameters", "strict", "cache_control");
        return new(
            function.Text("name", path), function.Find("description")?.Text($"{path}.description"),
            function.Find("parameters")?.Object($"{path}.parameters").GetRawText(),
            function.Find("strict")?.Flag($"{path}.strict") ?? false, field);
    }

    /// <summary>
    /// A mode, or one tool: <c>{"type":"function","function":{"name":…}}</c>, or the name beside the type. Several allowed tools are a mode
    /// with <see cref="ToolChoice.Only"/>; see <see cref="Restrict"/>.
    /// </summary>
    public static ToolChoice ReadChoice(JsonElement choice)
    {
        const string Path = "tool_choice";
        if (choice.ValueKind == JsonValueKind.String)
            return new(ModeOf(choice.GetString()!, Path), null, Path);
        var type = choice.Object(Path).Text("type", Path);
        switch (type)
        {
            case "function" or "custom":
                var named = choice.Find(type)?.Object($"{Path}.{type}");
                return new(ToolMode.One, named is { } inner ? inner.Text("name", $"{Path}.{type}") : choice.Text("name", Path), Path);
            case "allowed_tools":
                var allowed = choice.Find("allowed_tools") ?? choice;
                var mode = allowed.Find("mode") is { } given ? ModeOf(given.Text($"{Path}.mode"), $"{Path}.mode") : ToolMode.Auto;
                var tools = allowed.Find("tools") ?? throw Invalid($"{Path}.tools", "is required");
                return new(mode, null, Path)
                {
                    Only = tools.Elements($"{Path}.tools").Select(tool => NameOf(tool.Value, tool.Path)).ToHashSet(StringComparer.Ordinal),
                };
            case var _ when ToolForms.OfType(type) is not null:
                return new(ToolMode.One, type, Path);
            default:
                throw Untranslatable($"{Path}.type");
        }
    }

    static string NameOf(JsonElement tool, string path)
    {
        var type = tool.Object(path).Text("type", path);
        return tool.Find(type) is { } inner ? inner.Object(path).Text("name", path) : tool.Find("name")?.Text($"{path}.name") ?? type;
    }

    static ToolMode ModeOf(string mode, string path) => mode switch
    {
        "auto" => ToolMode.Auto,
        "none" => ToolMode.None,
        "required" => ToolMode.Required,
        _ => throw Invalid(path, "must be 'auto', 'none', 'required' or an object"),
    };

    /// <summary>A choice among some of the tools is said by offering only those.</summary>
    public static Conversation Restrict(Conversation conversation) => conversation.ToolChoice?.Only is not { } only
        ? conversation
        : conversation with
        {
            Tools = [.. conversation.Tools.Where(tool => only.Contains(tool.Name) || only.Contains(tool.Member?.Name ?? ""))],
            ToolChoice = conversation.ToolChoice with { Only = null },
        };

    /// <param name="schema">The object that holds name and schema.</param>
    public static OutputFormat? ReadFormat(JsonElement format, JsonElement? schema, string path, string schemaPath, LeftOut left)
    {
        switch (format.Object(path).Text("type", path))
        {
            case "text":
                return null;
            case "json_object":
                return new(null, null, false, path);
            case "json_schema":
                var holder = (schema ?? throw Invalid(schemaPath, "is required")).Object(schemaPath);
                holder.LeaveOutOthers(schemaPath, left, "type", "name", "description", "schema", "strict");
                return new(
                    holder.Find("name")?.Text($"{schemaPath}.name"), holder.Find("schema")?.Object($"{schemaPath}.schema").GetRawText(),
                    holder.Find("strict")?.Flag($"{schemaPath}.strict") ?? false, path)
                {
                    Description = holder.Find("description")?.Text($"{schemaPath}.description"),
                };
            default:
                throw Untranslatable($"{path}.type");
        }
    }
}
