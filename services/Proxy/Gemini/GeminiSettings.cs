using System.Text.Json;
using LlmGateway.Proxy.Translation;
using static LlmGateway.Proxy.Gemini.GeminiUnderstanding;
using static LlmGateway.Proxy.FieldErrors;

namespace LlmGateway.Proxy.Gemini;

/// <summary>The tools and settings of a Gemini request, in no wire's words.</summary>
sealed class GeminiSettings
{
    readonly List<Tool> _tools = [];
    ToolChoice? _choice;
    bool _strict;
    Conversation _settings = new() { Turns = [] };

    public Conversation Apply(Conversation conversation) => _settings with
    {
        System = conversation.System,
        Turns = conversation.Turns,
        Tools = _strict ? _tools.ConvertAll(tool => tool with { Strict = true }) : _tools,
        ToolChoice = _choice,
    };

    public void ReadTools(JsonElement tools)
    {
        foreach (var (tool, index) in ElementsOf(tools))
            foreach (var (name, value) in Members(tool))
                if (name == "functionDeclarations")
                    foreach (var (function, place) in ElementsOf(value))
                        _tools.Add(ReadFunction(function, $"tools[{index}].functionDeclarations[{place}]"));
    }

    static Tool ReadFunction(JsonElement function, string field)
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
                // What the caller's function returns; no other wire tells its model.
                case "response" or "responseJsonSchema": break;
                default: throw Refuse($"{field}.{member}");
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
                throw Refuse($"toolConfig.{name}");
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
                case "allowedFunctionNames": allowed.AddRange(ElementsOf(value).Select(function => Text(function.Element, $"{field}.{name}"))); break;
                case "streamFunctionCallArguments" when value.ValueKind == JsonValueKind.False: break;
                default: throw Refuse($"{field}.{name}");
            }
        }
        _strict = mode == "VALIDATED";
        _choice = (mode, allowed.Count) switch
        {
            ("AUTO" or "MODE_UNSPECIFIED" or "VALIDATED", 0) => new(ToolMode.Auto, null, field),
            ("NONE", _) => new(ToolMode.None, null, field),
            ("ANY", 0) => new(ToolMode.Required, null, field),
            ("ANY", 1) => new(ToolMode.One, allowed[0], field),
            ("AUTO" or "ANY" or "VALIDATED", _) => throw Refuse($"{field}.allowedFunctionNames", "the calls can be restricted to one function only"),
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
                case "maxOutputTokens" or "candidateCount" or "responseModalities": break;
                case "temperature": _settings = _settings with { Temperature = new(Number(value, field), field) }; break;
                case "topP": _settings = _settings with { TopP = new(Number(value, field), field) }; break;
                case "topK": _settings = _settings with { TopK = new(checked((int)Whole(value, field, int.MaxValue)), field) }; break;
                case "seed": _settings = _settings with { Seed = new(Whole(value, field, long.MaxValue), field) }; break;
                case "presencePenalty": _settings = _settings with { PresencePenalty = new(Number(value, field), field) }; break;
                case "frequencyPenalty": _settings = _settings with { FrequencyPenalty = new(Number(value, field), field) }; break;
                case "stopSequences": ReadStops(value, field); break;
                case "responseMimeType": format = Text(value, field); break;
                case "responseSchema": schema = GeminiSchema.ToJsonSchema(value); break;
                // The second is how some of Google's own SDKs spell it.
                case "responseJsonSchema" or "ResponseJsonSchema": schema = value.GetRawText(); break;
                case "thinkingConfig": ReadThinking(value, field); break;
                case "responseLogprobs" or "enableEnhancedCivicAnswers" or "audioTimestamp" when value.ValueKind == JsonValueKind.False: break;
                default: throw Refuse(field);
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
                default: throw Refuse($"{field}.{name}");
            }
        }
        if (level is not null && budget is not null)
            throw Invalid(field, "may have 'thinkingLevel' or 'thinkingBudget', not both");
        // Thoughts that are only to be shown: as many as the model likes.
        if (level is not null || budget is not null || shown)
            _settings = _settings with { Effort = new(level, level is null ? budget ?? -1 : null, shown, field) };
    }

    static string? LevelOf(string level, string field) => level.ToLowerInvariant() switch
    {
        "minimal" or "low" or "medium" or "high" => level.ToLowerInvariant(),
        "thinking_level_unspecified" => null,
        _ => throw Invalid(field, "must be 'MINIMAL', 'LOW', 'MEDIUM' or 'HIGH'"),
    };

    static decimal Number(JsonElement json, string field) =>
        json.ValueKind == JsonValueKind.Number && json.TryGetDecimal(out var number) ? number : throw Invalid(field, "must be a number");

    static long Whole(JsonElement json, string field, long max) =>
        json.ValueKind == JsonValueKind.Number && json.TryGetInt64(out var number) && number >= -1 && number <= max ? number : throw Invalid(field, $"must be an integer from -1 to {max}");
}
