using System.Text.Json;
using LlmGateway.Proxy.Translation;
using static LlmGateway.Proxy.Anthropic.AnthropicUnderstanding;
using static LlmGateway.Proxy.FieldErrors;

namespace LlmGateway.Proxy.Anthropic;

/// <summary>The messages of a request in no wire's words; part of <see cref="AnthropicUnderstanding"/>.</summary>
static class AnthropicTurns
{
    /// <param name="system">Instructions among the messages are added here, if nothing was said before them.</param>
    public static List<Turn> Read(JsonElement messages, List<string> system)
    {
        var turns = new List<Turn>();
        var tools = new Dictionary<string, string>(StringComparer.Ordinal);
        var index = 0;
        foreach (var message in messages.EnumerateArray())
        {
            var path = $"messages[{index++}]";
            Only(message, path, "role", "content");
            var role = Text(message, "role", path);
            if (!message.TryGetProperty("content", out var content))
                throw Invalid($"{path}.content", "is required");
            if (role == "system" && turns.Count == 0)
                AddSystem(system, content, $"{path}.content");
            else if (role is "user" or "assistant")
                turns.Add(new(role == "user" ? Speaker.User : Speaker.Assistant, ReadContent(content, $"{path}.content", tools), path));
            else
                throw role == "system"
                    ? Untranslatable($"{path}.role", "another wire", "instructions must stand before everything else there")
                    : Invalid($"{path}.role", "must be 'user' or 'assistant'");
        }
        if (turns is [.., { Speaker: Speaker.Assistant } last])
            throw Untranslatable($"{last.Field}.role", "another wire", "an answer cannot be begun there for the model to continue");
        return turns;
    }

    /// <param name="tools">Names of the tools by the ids of their calls so far; null inside a tool's result.</param>
    static List<Part> ReadContent(JsonElement content, string path, Dictionary<string, string>? tools)
    {
        if (content.ValueKind == JsonValueKind.String)
            return [new TextPart(content.GetString()!)];
        var parts = new List<Part>();
        if (content.ValueKind == JsonValueKind.Null)
            return parts;
        var index = 0;
        foreach (var block in content.EnumerateArray())
            if (ReadBlock(block, $"{path}[{index++}]", tools) is { } part)
                parts.Add(part);
        return parts;
    }

    /// <summary>Null for thoughts that only the provider can read.</summary>
    static Part? ReadBlock(JsonElement block, string path, Dictionary<string, string>? tools)
    {
        switch (Text(block, "type", path))
        {
            case "text":
                Only(block, path, "type", "text", "citations");
                return new TextPart(Text(block, "text", path));
            case "image":
                Only(block, path, "type", "source");
                return ReadImage(block.GetProperty("source"), path);
            case "document":
                Only(block, path, "type", "source");
                return new TextPart(Text(block.GetProperty("source"), "data", $"{path}.source"));
            case "thinking":
                return new ReasoningPart(Text(block, "thinking", path), OptionalText(block, "signature", path));
            case "tool_use":
                return ReadCall(block, path, tools!);
            case "tool_result":
                Only(block, path, "type", "tool_use_id", "content", "is_error");
                var id = Text(block, "tool_use_id", path);
                var content = block.TryGetProperty("content", out var given) ? ReadContent(given, $"{path}.content", null) : [];
                return new ToolResultPart(id, tools!.GetValueOrDefault(id), content, IsTrue(block, "is_error"), path);
            default:
                return null;
        }
    }

    static ToolCallPart ReadCall(JsonElement block, string path, Dictionary<string, string> tools)
    {
        Only(block, path, "type", "id", "name", "input", "caller");
        var (id, name) = (Text(block, "id", path), Text(block, "name", path));
        tools[id] = name;
        return block.TryGetProperty("input", out var input) && input.ValueKind == JsonValueKind.Object
            ? new(id, name, input.GetRawText())
            : throw Invalid($"{path}.input", "must be an object");
    }

    static ImagePart ReadImage(JsonElement source, string path)
    {
        Only(source, $"{path}.source", "type", "media_type", "data", "url");
        return Text(source, "type", $"{path}.source") == "url"
            ? new(null, null, Text(source, "url", $"{path}.source"), path)
            : new(Text(source, "media_type", $"{path}.source"), Text(source, "data", $"{path}.source"), null, path);
    }
}
