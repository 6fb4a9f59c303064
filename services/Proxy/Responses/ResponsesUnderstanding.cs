using System.Text.Json;
using LlmGateway.Proxy.Chat;
using LlmGateway.Proxy.Translation;
using static LlmGateway.Proxy.FieldErrors;

namespace LlmGateway.Proxy.Responses;

/// <summary>
/// Turns a Responses request into a <see cref="Conversation"/>. Members without a place in it are refused by name, unless they are listed
/// as harmless.
/// </summary>
static class ResponsesUnderstanding
{
    public static Conversation Read(ReadOnlySpan<byte> body)
    {
        var root = FieldReading.Parse(body);
        // Instructions precede the input, wherever the member stands.
        var conversation = new Conversation
        {
            Turns = [], System = root.Find("instructions")?.Text("instructions") is { Length: > 0 } text ? [text] : [],
        };
        foreach (var member in root.EnumerateObject())
            if (member.Value.ValueKind != JsonValueKind.Null)
                conversation = Add(conversation, member.Name, member.Value);
        return conversation;
    }

    static Conversation Add(Conversation conversation, string name, JsonElement value) => name switch
    {
        "input" => AddInput(conversation, value),
        "tools" => conversation with { Tools = [.. value.Elements(name).Select(tool => ReadTool(tool.Value, tool.Path))] },
        "tool_choice" => conversation with { ToolChoice = ChatUnderstanding.ReadToolChoice(value, ReadChosenName) },
        "parallel_tool_calls" => conversation with { ParallelTools = new(value.Flag(name), name) },
        "temperature" => conversation with { Temperature = value.Decimal(name) },
        "top_p" => conversation with { TopP = value.Decimal(name) },
        "text" => conversation with { Format = ReadFormat(value) },
        "reasoning" => conversation with { Effort = ReadEffort(value) },
        // Members that the request's reader took, or found to have no effect.
        "model" or "instructions" or "stream" or "max_output_tokens" or "service_tier" => conversation,
        // Members for the provider's records and caches, and for tools that cannot be asked for. They do not change the answer.
        "user" or "metadata" or "safety_identifier" or "prompt_cache_key" or "prompt_cache_retention" or "stream_options"
            or "max_tool_calls" =>
            conversation,
        // Encrypted thoughts are always returned where the provider has them.
        "include" when value.EnumerateArray().All(
            what => what.IsText("reasoning.encrypted_content") || what.IsText("message.input_image.image_url")) =>
            conversation,
        // Whoever answers, what is stored is stored by the gateway.
        "store" => conversation,
        // Members that are allowed only at their defaults, or at values of the same effect.
        "background" when value.ValueKind == JsonValueKind.False => conversation,
        "truncation" when value.IsText("disabled") => conversation,
        "top_logprobs" when value.ValueKind == JsonValueKind.Number && value.TryGetInt64(out var none) && none == 0 => conversation,
        _ => throw Untranslatable(name),
    };

    static Conversation AddInput(Conversation conversation, JsonElement input)
    {
        if (input.ValueKind == JsonValueKind.String)
            return conversation with { Turns = [new(Speaker.User, [new TextPart(input.GetString()!)], "input")] };
        var (system, turns) = (new List<string>(conversation.System), new List<Turn>());
        var names = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var (item, path) in input.Elements("input"))
        {
            switch (item.Find("type")?.Text($"{path}.type") ?? "message")
            {
                case "message":
                    ReadMessage(item, path, system, turns);
                    break;
                case "function_call":
                    item.RefuseOthers(path, "type", "id", "status", "call_id", "name", "arguments");
                    var call = new ToolCallPart(item.Text("call_id", path), item.Text("name", path), item.Text("arguments", path));
                    names[call.Id] = call.Name;
                    turns.Add(new(Speaker.Assistant, [call], path));
                    break;
                case "function_call_output":
                    item.RefuseOthers(path, "type", "id", "status", "call_id", "output");
                    var id = item.Text("call_id", path);
                    turns.Add(
                        new(
                            Speaker.User,
                            [new ToolResultPart(id, names.GetValueOrDefault(id), ReadParts(item, "output", path), IsError: false, path)],
                            path));
                    break;
                case "reasoning":
                    if (ReadThought(item, path) is { } thought)
                        turns.Add(new(Speaker.Assistant, [thought], path));
                    break;
                default:
                    throw Untranslatable($"{path}.type");
            }
        }
        return conversation with { System = system, Turns = turns };
    }

    /// <summary>
    /// Instructions in the middle of the conversation move to its front, the only place that the other wires have for them.
    /// </summary>
    static void ReadMessage(JsonElement item, string path, List<string> system, List<Turn> turns)
    {
        // 'phase' marks commentary of OpenAI's own models. It comes back with the answers of earlier turns.
        item.RefuseOthers(path, "type", "id", "status", "role", "content", "phase");
        var parts = ReadParts(item, "content", path);
        switch (item.Text("role", path))
        {
            case "system" or "developer":
                foreach (var part in parts)
                    system.Add(part is TextPart text ? text.Text : throw Untranslatable($"{path}.content"));
                break;
            case "user":
                turns.Add(new(Speaker.User, parts, path));
                break;
            case "assistant":
                turns.Add(new(Speaker.Assistant, parts, path));
                break;
            default:
                throw Invalid($"{path}.role", "must be 'system', 'developer', 'user' or 'assistant'");
        }
    }

    /// <summary>Empty texts are left out: they have no meaning, and some providers refuse them.</summary>
    static List<Part> ReadParts(JsonElement item, string member, string path)
    {
        var content = item.Find(member) ?? throw Invalid($"{path}.{member}", "is required");
        if (content.ValueKind == JsonValueKind.String)
            return content.GetString() is { Length: > 0 } only ? [new TextPart(only)] : [];
        var parts = new List<Part>();
        foreach (var (part, at) in content.Elements($"{path}.{member}"))
        {
            switch (part.Text("type", at))
            {
                case "input_text" or "output_text":
                    // Clients send an answer back as they received it, annotations included.
                    part.RefuseOthers(at, "type", "text", "annotations", "logprobs");
                    AddText(parts, part.Text("text", at));
                    break;
                case "refusal":
                    part.RefuseOthers(at, "type", "refusal");
                    AddText(parts, part.Text("refusal", at));
                    break;
                case "input_image":
                    // The image scale of OpenAI ('detail') has no counterpart elsewhere.
                    part.RefuseOthers(at, "type", "image_url", "detail");
                    parts.Add(FieldReading.Image(part.Text("image_url", at), $"{at}.image_url"));
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

    /// <summary>Null for a thought that is stored only at its provider.</summary>
    static ReasoningPart? ReadThought(JsonElement item, string path)
    {
        item.RefuseOthers(path, "type", "id", "status", "summary", "content", "encrypted_content");
        var texts = new List<string>();
        foreach (var member in (ReadOnlySpan<string>)["summary", "content"])
            if (item.Find(member) is { } parts)
                foreach (var (part, at) in parts.Elements($"{path}.{member}"))
                    texts.Add(part.Text("text", at));
        var seal = item.Find("encrypted_content")?.Text($"{path}.encrypted_content");
        return texts.Count == 0 && seal is null ? null : new(string.Join("\n\n", texts), seal);
    }

    static Tool ReadTool(JsonElement tool, string path)
    {
        tool.RefuseOthers(path, "type", "name", "description", "parameters", "strict");
        return new(
            tool.Text("name", path), tool.Find("description")?.Text($"{path}.description"),
            tool.Find("parameters")?.Object($"{path}.parameters").GetRawText(),
            tool.Find("strict")?.Flag($"{path}.strict") ?? false, path);
    }

    static string ReadChosenName(JsonElement choice, string path)
    {
        choice.RefuseOthers(path, "type", "name");
        return choice.Text("name", path);
    }

    static OutputFormat? ReadFormat(JsonElement text)
    {
        const string Path = "text.format";
        text.RefuseOthers("text", "format", "verbosity");
        if (text.Find("verbosity") is { } verbosity && !verbosity.IsText("medium"))
            throw Untranslatable("text.verbosity");
        if (text.Find("format") is not { } format)
            return null;
        switch (format.Object(Path).Text("type", Path))
        {
            case "text":
                return null;
            case "json_object":
                return new(null, null, false, Path);
            case "json_schema":
                format.RefuseOthers(Path, "type", "name", "schema", "strict");
                return new(
                    format.Find("name")?.Text($"{Path}.name"), format.Find("schema")?.Object($"{Path}.schema").GetRawText(),
                    format.Find("strict")?.Flag($"{Path}.strict") ?? false, Path);
            default:
                throw Untranslatable($"{Path}.type");
        }
    }

    static Effort? ReadEffort(JsonElement reasoning)
    {
        const string Path = "reasoning";
        reasoning.RefuseOthers(Path, "effort", "summary", "generate_summary");
        var isShown = reasoning.Find("summary") is not null || reasoning.Find("generate_summary") is not null;
        if (reasoning.Find("effort") is { } effort)
            return new(ChatUnderstanding.ReadLevel(effort, $"{Path}.effort"), null, isShown, $"{Path}.effort");
        // A request to show thoughts without a level sets no limit.
        return isShown ? new(null, -1, Shown: true, $"{Path}.summary") : null;
    }
}
