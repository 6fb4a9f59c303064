using System.Text.Json;
using LlmGateway.Proxy.Translation;
using LlmGateway.ServiceDefaults;
using static LlmGateway.Proxy.FieldErrors;

namespace LlmGateway.Proxy.Gemini;

/// <summary>Says in no wire's words what a Gemini request asks for. The body has passed <see cref="GeminiRequestReader"/>.</summary>
sealed class GeminiUnderstanding
{
    /// <summary>Members without a counterpart that change nothing which another provider has.</summary>
    static readonly string[] LeftOut = ["safetySettings", "labels", "store", "serviceTier"];

    readonly List<Turn> _turns = [];
    readonly List<string> _system = [];

    // Calls that no response was seen for, oldest first: a response without id belongs to the first of its function.
    readonly List<(string Id, string Name)> _open = [];
    int _calls;

    public static Conversation Of(ReadOnlySpan<byte> body, ModelRequest request)
    {
        if (request.Choices > 1)
            throw Refuse("generationConfig.candidateCount", "only one answer can be translated");
        var reader = new Utf8JsonReader(body);
        using var json = JsonDocument.ParseValue(ref reader);
        return new GeminiUnderstanding().Read(json.RootElement);
    }

    Conversation Read(JsonElement body)
    {
        var settings = new GeminiSettings();
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
                default:
                    if (!LeftOut.Contains(name))
                        throw Refuse(name);
                    break;
            }
        }
        return settings.Apply(new Conversation { System = _system, Turns = _turns });
    }

    void ReadSystem(JsonElement content)
    {
        foreach (var (name, value) in Members(content))
        {
            if (name != "parts")
                continue;
            foreach (var (part, index) in ElementsOf(value))
                _system.Add(ReadPart(part, $"systemInstruction.parts[{index}]") is TextPart text ? text.Text : throw Refuse($"systemInstruction.parts[{index}]", "instructions are texts"));
        }
    }

    void ReadContent(JsonElement content, string field)
    {
        var (speaker, parts) = (Speaker.User, new List<Part>());
        foreach (var (name, value) in Members(content))
        {
            if (name == "role")
                speaker = SpeakerOf(value, $"{field}.role");
            else if (name == "parts")
                foreach (var (part, index) in ElementsOf(value))
                    parts.Add(ReadPart(part, $"{field}.parts[{index}]"));
            else
                throw Refuse($"{field}.{name}");
        }
        if (parts.Count > 0)
            _turns.Add(new(speaker, parts, field));
    }

    static Speaker SpeakerOf(JsonElement role, string field) => Text(role, field) switch
    {
        "user" or "function" or "" => Speaker.User,
        "model" => Speaker.Assistant,
        _ => throw Invalid(field, "must be 'user', 'model' or 'function'"),
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
                case "partMetadata": break;
                default: throw Refuse($"{field}.{name}");
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

    static ImagePart ReadImage(JsonElement media, string field)
    {
        string? type = null, data = null, url = null;
        foreach (var (name, value) in Members(media))
        {
            switch (name)
            {
                case "mimeType": type = Text(value, $"{field}.{name}"); break;
                case "data": data = Text(value, $"{field}.{name}"); break;
                case "fileUri": url = Text(value, $"{field}.{name}"); break;
                case "displayName": break;
                default: throw Refuse($"{field}.{name}");
            }
        }
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
                case "args": arguments = value.ValueKind == JsonValueKind.Object ? value.GetRawText() : throw Invalid($"{field}.args", "must be an object"); break;
                default: throw Refuse($"{field}.{member}");
            }
        }
        name = name is { Length: > 0 } ? name : throw Invalid($"{field}.name", "must be a string");
        id = id is { Length: > 0 } ? id : GeminiReader.MadeUpId(_calls, name);
        _calls++;
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
                default: throw Refuse($"{field}.{member}");
            }
        }
        var open = _open.FindIndex(call => id is { Length: > 0 } ? call.Id == id : call.Name == name);
        if (open >= 0)
        {
            (id, name) = _open[open];
            _open.RemoveAt(open);
        }
        return id is { Length: > 0 } ? new(id, name, content, isError, field) : throw Invalid(field, "answers no function call that stands before it");
    }

    /// <summary>Google's convention: the result is under <c>output</c>, a failure under <c>error</c>; anything else is a result by itself.</summary>
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

    /// <summary>A list's elements, or the only one that stands there without brackets.</summary>
    internal static IEnumerable<(JsonElement Element, int Index)> ElementsOf(JsonElement json)
    {
        if (json.ValueKind != JsonValueKind.Array)
            return [(json, 0)];
        return json.EnumerateArray().Select((element, index) => (element, index));
    }

    internal static string Text(JsonElement json, string field) => json.ValueKind == JsonValueKind.String ? json.GetString()! : throw Invalid(field, "must be a string");

    internal static ProblemException Refuse(string field, string? why = null) => Untranslatable(field, "another wire", why);
}
