using System.Text.Json;
using LlmGateway.Proxy.Translation;
using static LlmGateway.Proxy.FieldErrors;

namespace LlmGateway.Proxy.Anthropic;

/// <summary>Turns a Messages request into a <see cref="Conversation"/>. The body has passed <see cref="AnthropicRequestReader"/>.</summary>
sealed class AnthropicUnderstanding
{
    readonly LeftOut _left = new();
    readonly TurnList _turns = new();

    public static Conversation Understand(ReadOnlySpan<byte> body) => new AnthropicUnderstanding().Read(FieldReading.Parse(body));

    Conversation Read(JsonElement root)
    {
        var turns = new AnthropicTurns(_turns, _left);
        // Instructions precede the messages, wherever the member stands.
        if (root.Find("system") is { } system)
            _turns.Instruct(turns.ReadContent(system, "system"), "system");
        if (root.Find("messages") is { } messages)
            turns.Read(messages);
        var said = new Conversation { Turns = [], LeftOut = _left };
        foreach (var member in root.EnumerateObject())
            if (member.Value.ValueKind != JsonValueKind.Null)
                said = Add(said, member.Name, member.Value);
        return _turns.On(said) with { Effort = EffortOf(root) };
    }

    Conversation Add(Conversation said, string name, JsonElement value)
    {
        switch (name)
        {
            case "tools":
                return said with { Tools = [.. value.Elements(name).Select(tool => ReadTool(tool.Value, tool.Path)).OfType<Tool>()] };
            case "tool_choice": return WithToolChoice(said, value);
            case "temperature": return said with { Temperature = value.Decimal(name) };
            case "top_p": return said with { TopP = value.Decimal(name) };
            case "top_k": return said with { TopK = value.Clamped(name) };
            case "stop_sequences":
                return said with { Stop = new([.. value.Elements(name).Select(stop => stop.Value.Text(stop.Path))], name) };
            case "output_config": return WithOutput(said, value);
            case "output_format": return said with { Format = ReadFormat(value, name) };
            // Members that are read elsewhere, or by the request's reader.
            case "system" or "messages" or "thinking" or "model" or "max_tokens" or "stream" or "service_tier" or "speed"
                or "inference_geo":
                return said;
            default:
                Unsayable.LeaveOut(name, name, value, _left);
                return said;
        }
    }

    /// <summary>
    /// Anthropic's built-in tools that the caller runs are functions whose definition the model knows; other models are told it. Null for
    /// tools that the provider would run: they are offered beside others.
    /// </summary>
    Tool? ReadTool(JsonElement tool, string path)
    {
        var type = tool.Object(path).Find("type")?.Text($"{path}.type") ?? "custom";
        var builtIn = type == "custom" ? null : AnthropicTools.Find(type);
        if (type != "custom" && builtIn is null)
        {
            _left.Add(tool.Find("name")?.Text($"{path}.name") ?? type);
            return null;
        }
        tool.LeaveOutOthers(path, _left, "type", "name", "description", "input_schema", "strict");
        return new(
            tool.Text("name", path), tool.Find("description")?.Text($"{path}.description") ?? builtIn?.Description,
            tool.Find("input_schema")?.GetRawText() ?? builtIn?.Schema, tool.Find("strict") is { ValueKind: JsonValueKind.True }, path);
    }

    Conversation WithToolChoice(Conversation said, JsonElement choice)
    {
        const string Path = "tool_choice";
        choice.Object(Path).LeaveOutOthers(Path, _left, "type", "name", "disable_parallel_tool_use");
        var mode = choice.Text("type", Path) switch
        {
            "auto" => ToolMode.Auto,
            "any" => ToolMode.Required,
            "tool" => ToolMode.One,
            "none" => ToolMode.None,
            _ => throw Invalid($"{Path}.type", "must be 'auto', 'any', 'tool' or 'none'"),
        };
        Given<bool>? parallel = choice.Find("disable_parallel_tool_use") is { ValueKind: JsonValueKind.True or JsonValueKind.False } disable
            ? new(disable.ValueKind == JsonValueKind.False, $"{Path}.disable_parallel_tool_use")
            : null;
        return said with
        {
            ToolChoice = new(mode, mode == ToolMode.One ? choice.Text("name", Path) : null, Path), ParallelTools = parallel,
        };
    }

    Conversation WithOutput(Conversation said, JsonElement output)
    {
        output.Object("output_config").LeaveOutOthers("output_config", _left, "effort", "format");
        return output.Find("format") is { } format ? said with { Format = ReadFormat(format, "output_config.format") } : said;
    }

    OutputFormat ReadFormat(JsonElement format, string path)
    {
        format.Object(path).LeaveOutOthers(path, _left, "type", "schema", "name");
        if (format.Text("type", path) != "json_schema" || format.Find("schema") is not { } schema)
            throw Invalid(path, "must be of type 'json_schema' and have a 'schema'");
        return new(null, schema.Object($"{path}.schema").GetRawText(), Strict: true, path);
    }

    /// <summary>A budget, a level, or no limit. A budget says more than a level.</summary>
    Effort? EffortOf(JsonElement root)
    {
        const string LevelField = "output_config.effort";
        var level = root.Find("output_config")?.Find("effort") is { } given
            ? EffortBudgets.Read(given, LevelField, shown: false, _left)
            : null;
        if (root.Find("thinking") is not { } thinking)
            return level;

        thinking.Object("thinking").LeaveOutOthers("thinking", _left, "type", "budget_tokens", "display");
        var shown = !(thinking.Find("display") is { } display && display.IsText("omitted"));
        int? budget;
        switch (thinking.Text("type", "thinking"))
        {
            case "disabled":
                (budget, shown) = (0, false);
                break;
            case "enabled":
                budget = thinking.Find("budget_tokens") is { } tokens
                    ? (int)Math.Min(tokens.Integer("thinking.budget_tokens").Value, int.MaxValue)
                    : throw Invalid("thinking.budget_tokens", "is required");
                break;
            default:
                budget = level is null ? -1 : null;
                break;
        }
        if (budget is not null && level is not null)
            _left.Add(LevelField);
        return new(budget is null ? level!.Level : null, budget, shown, "thinking");
    }
}
