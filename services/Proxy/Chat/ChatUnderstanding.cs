using System.Text.Json;
using LlmGateway.Proxy.Translation;
using static LlmGateway.Proxy.FieldErrors;

namespace LlmGateway.Proxy.Chat;

/// <summary>Turns a chat request into a <see cref="Conversation"/>.</summary>
sealed class ChatUnderstanding
{
    readonly LeftOut _left = new();
    readonly TurnList _turns = new();

    public static Conversation Read(ReadOnlySpan<byte> body)
    {
        var reader = new ChatUnderstanding();
        var conversation = new Conversation { Turns = [], LeftOut = reader._left };
        foreach (var member in FieldReading.Parse(body).EnumerateObject())
            if (member.Value.ValueKind != JsonValueKind.Null)
                conversation = reader.Add(conversation, member.Name, member.Value);
        return OpenAiTools.Restrict(reader._turns.On(conversation));
    }

    Conversation Add(Conversation conversation, string name, JsonElement value) => name switch
    {
        "messages" => AddMessages(conversation, value),
        "tools" => conversation with { Tools = [.. value.Elements(name).Select(tool => ReadTool(tool.Value, tool.Path)).OfType<Tool>()] },
        "tool_choice" => conversation with { ToolChoice = OpenAiTools.ReadChoice(value) },
        "parallel_tool_calls" => conversation with { ParallelTools = new(value.Flag(name), name) },
        "temperature" => conversation with { Temperature = value.Decimal(name) },
        "top_p" => conversation with { TopP = value.Decimal(name) },
        "top_k" => conversation with { TopK = value.Clamped(name) },
        "frequency_penalty" => conversation with { FrequencyPenalty = value.Decimal(name) },
        "presence_penalty" => conversation with { PresencePenalty = value.Decimal(name) },
        "seed" => conversation with { Seed = value.Integer(name) },
        "stop" => conversation with { Stop = new(ReadStop(value), name) },
        "response_format" => conversation with { Format = ReadFormat(value) },
        "reasoning_effort" => conversation with { Effort = EffortBudgets.Read(value, name, shown: false, _left) },
        // OpenRouter's form, beside OpenAI's own.
        "reasoning" when conversation.Effort is null && value.Find("effort") is { } effort =>
            conversation with { Effort = EffortBudgets.Read(effort, name, shown: true, _left) },
        "verbosity" => conversation with { Verbosity = new(value.Text(name), name) },
        "cache_control" => conversation with { Cache = value.ValueKind == JsonValueKind.Object ? """{"type":"ephemeral"}""" : null },
        "safety_identifier" or "prompt_cache_key" or "prompt_cache_retention" =>
            conversation with { Records = [.. conversation.Records, new(value.GetRawText(), name)] },
        // Members that the request's reader took, or found to have no effect.
        "model" or "stream" or "stream_options" or "max_tokens" or "max_completion_tokens" or "service_tier" or "modalities" =>
            conversation,
        _ => LeaveOut(conversation, name, value),
    };

    Conversation LeaveOut(Conversation conversation, string name, JsonElement value)
    {
        Unsayable.LeaveOut(name, name, value, _left);
        return conversation;
    }

    Conversation AddMessages(Conversation conversation, JsonElement messages)
    {
        foreach (var (message, path) in messages.Elements("messages"))
        {
            switch (message.Text("role", path))
            {
                case "system" or "developer":
                    message.LeaveOutOthers(path, _left, "role", "content", "cache_control");
                    _turns.Instruct(ReadContent(message, path), $"{path}.content");
                    break;
                case "user":
                    message.LeaveOutOthers(path, _left, "role", "content", "cache_control");
                    _turns.Say(Speaker.User, ReadContent(message, path), path);
                    break;
                case "assistant":
                    _turns.Say(Speaker.Assistant, ReadAssistant(message, path), path);
                    break;
                case "tool":
                    // The tool's name is known from its call.
                    message.LeaveOutOthers(path, _left, "role", "content", "tool_call_id", "name", "cache_control");
                    _turns.Say(
                        Speaker.User,
                        [new ToolResultPart(message.Text("tool_call_id", path), null, ReadContent(message, path), IsError: false, path)],
                        path);
                    break;
                case "function":
                    throw Untranslatable($"{path}.role", "another wire", "it is the older form of 'tool', use that");
                default:
                    throw Invalid($"{path}.role", "must be 'system', 'developer', 'user', 'assistant' or 'tool'");
            }
        }
        return conversation;
    }

    List<Part> ReadAssistant(JsonElement message, string path)
    {
        message.LeaveOutOthers(
            path, _left, "role", "content", "refusal", "tool_calls", "reasoning_content", "reasoning", "cache_control");
        var parts = new List<Part>();
        if ((message.Find("reasoning_content") ?? message.Find("reasoning")) is { ValueKind: JsonValueKind.String } thoughts
            && thoughts.GetString() is { Length: > 0 } text)
            parts.Add(new ReasoningPart(text, null));
        parts.AddRange(ReadContent(message, path));
        if (message.Find("refusal")?.Text($"{path}.refusal") is { Length: > 0 } refusal)
            parts.Add(new TextPart(refusal));
        if (message.Find("tool_calls") is { } calls)
            foreach (var (call, at) in calls.Elements($"{path}.tool_calls"))
                parts.Add(ReadCall(call, at));
        return parts;
    }

    ToolCallPart ReadCall(JsonElement call, string at)
    {
        call.LeaveOutOthers(at, _left, "id", "type", "function", "custom", "index", "extra_content");
        if (call.Find("custom") is { } custom)
            return new(
                call.Text("id", at), custom.Object($"{at}.custom").Text("name", $"{at}.custom"),
                ToolForms.ArgumentsOf(custom.Text("input", $"{at}.custom")));
        var function = (call.Find("function") ?? throw Untranslatable($"{at}.type")).Object($"{at}.function");
        return new(
            call.Text("id", at), function.Text("name", $"{at}.function"), function.Text("arguments", $"{at}.function"), SignatureOf(call));
    }

    /// <summary>Google's own chat wire gives the signature of a call's thoughts here, and wants it back.</summary>
    static string? SignatureOf(JsonElement call) =>
        call.Find("extra_content")?.Find("google")?.Find("thought_signature") is { ValueKind: JsonValueKind.String } signature
            ? signature.GetString()
            : null;

    /// <summary>Empty texts are left out: they have no meaning, and some providers refuse them.</summary>
    List<Part> ReadContent(JsonElement message, string path)
    {
        var parts = new List<Part>();
        if (message.Find("content") is not { } content)
            return parts;
        if (content.ValueKind == JsonValueKind.String)
            AddText(parts, content.GetString()!, null);
        else
            foreach (var (part, at) in content.Elements($"{path}.content"))
                ReadPart(part, at, parts);
        // A mark on the message stands for one on its last part.
        if (message.CacheMark() is { } mark && parts.Count > 0)
            parts[^1] = parts[^1] with { Cache = mark };
        return parts;
    }

    void ReadPart(JsonElement part, string at, List<Part> parts)
    {
        switch (part.Text("type", at))
        {
            case "text":
                part.LeaveOutOthers(at, _left, "type", "text", "cache_control");
                AddText(parts, part.Text("text", at), part.CacheMark());
                break;
            case "refusal":
                part.LeaveOutOthers(at, _left, "type", "refusal");
                AddText(parts, part.Text("refusal", at), null);
                break;
            case "image_url":
                part.LeaveOutOthers(at, _left, "type", "image_url", "cache_control");
                var image = part.Find("image_url") ?? throw Invalid($"{at}.image_url", "is required");
                // The image scale of OpenAI ('detail') has no counterpart elsewhere.
                image.LeaveOutOthers($"{at}.image_url", _left, "url");
                var url = image.Text("url", $"{at}.image_url");
                parts.Add(FieldReading.Image(url, $"{at}.image_url.url") with { Cache = part.CacheMark() });
                break;
            case "thinking" or "redacted_thinking":
                break; // another provider's thoughts, as some servers give them out
            default:
                throw Untranslatable($"{at}.type");
        }
    }

    static void AddText(List<Part> parts, string text, string? cache)
    {
        if (text.Length > 0)
            parts.Add(new TextPart(text) { Cache = cache });
    }

    /// <summary>Null for a tool that the provider would run: it is offered beside others, and no other wire has it.</summary>
    Tool? ReadTool(JsonElement tool, string path)
    {
        var type = tool.Object(path).Find("type") is { } given ? given.Text($"{path}.type") : "function";
        tool.LeaveOutOthers(path, _left, "type", "function", "custom", "cache_control", type);
        if (type == "custom")
        {
            var custom = (tool.Find("custom") ?? throw Invalid($"{path}.custom", "is required")).Object($"{path}.custom");
            var format = custom.Find("format");
            return ToolForms.TextTool(
                custom.Text("name", $"{path}.custom"), custom.Find("description")?.Text($"{path}.custom.description"),
                format?.Find("grammar") ?? format, path);
        }
        if (type != "function")
        {
            _left.Add(type);
            return null;
        }
        var function = tool.Find("function") ?? throw Invalid($"{path}.function", "is required");
        return OpenAiTools.ReadFunction(function, $"{path}.function", path, _left) with { Cache = tool.CacheMark() };
    }

    static string[] ReadStop(JsonElement stop) =>
        stop.ValueKind == JsonValueKind.String ? [stop.GetString()!] : [.. stop.Elements("stop").Select(one => one.Value.Text(one.Path))];

    OutputFormat? ReadFormat(JsonElement format)
    {
        const string Path = "response_format";
        format.Object(Path).LeaveOutOthers(Path, _left, "type", "json_schema");
        return OpenAiTools.ReadFormat(format, format.Find("json_schema"), Path, $"{Path}.json_schema", _left);
    }
}
