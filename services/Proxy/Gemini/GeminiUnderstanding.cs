using System.Text.Json;
using LlmGateway.Proxy.Translation;
using LlmGateway.ServiceDefaults;
using static LlmGateway.Proxy.FieldErrors;

namespace LlmGateway.Proxy.Gemini;

/// <summary>Turns a Gemini request into a <see cref="Conversation"/>. The body has passed <see cref="GeminiRequestReader"/>.</summary>
sealed class GeminiUnderstanding
{
    readonly LeftOut _left = new();
    readonly TurnList _turns = new();

    // Calls without a response so far, oldest first. A response without an id belongs to the first call of its function.
    readonly List<(string Id, string Name)> _open = [];
    int _calls;

    public static Conversation Of(ReadOnlySpan<byte> body)
    {
        var reader = new Utf8JsonReader(body);
        using var json = JsonDocument.ParseValue(ref reader);
        return new GeminiUnderstanding().Read(json.RootElement);
    }

    Conversation Read(JsonElement body)
    {
        var settings = new GeminiSettings(_left);
        foreach (var (name, value) in Members(body))
        {
            switch (name)
            {
                case "contents":
                    foreach (var (content, index) in ElementsOf(value))
                        ReadContent(content, $"contents[{index}]");
                    break;
                case "systemInstruction": ReadSystem(value); break;
                case "tools": settings.ReadTools(value); break;
                case "toolConfig": settings.ReadToolConfig(value); break;
                case "generationConfig": settings.ReadConfig(value); break;
                // The request's reader took it.
                case "serviceTier" or "model": break;
                default:
                    Unsayable.LeaveOut(name, name, value, _left);
                    break;
            }
        }
        return _turns.On(settings.Settings);
    }

    void ReadSystem(JsonElement content)
    {
        foreach (var (name, value) in Members(content))
        {
            if (name != "parts")
                continue;
            foreach (var (part, index) in ElementsOf(value))
                _turns.Instruct([ReadPart(part, $"systemInstruction.parts[{index}]")], $"systemInstruction.parts[{index}]");
        }
    }

    void ReadContent(JsonElement content, string field)
    {
        var (speaker, parts) = ((Speaker?)Speaker.User, new List<Part>());
        foreach (var (name, value) in Members(content))
        {
            if (name == "role")
                speaker = SpeakerOf(value, $"{field}.role");
            else if (name == "parts")
                foreach (var (part, index) in ElementsOf(value))
                    parts.Add(ReadPart(part, $"{field}.parts[{index}]"));
            else
                Unsayable.LeaveOut($"{field}.{name}", name, value, _left);
        }
        if (speaker is not { } who)
            _turns.Instruct(parts, $"{field}.parts");
        else if (parts.Count > 0)
            _turns.Say(who, parts, field);
    }

    /// <summary>Null for instructions.</summary>
    static Speaker? SpeakerOf(JsonElement role, string field) => Text(role, field) switch
    {
        "user" or "function" or "" => Speaker.User,
        "model" => Speaker.Assistant,
        "system" => null,
        _ => throw Invalid(field, "must be 'user', 'model', 'function' or 'system'"),
    };

    Part ReadPart(JsonElement part, string field)
    {
        Part? read = null;
        string? signature = null;
        var isThought = false;
        foreach (var (name, value) in Members(part))
        {
            Part? content = null;
            switch (name)
            {
                case "text": content = new TextPart(Text(value, $"{field}.text")); break;
                case "inlineData" or "fileData": content = ReadImage(value, $"{field}.{name}"); break;
                case "functionCall": content = ReadCall(value, $"{field}.{name}"); break;
                case "functionResponse": content = ReadResult(value, $"{field}.{name}"); break;
                case "thought": isThought = value.ValueKind == JsonValueKind.True; break;
                case "thoughtSignature": signature = Text(value, $"{field}.{name}"); break;
                case "executableCode" or "codeExecutionResult": content = ReadCode(value, $"{field}.{name}"); break;
                case "toolCall" or "toolResponse" or "audioTranscription" or "mediaProcessing" or "speechMetadata":
                    throw Refuse($"{field}.{name}");
                default: Unsayable.LeaveOut($"{field}.{name}", name, value, _left); break;
            }
            if (content is not null && read is not null)
                throw Invalid(field, "must hold one thing: a text, an image, a call or its response");
            read = content ?? read;
        }
        return read switch
        {
            TextPart text when isThought => new ReasoningPart(text.Text, signature),
            ToolCallPart call when signature is not null and not GeminiComposer.NoSignature => call with { Signature = signature },
            null => new TextPart(""),
            _ => read,
        };
    }

    /// <summary>What the model ran in an earlier turn, and what came of it, as it reads to people.</summary>
    static TextPart ReadCode(JsonElement code, string field)
    {
        var texts = Members(code).Where(member => member.Name is "code" or "output").Select(member => Text(member.Value, field));
        return new($"```\n{string.Join('\n', texts)}\n```");
    }

    ImagePart ReadImage(JsonElement media, string field)
    {
        string? type = null, data = null, url = null;
        foreach (var (name, value) in Members(media))
        {
            switch (name)
            {
                case "mimeType": type = Text(value, $"{field}.{name}"); break;
                case "data": data = Text(value, $"{field}.{name}"); break;
                case "fileUri": url = Text(value, $"{field}.{name}"); break;
                default: Unsayable.LeaveOut($"{field}.{name}", name, value, _left); break;
            }
        }
        if (type?.StartsWith("image/", StringComparison.OrdinalIgnoreCase) == false)
            throw Refuse(field, "only images are translated");
        return data is null != url is null ? new(type, data, url, field) : throw Invalid(field, "must have 'data' or 'fileUri'");
    }

    ToolCallPart ReadCall(JsonElement call, string field)
    {
        string? id = null, name = null;
        var arguments = "{}";
        foreach (var (member, value) in Members(call))
        {
            switch (member)
            {
                case "id": id = Text(value, $"{field}.id"); break;
                case "name": name = Text(value, $"{field}.name"); break;
                case "args":
                    arguments = value.ValueKind == JsonValueKind.Object
                        ? value.GetRawText()
                        : throw Invalid($"{field}.args", "must be an object");
                    break;
                default: Unsayable.LeaveOut($"{field}.{member}", member, value, _left); break;
            }
        }
        name = name is { Length: > 0 } ? name : throw Invalid($"{field}.name", "must be a string");
        id = id is { Length: > 0 } ? id : $"call_{_calls++}";
        _open.Add((id, name));
        return new(id, name, arguments);
    }

    ToolResultPart ReadResult(JsonElement result, string field)
    {
        string? id = null, name = null;
        var (isError, content) = (false, new List<Part>());
        foreach (var (member, value) in Members(result))
        {
            switch (member)
            {
                case "id": id = Text(value, $"{field}.id"); break;
                case "name": name = Text(value, $"{field}.name"); break;
                case "response":
                    (isError, var text) = WordsOf(value);
                    content.Insert(0, new TextPart(text));
                    break;
                case "parts":
                    foreach (var (part, index) in ElementsOf(value))
                        content.Add(ReadPart(part, $"{field}.parts[{index}]"));
                    break;
                default: Unsayable.LeaveOut($"{field}.{member}", member, value, _left); break;
            }
        }
        var open = _open.FindIndex(call => id is { Length: > 0 } ? call.Id == id : call.Name == name);
        if (open >= 0)
        {
            (id, name) = _open[open];
            _open.RemoveAt(open);
        }
        return id is { Length: > 0 }
            ? new(id, name, content, isError, field)
            : throw Invalid(field, "answers no function call that stands before it");
    }

    /// <summary>
    /// By Google's convention a result stands under <c>output</c> and a failure under <c>error</c>. Any other object is the result itself.
    /// </summary>
    static (bool IsError, string Text) WordsOf(JsonElement response)
    {
        var members = response.ValueKind == JsonValueKind.Object ? response.EnumerateObject().Take(2).ToList() : [];
        return members is [{ Name: "output" or "result" or "error", Value.ValueKind: JsonValueKind.String } only]
            ? (only.Name == "error", only.Value.GetString()!)
            : (false, response.GetRawText());
    }

    /// <summary>An object's members that are not null, by their names in camel case.</summary>
    internal static IEnumerable<(string Name, JsonElement Value)> Members(JsonElement json)
    {
        if (json.ValueKind != JsonValueKind.Object)
            yield break;
        foreach (var member in json.EnumerateObject())
            if (member.Value.ValueKind != JsonValueKind.Null)
                yield return (GeminiFields.CamelOf(member.Name), member.Value);
    }

    /// <summary>A list's elements, or the single element that stands there without brackets.</summary>
    internal static IEnumerable<(JsonElement Element, int Index)> ElementsOf(JsonElement json)
    {
        if (json.ValueKind != JsonValueKind.Array)
            return [(json, 0)];
        return json.EnumerateArray().Select((element, index) => (element, index));
    }

    internal static string Text(JsonElement json, string field) =>
        json.ValueKind == JsonValueKind.String ? json.GetString()! : throw Invalid(field, "must be a string");

    internal static ProblemException Refuse(string field, string? why = null) => Untranslatable(field, "another wire", why);
}
