using System.Text.Json;
using LlmGateway.Proxy.Translation;
using static LlmGateway.Proxy.FieldErrors;

namespace LlmGateway.Proxy.Chat;

/// <summary>
/// Turns a chat request into a <see cref="Conversation"/>. Members without a place in it are refused by name, unless they are listed as
/// harmless.
/// </summary>
static class ChatUnderstanding
{
    public static Conversation Read(ReadOnlySpan<byte> body)
    {
        var conversation = new Conversation { Turns = [] };
        foreach (var member in FieldReading.Parse(body).EnumerateObject())
            if (member.Value.ValueKind != JsonValueKind.Null)
                conversation = Add(conversation, member.Name, member.Value);
        return conversation;
    }

    static Conversation Add(Conversation conversation, string name, JsonElement value) => name switch
    {
        "messages" => AddMessages(conversation, value),
        "tools" => conversation with { Tools = [.. value.Elements(name).Select(tool => ReadTool(tool.Value, tool.Path))] },
        "tool_choice" => conversation with { ToolChoice = ReadToolChoice(value, ReadChosenName) },
        "parallel_tool_calls" => conversation with { ParallelTools = new(value.Flag(name), name) },
        "temperature" => conversation with { Temperature = value.Decimal(name) },
        "top_p" => conversation with { TopP = value.Decimal(name) },
        "top_k" => conversation with { TopK = new((int)Math.Clamp(value.Integer(name).Value, int.MinValue, int.MaxValue), name) },
        "frequency_penalty" => conversation with { FrequencyPenalty = value.Decimal(name) },
        "presence_penalty" => conversation with { PresencePenalty = value.Decimal(name) },
        "seed" => conversation with { Seed = value.Integer(name) },
        "stop" => conversation with { Stop = new(ReadStop(value), name) },
        "response_format" => conversation with { Format = ReadFormat(value) },
        "reasoning_effort" => conversation with { Effort = new(ReadLevel(value, name), null, Shown: false, name) },
        "functions" or "function_call" => throw Untranslatable(name, "another wire", "it is the older form of 'tools', use that"),
        // Members that the request's reader took, or found to have no effect.
        "model" or "stream" or "stream_options" or "max_tokens" or "max_completion_tokens" or "service_tier" or "modalities" =>
            conversation,
        // Members for the provider's records and caches. They do not change the answer.
        "user" or "metadata" or "safety_identifier" or "prompt_cache_key" or "prompt_cache_retention" => conversation,
        // Members that are allowed only at their defaults.
        "n" when value.GetInt32() == 1 => conversation,
        "store" or "logprobs" or "web_search" or "enable_search" when value.ValueKind == JsonValueKind.False => conversation,
        "top_logprobs" when value.ValueKind == JsonValueKind.Number && value.TryGetInt64(out var none) && none == 0 => conversation,
        "logit_bias" when value.ValueKind == JsonValueKind.Object && !value.EnumerateObject().Any() => conversation,
        "verbosity" when value.IsText("medium") => conversation,
        _ => throw Untranslatable(name),
    };

    /// <summary>
    /// Instructions in the middle of the conversation move to its front, the only place that the other wires have for them.
    /// </summary>
    static Conversation AddMessages(Conversation conversation, JsonElement messages)
    {
        var (system, turns) = (new List<string>(), new List<Turn>());
        var names = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var (message, path) in messages.Elements("messages"))
        {
            switch (message.Text("role", path))
            {
                case "system" or "developer":
                    message.RefuseOthers(path, "role", "content");
                    foreach (var part in ReadContent(message, path))
                        system.Add(part is TextPart text ? text.Text : throw Untranslatable($"{path}.content"));
                    break;
                case "user":
                    message.RefuseOthers(path, "role", "content");
                    turns.Add(new(Speaker.User, ReadContent(message, path), path));
                    break;
                case "assistant":
                    turns.Add(new(Speaker.Assistant, ReadAssistant(message, path, names), path));
                    break;
                case "tool":
                    message.RefuseOthers(path, "role", "content", "tool_call_id", "name");
                    var id = message.Text("tool_call_id", path);
                    turns.Add(
                        new(
                            Speaker.User,
                            [new ToolResultPart(id, names.GetValueOrDefault(id), ReadContent(message, path), IsError: false, path)],
                            path));
                    break;
                case "function":
                    throw Untranslatable($"{path}.role", "another wire", "it is the older form of 'tool', use that");
                default:
                    throw Invalid($"{path}.role", "must be 'system', 'developer', 'user', 'assistant' or 'tool'");
            }
        }
        return conversation with { System = system, Turns = turns };
    }

    /// <param name="names">Tool names by call id, for the results that follow.</param>
    static List<Part> ReadAssistant(JsonElement message, string path, Dictionary<string, string> names)
    {
        // Clients send an answer back as they received it; 'annotations' is empty there.
        message.RefuseOthers(path, "role", "content", "refusal", "tool_calls", "reasoning_content", "reasoning", "annotations");
        if (message.Find("annotations") is { } annotations && annotations.Elements($"{path}.annotations").Any())
            throw Untranslatable($"{path}.annotations");
        var parts = new List<Part>();
        if ((message.Find("reasoning_content") ?? message.Find("reasoning"))?.Text($"{path}.reasoning_content") is { Length: > 0 } thoughts)
            parts.Add(new ReasoningPart(thoughts, null));
        parts.AddRange(ReadContent(message, path));
        if (message.Find("refusal")?.Text($"{path}.refusal") is { Length: > 0 } refusal)
            parts.Add(new TextPart(refusal));
        if (message.Find("tool_calls") is not { } calls)
            return parts;
        foreach (var (call, at) in calls.Elements($"{path}.tool_calls"))
        {
            call.RefuseOthers(at, "id", "type", "function", "index");
            var function = (call.Find("function") ?? throw Untranslatable($"{at}.type")).Object($"{at}.function");
            var (id, name) = (call.Text("id", at), function.Text("name", $"{at}.function"));
            names[id] = name;
            parts.Add(new ToolCallPart(id, name, function.Text("arguments", $"{at}.function")));
        }
        return parts;
    }

    /// <summary>Empty texts are left out: they have no meaning, and some providers refuse them.</summary>
    static List<Part> ReadContent(JsonElement message, string path)
    {
        var parts = new List<Part>();
        if (message.Find("content") is not { } content)
            return parts;
        if (content.ValueKind == JsonValueKind.String)
        {
            AddText(parts, content.GetString()!);
            return parts;
        }
        foreach (var (part, at) in content.Elements($"{path}.content"))
        {
            switch (part.Text("type", at))
            {
                case "text":
                    part.RefuseOthers(at, "type", "text");
                    AddText(parts, part.Text("text", at));
                    break;
                case "refusal":
                    part.RefuseOthers(at, "type", "refusal");
                    AddText(parts, part.Text("refusal", at));
                    break;
                case "image_url":
                    part.RefuseOthers(at, "type", "image_url");
                    var image = part.Find("image_url") ?? throw Invalid($"{at}.image_url", "is required");
                    // The image scale of OpenAI ('detail') has no counterpart elsewhere.
                    image.RefuseOthers($"{at}.image_url", "url", "detail");
                    parts.Add(FieldReading.Image(image.Text("url", $"{at}.image_url"), $"{at}.image_url.url"));
                    break;
                default:
                    throw Untranslatable($"{at}.type");
            }
        }
        return parts;
    }

    static void AddText(List<Part> parts, string text)
    {
        if (text.Length > 0)
            parts.Add(new TextPart(text));
    }

    static Tool ReadTool(JsonElement tool, string path)
    {
        if (tool.Find("type") is { } type && !type.IsText("function"))
            throw Untranslatable($"{path}.type");
        tool.RefuseOthers(path, "type", "function");
        var function = tool.Find("function") ?? throw Invalid($"{path}.function", "is required");
        function.RefuseOthers($"{path}.function", "name", "description", "parameters", "strict");
        return new(
            function.Text("name", $"{path}.function"), function.Find("description")?.Text($"{path}.function.description"),
            function.Find("parameters")?.Object($"{path}.function.parameters").GetRawText(),
            function.Find("strict")?.Flag($"{path}.function.strict") ?? false, path);
    }

    /// <summary>OpenAI's wires differ only in where the object names the function.</summary>
    /// <param name="readName">Reads the function's name from the object at a path.</param>
    internal static ToolChoice ReadToolChoice(JsonElement choice, Func<JsonElement, string, string> readName)
    {
        const string Path = "tool_choice";
        if (choice.ValueKind == JsonValueKind.String)
            return choice.GetString() switch
            {
                "auto" => new(ToolMode.Auto, null, Path),
                "none" => new(ToolMode.None, null, Path),
                "required" => new(ToolMode.Required, null, Path),
                _ => throw Invalid(Path, "must be 'auto', 'none', 'required' or an object"),
            };
        if (choice.Object(Path).Text("type", Path) != "function")
            throw Untranslatable($"{Path}.type");
        return new(ToolMode.One, readName(choice, Path), Path);
    }

    static string ReadChosenName(JsonElement choice, string path)
    {
        choice.RefuseOthers(path, "type", "function");
        return (choice.Find("function") ?? throw Invalid($"{path}.function", "is required"))
            .Object($"{path}.function")
            .Text("name", $"{path}.function");
    }

    static string[] ReadStop(JsonElement stop) =>
        stop.ValueKind == JsonValueKind.String ? [stop.GetString()!] : [.. stop.Elements("stop").Select(one => one.Value.Text(one.Path))];

    static OutputFormat? ReadFormat(JsonElement format)
    {
        const string Path = "response_format";
        switch (format.Object(Path).Text("type", Path))
        {
            case "text":
                return null;
            case "json_object":
                return new(null, null, false, Path);
            case "json_schema":
                format.RefuseOthers(Path, "type", "json_schema");
                var schema = format.Find("json_schema") ?? throw Invalid($"{Path}.json_schema", "is required");
                schema.RefuseOthers($"{Path}.json_schema", "name", "schema", "strict");
                return new(
                    schema.Find("name")?.Text($"{Path}.json_schema.name"),
                    schema.Find("schema")?.Object($"{Path}.json_schema.schema").GetRawText(),
                    schema.Find("strict")?.Flag($"{Path}.json_schema.strict") ?? false, Path);
            default:
                throw Untranslatable($"{Path}.type");
        }
    }

    /// <summary>Levels that only OpenAI's newest models have are refused instead of being mapped.</summary>
    internal static string ReadLevel(JsonElement level, string path) =>
        level.Text(path) is "none" or "minimal" or "low" or "medium" or "high" ? level.GetString()! : throw Untranslatable(path);
}
