using System.Text.Json;
using LlmGateway.Proxy.Translation;
using static LlmGateway.Proxy.FieldErrors;

namespace LlmGateway.Proxy.Responses;

/// <summary>Turns the items of a request's input into turns; part of <see cref="ResponsesUnderstanding"/>.</summary>
/// <param name="addTools">Takes the tools that a search found: from then on they are offered.</param>
sealed class ResponsesInput(TurnList turns, LeftOut left, Action<JsonElement> addTools)
{
    const string Output = "_output";

    public void Read(JsonElement input)
    {
        if (input.ValueKind == JsonValueKind.String)
            turns.Say(Speaker.User, [new TextPart(input.GetString()!)], "input");
        else
            foreach (var (item, path) in input.Elements("input"))
                ReadItem(item, path);
    }

    void ReadItem(JsonElement item, string path)
    {
        var type = item.Object(path).Find("type")?.Text($"{path}.type") ?? "message";
        switch (type)
        {
            case "message":
                ReadMessage(item, path);
                break;
            case "function_call":
                item.LeaveOutOthers(path, left, "type", "id", "status", "call_id", "name", "arguments", "namespace");
                var name = item.Text("name", path);
                if (item.Find("namespace")?.Text($"{path}.namespace") is { Length: > 0 } group)
                    name = ResponsesTools.NameIn(group, name);
                Call(item.Text("call_id", path), name, item.Text("arguments", path), path);
                break;
            case "custom_tool_call":
                item.LeaveOutOthers(path, left, "type", "id", "status", "call_id", "name", "input");
                Call(item.Text("call_id", path), item.Text("name", path), ToolForms.ArgumentsOf(item.Text("input", path)), path);
                break;
            case "function_call_output" or "custom_tool_call_output":
                item.LeaveOutOthers(path, left, "type", "id", "status", "call_id", "output", "name");
                Answer(item.Text("call_id", path), ReadParts(item, "output", path), path);
                break;
            case "reasoning":
                if (ReadThought(item, path) is { } thought)
                    turns.Say(Speaker.Assistant, [thought], path);
                break;
            case "additional_tools":
                if (item.Find("tools") is { } more)
                    addTools(more);
                break;
            case "tool_search_output":
                if (item.Find("tools") is { } found)
                    addTools(found);
                Answer(IdOf(item, path), [new TextPart(item.Find("tools")?.GetRawText() ?? "[]")], path);
                break;
            case var _ when ToolForms.OfItem(type) is { } builtIn:
                var arguments = item.Find(builtIn.Member)?.GetRawText() ?? "{}";
                Call(IdOf(item, path), builtIn.Type, arguments, path);
                break;
            case var _ when type.EndsWith(Output, StringComparison.Ordinal) && ToolForms.OfItem(type[..^Output.Length]) is not null:
                Answer(IdOf(item, path), [new TextPart(TextOf(item.Find("output")))], path);
                break;
            // What the provider ran, or keeps for itself. The answers that came of it stand beside it.
            case "web_search_call" or "file_search_call" or "code_interpreter_call" or "image_generation_call" or "mcp_call"
                or "mcp_list_tools" or "mcp_approval_request" or "mcp_approval_response" or "compaction" or "ghost_snapshot":
                left.Add(type);
                break;
            default:
                throw Untranslatable($"{path}.type");
        }
    }

    void Call(string id, string name, string arguments, string path) =>
        turns.Say(Speaker.Assistant, [new ToolCallPart(id, name, arguments)], path);

    void Answer(string id, IReadOnlyList<Part> content, string path) =>
        turns.Say(Speaker.User, [new ToolResultPart(id, null, content, IsError: false, path)], path);

    /// <summary>Older items have only the item's own id.</summary>
    static string IdOf(JsonElement item, string path) =>
        item.Find("call_id") is { } id ? id.Text($"{path}.call_id") : item.Text("id", path);

    static string TextOf(JsonElement? output) => output switch
    {
        null => "",
        { ValueKind: JsonValueKind.String } text => text.GetString()!,
        { } other => other.GetRawText(),
    };

    void ReadMessage(JsonElement item, string path)
    {
        // 'phase' marks commentary of OpenAI's own models. It comes back with the answers of earlier turns.
        item.LeaveOutOthers(path, left, "type", "id", "status", "role", "content", "phase");
        var parts = ReadParts(item, "content", path);
        switch (item.Text("role", path))
        {
            case "system" or "developer":
                turns.Instruct(parts, $"{path}.content");
                break;
            case "user":
                turns.Say(Speaker.User, parts, path);
                break;
            case "assistant":
                turns.Say(Speaker.Assistant, parts, path);
                break;
            default:
                throw Invalid($"{path}.role", "must be 'system', 'developer', 'user' or 'assistant'");
        }
    }

    /// <summary>Empty texts are left out: they have no meaning, and some providers refuse them.</summary>
    List<Part> ReadParts(JsonElement item, string member, string path)
    {
        var content = item.Find(member) ?? throw Invalid($"{path}.{member}", "is required");
        if (content.ValueKind == JsonValueKind.String)
            return content.GetString() is { Length: > 0 } only ? [new TextPart(only)] : [];
        var parts = new List<Part>();
        foreach (var (part, at) in content.Elements($"{path}.{member}"))
        {
            var type = part.Object(at).Text("type", at);
            switch (type)
            {
                case "input_text" or "output_text" or "text" or "refusal":
                    part.LeaveOutOthers(at, left, "type", "text", "refusal", "logprobs");
                    if (part.Text(type == "refusal" ? "refusal" : "text", at) is { Length: > 0 } text)
                        parts.Add(new TextPart(text));
                    break;
                case "input_image":
                    // The image scale of OpenAI ('detail') has no counterpart elsewhere.
                    part.LeaveOutOthers(at, left, "type", "image_url");
                    parts.Add(FieldReading.Image(part.Text("image_url", at), $"{at}.image_url"));
                    break;
                default:
                    throw Untranslatable($"{at}.type");
            }
        }
        return parts;
    }

    /// <summary>Null for a thought that is stored only at its provider.</summary>
    ReasoningPart? ReadThought(JsonElement item, string path)
    {
        item.LeaveOutOthers(path, left, "type", "id", "status", "summary", "content", "encrypted_content");
        var texts = new List<string>();
        foreach (var member in (ReadOnlySpan<string>)["summary", "content"])
            if (item.Find(member) is { } parts)
                foreach (var (part, at) in parts.Elements($"{path}.{member}"))
                    texts.Add(part.Text("text", at));
        var seal = item.Find("encrypted_content")?.Text($"{path}.encrypted_content");
        return texts.Count == 0 && seal is null ? null : new(string.Join("\n\n", texts), seal);
    }
}
