using System.Text.Json;
using LlmGateway.Proxy.Translation;
using static LlmGateway.Proxy.Gemini.GeminiUnderstanding;
using static LlmGateway.Proxy.FieldErrors;

namespace LlmGateway.Proxy.Gemini;

/// <summary>Turns the tools and settings of a Gemini request into those of a <see cref="Conversation"/>.</summary>
sealed class GeminiSettings(LeftOut left)
{
    readonly List<Tool> _tools = [];
    ToolChoice? _choice;
    bool _strict;
    IReadOnlyList<string>? _allowed;
    Conversation _settings = new() { Turns = [], LeftOut = left };

    /// <summary>All that was read, without turns. A choice among some of the functions is said by offering only those.</summary>
    public Conversation Settings => _settings with
    {
        Tools =
        [
            .. _tools.Where(tool => _allowed is null || _allowed.Contains(tool.Name))
                .Select(tool => _strict ? tool with { Strict = true } : tool)
        ],
        ToolChoice = _choice,
    };

    public void ReadTools(JsonElement tools)
    {
        foreach (var (tool, index) in ElementsOf(tools))
            foreach (var (name, value) in Members(tool))
                if (name == "functionDeclarations")
                    foreach (var (function, place) in ElementsOf(value))
                        _tools.Add(ReadFunction(function, $"tools[{index}].functionDeclarations[{place}]"));
                else
                    // The provider would run it. It is offered beside functions.
                    left.Add(name);
    }

    Tool ReadFunction(JsonElement function, string field)
    {
        string? name = null, description = null, schema = null;
        foreach (var (member, value) in Members(function))
        {
            switch (member)
            {
                case "name": name = Text(value, $"{field}.name"); break;
                case "description": description = Text(value, $"{field}.description"); break;
                case "parameters": schema = GeminiSchema.ToJsonSchema(value); break;
                case "parametersJsonSchema": schema = value.GetRawText(); break;
                // The schema of a function's result. No other wire passes it to the model.
                case "response" or "responseJsonSchema": break;
                default: Unsayable.LeaveOut($"{field}.{member}", member, value, left); break;
            }
        }
        return name is { Length: > 0 } ? new(name, description, schema, false, field) : throw Invalid($"{field}.name", "must be a string");
    }

    public void ReadToolConfig(JsonElement config)
    {
        foreach (var (name, value) in Members(config))
        {
            if (name == "functionCallingConfig")
                ReadCalling(value, "toolConfig.functionCallingConfig");
            else
                Unsayable.LeaveOut($"toolConfig.{name}", name, value, left);
        }
    }

    void ReadCalling(JsonElement config, string field)
    {
        var (mode, allowed) = ("AUTO", new List<string>());
        foreach (var (name, value) in Members(config))
        {
            switch (name)
            {
                case "mode": mode = Text(value, $"{field}.mode"); break;
                case "allowedFunctionNames":
                    allowed.AddRange(ElementsOf(value).Select(function => Text(function.Element, $"{field}.{name}")));
                    break;
                default: Unsayable.LeaveOut($"{field}.{name}", name, value, left); break;
            }
        }
        _strict = mode == "VALIDATED";
        _allowed = allowed.Count > 1 ? allowed : null;
        _choice = (mode, allowed.Count) switch
        {
            ("AUTO" or "MODE_UNSPECIFIED" or "VALIDATED", 0) => new(ToolMode.Auto, null, field),
            ("NONE", _) => new(ToolMode.None, null, field),
            ("ANY", 0) => new(ToolMode.Required, null, field),
            ("ANY", 1) => new(ToolMode.One, allowed[0], field),
            ("AUTO" or "VALIDATED", _) => new(ToolMode.Auto, null, field),
            ("ANY", _) => new(ToolMode.Required, null, field),
            _ => throw Invalid($"{field}.mode", "must be 'AUTO', 'ANY', 'NONE' or 'VALIDATED'"),
        };
    }

    public void ReadConfig(JsonElement config)
    {
        string? format = null, schema = null;
        foreach (var (name, value) in Members(config))
        {
            var field = $"generationConfig.{name}";
            switch (name)
            {
                case "maxOutputTokens" or "responseModalities": break;
                case "temperature": _settings = _settings with { Temperature = new(Number(value, field), field) }; break;
                case "topP": _settings = _settings with { TopP = new(Number(value, field), field) }; break;
                case "topK": _settings = _settings with { TopK = new(checked((int)Whole(value, field, int.MaxValue)), field) }; break;
                case "seed": _settings = _settings with { Seed = new(Whole(value, field, long.MaxValue), field) }; break;
                case "presencePenalty": _settings = _settings with { PresencePenalty = new(Number(value, field), field) }; break;
                case "frequencyPenalty": _settings = _settings with { FrequencyPenalty = new(Number(value, field), field) }; break;
                case "stopSequences": ReadStops(value, field); break;
                case "responseMimeType": format = Text(value, field); break;
                case "responseSchema": schema = GeminiSchema.ToJsonSchema(value); break;
                // Some of Google's SDKs use the second spelling.
                case "responseJsonSchema" or "ResponseJsonSchema": schema = value.GetRawText(); break;
                case "thinkingConfig": ReadThinking(value, field); break;
                default: Unsayable.LeaveOut(field, name, value, left); break;
            }
        }
        if (format is not (null or "" or "text/plain" or "application/json"))
            throw Refuse("generationConfig.responseMimeType", "only 'text/plain' and 'application/json' can");
        if (format == "application/json")
            _settings = _settings with { Format = new(null, schema, schema is not null, "generationConfig.responseMimeType") };
        else if (schema is not null)
            throw Invalid("generationConfig.responseMimeType", "must be 'application/json' where there is a schema");
    }

    void ReadStops(JsonElement stops, string field)
    {
        List<string> texts = [.. ElementsOf(stops).Select(stop => Text(stop.Element, field))];
        if (texts.Count > 0)
            _settings = _settings with { Stop = new(texts, field) };
    }

    void ReadThinking(JsonElement thinking, string field)
    {
        string? level = null;
        int? budget = null;
        var shown = false;
        foreach (var (name, value) in Members(thinking))
        {
            switch (name)
            {
                case "thinkingBudget": budget = checked((int)Whole(value, $"{field}.{name}", int.MaxValue)); break;
                case "thinkingLevel": level = LevelOf(Text(value, $"{field}.{name}"), $"{field}.{name}"); break;
                case "includeThoughts": shown = value.ValueKind == JsonValueKind.True; break;
                default: Unsayable.LeaveOut($"{field}.{name}", name, value, left); break;
            }
        }
        if (level is not null && budget is not null)
            throw Invalid(field, "may have 'thinkingLevel' or 'thinkingBudget', not both");
        // A request to show thoughts without a budget sets no limit.
        if (level is not null || budget is not null || shown)
            _settings = _settings with { Effort = new(level, level is null ? budget ?? -1 : null, shown, field) };
    }

    /// <summary>Null for the default, and for a level that nobody here knows.</summary>
    string? LevelOf(string level, string field)
    {
        if (EffortBudgets.Levels.Contains(level.ToLowerInvariant()))
            return level.ToLowerInvariant();
        if (!level.Equals("thinking_level_unspecified", StringComparison.OrdinalIgnoreCase))
            left.Add(field);
        return null;
    }

    static decimal Number(JsonElement json, string field) =>
        json.ValueKind == JsonValueKind.Number && json.TryGetDecimal(out var number) ? number : throw Invalid(field, "must be a number");

    static long Whole(JsonElement json, string field, long max) =>
        json.ValueKind == JsonValueKind.Number && json.TryGetInt64(out var number) && number >= -1 && number <= max
            ? number
            : throw Invalid(field, $"must be an integer from -1 to {max}");
}
