using System.Text.Json;
using LlmGateway.Proxy.Translation;
using static LlmGateway.Proxy.FieldErrors;

namespace LlmGateway.Proxy.Anthropic;

/// <summary>Turns the messages of a request into turns; part of <see cref="AnthropicUnderstanding"/>.</summary>
sealed class AnthropicTurns(TurnList turns, LeftOut left)
{
    public void Read(JsonElement messages)
    {
        foreach (var (message, path) in messages.Elements("messages"))
        {
            message.LeaveOutOthers(path, left, "role", "content");
            var content = message.Find("content") ?? throw Invalid($"{path}.content", "is required");
            switch (message.Text("role", path))
            {
                case "system" or "developer":
                    turns.Instruct(ReadContent(content, $"{path}.content"), $"{path}.content");
                    break;
                case "user":
                    turns.Say(Speaker.User, ReadContent(content, $"{path}.content"), path);
                    break;
                case "assistant":
                    turns.Say(Speaker.Assistant, ReadContent(content, $"{path}.content"), path);
                    break;
                default:
                    throw Invalid($"{path}.role", "must be 'user', 'assistant' or 'system'");
            }
        }
        if (turns.EndsWithAnswer)
            throw Untranslatable(
                $"messages[{messages.GetArrayLength() - 1}].role", "another wire",
                "an answer cannot be begun there for the model to continue");
    }

    public List<Part> ReadContent(JsonElement content, string path)
    {
        if (content.ValueKind == JsonValueKind.String)
            return [new TextPart(content.GetString()!)];
        var parts = new List<Part>();
        foreach (var (block, at) in content.Elements(path))
            if (ReadBlock(block, at) is { } part)
                parts.Add(part);
        return parts;
    }

    /// <summary>Null for what only the provider can read: its thoughts, and what it ran itself.</summary>
    Part? ReadBlock(JsonElement block, string path)
    {
        var type = block.Object(path).Text("type", path);
        switch (type)
        {
            case "text":
                block.LeaveOutOthers(path, left, "type", "text");
                return new TextPart(block.Text("text", path));
            case "image":
                block.LeaveOutOthers(path, left, "type", "source");
                return ReadImage(block.Find("source") ?? throw Invalid($"{path}.source", "is required"), $"{path}.source", path);
            case "document":
                return ReadDocument(block, path);
            case "search_result":
                block.LeaveOutOthers(path, left, "type", "content", "title", "source");
                return new TextPart(string.Join('\n', (block.Find("content") is { } found ? ReadContent(found, $"{path}.content") : [])
                    .OfType<TextPart>().Select(text => text.Text).Prepend(block.Find("title")?.Text($"{path}.title") ?? "")));
            case "thinking":
                return new ReasoningPart(block.Text("thinking", path), block.Find("signature")?.Text($"{path}.signature"));
            case "tool_use":
                block.LeaveOutOthers(path, left, "type", "id", "name", "input", "caller");
                var input = block.Find("input") ?? throw Invalid($"{path}.input", "must be an object");
                return new ToolCallPart(block.Text("id", path), block.Text("name", path), input.Object($"{path}.input").GetRawText());
            case "tool_result":
                block.LeaveOutOthers(path, left, "type", "tool_use_id", "content", "is_error");
                return new ToolResultPart(
                    block.Text("tool_use_id", path), null,
                    block.Find("content") is { } given ? ReadContent(given, $"{path}.content") : [],
                    block.Find("is_error") is { ValueKind: JsonValueKind.True }, path);
            case "tool_reference":
                return new TextPart(block.Find("tool_name")?.Text($"{path}.tool_name") ?? "");
            case "redacted_thinking":
                return null;
            case "server_tool_use" or "mcp_tool_use" or "mcp_tool_result" or "compaction":
                left.Add(type);
                return null;
            case var _ when type.EndsWith("_tool_result", StringComparison.Ordinal):
                left.Add(type);
                return null;
            default:
                throw Untranslatable($"{path}.type");
        }
    }

    TextPart ReadDocument(JsonElement block, string path)
    {
        block.LeaveOutOthers(path, left, "type", "source");
        var source = (block.Find("source") ?? throw Invalid($"{path}.source", "is required")).Object($"{path}.source");
        return source.Text("type", $"{path}.source") == "text"
            ? new(source.Text("data", $"{path}.source"))
            : throw Untranslatable($"{path}.source", "another wire", "only documents of type 'text' are translated");
    }

    ImagePart ReadImage(JsonElement source, string at, string path)
    {
        source.Object(at).LeaveOutOthers(at, left, "type", "media_type", "data", "url");
        return source.Text("type", at) == "url"
            ? new(null, null, source.Text("url", at), path)
            : new(source.Text("media_type", at), source.Text("data", at), null, path);
    }
}
