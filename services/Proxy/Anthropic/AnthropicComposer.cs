using System.Buffers;
using System.Text.Encodings.Web;
using System.Text.Json;
using LlmGateway.Proxy.Translation;
using static LlmGateway.Proxy.FieldErrors;

namespace LlmGateway.Proxy.Anthropic;

/// <summary>
/// Writes a <see cref="Conversation"/> as a request of this wire. The wire demands alternating speakers, tool results first in a turn, an
/// output limit, and no empty text. The composer makes each of these true.
/// </summary>
static class AnthropicComposer
{
    /// <summary>Most marks for the cache in one request.</summary>
    const int MaxCacheMarks = 4;

    /// <summary>Said first where a conversation begins with the model: the wire demands that the user speaks first.</summary>
    const string Opening = "(The conversation goes on.)";


    static readonly JsonWriterOptions Relaxed = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public static byte[] Compose(Conversation said, string upstreamModel, long outputLimit, bool stream)
    {
        LeaveOutUnsayable(said);
        said = WithInstruction(LimitMarks(said));
        var thinking = new AnthropicThinking(said, upstreamModel, outputLimit);
        var body = new ArrayBufferWriter<byte>(1024);
        using (var json = new Utf8JsonWriter(body, Relaxed))
        {
            json.WriteStartObject();
            json.WriteString("model", upstreamModel);
            json.WriteNumber("max_tokens", outputLimit);
            if (stream)
                json.WriteBoolean("stream", true);
            WriteSystem(json, said.System);
            WriteTurns(json, said.Turns);
            WriteTools(json, said);
            thinking.Write(json);
            WriteStops(json, said);
            WriteOutput(json, said, thinking.Level);
            if (said.Cache is { } mark)
                WriteCacheMark(json, mark);
            json.WriteEndObject();
        }
        return body.WrittenSpan.ToArray();
    }

    static void LeaveOutUnsayable(Conversation said)
    {
        foreach (var penalty in (ReadOnlySpan<Given<decimal>?>)[said.FrequencyPenalty, said.PresencePenalty])
            if (penalty is { Value: not 0, Field: var field })
                said.LeftOut.Add(field);
        if (said.Seed is { } seed)
            said.LeftOut.Add(seed.Field);
        if (said.Verbosity is { Value: not "medium" } verbosity)
            said.LeftOut.Add(verbosity.Field);
        if (said.Format?.Description is not null)
            said.LeftOut.Add("description");
    }

    /// <summary>The wire knows answers of a schema only. Any JSON is asked for in words, as OpenAI demands of its own callers.</summary>
    static Conversation WithInstruction(Conversation said) => said.Format is not { Schema: null }
        ? said
        : said with { Format = null, System = [.. said.System, new TextPart("Answer with one JSON object and nothing else.")] };

    /// <summary>The last marks are kept: a later one covers the text of those before it.</summary>
    static Conversation LimitMarks(Conversation said)
    {
        var marks = said.Tools.Count(tool => tool.Cache is not null) + said.System.Count(part => part.Cache is not null)
            + said.Turns.Sum(turn => turn.Parts.Count(part => part.Cache is not null)) + (said.Cache is null ? 0 : 1);
        if (marks <= MaxCacheMarks)
            return said;
        var extra = marks - MaxCacheMarks;
        said.LeftOut.Add("cache_control");
        return said with
        {
            Tools = [.. said.Tools.Select(tool => tool.Cache is not null && extra-- > 0 ? tool with { Cache = null } : tool)],
            System = [.. said.System.Select(part => part.Cache is not null && extra-- > 0 ? part with { Cache = null } : part)],
            Turns =
            [
                .. said.Turns.Select(turn => turn with
                {
                    Parts = [.. turn.Parts.Select(part => part.Cache is not null && extra-- > 0 ? part with { Cache = null } : part)],
                })
            ],
        };
    }

    static void WriteSystem(Utf8JsonWriter json, IReadOnlyList<TextPart> system)
    {
        var texts = system.Where(IsSaid).ToList();
        if (texts is [{ Cache: null } only])
            json.WriteString("system", only.Text);
        else if (texts.Count > 0)
        {
            json.WriteStartArray("system");
            foreach (var text in texts)
                WriteText(json, text);
            json.WriteEndArray();
        }
    }

    static void WriteTurns(Utf8JsonWriter json, IReadOnlyList<Turn> turns)
    {
        json.WriteStartArray("messages");
        if (turns is not [{ Speaker: Speaker.User }, ..])
            WriteTurn(json, [new(Speaker.User, [new TextPart(Opening)], "")], isLast: false);
        for (var first = 0; first < turns.Count;)
        {
            var next = first;
            while (next < turns.Count && turns[next].Speaker == turns[first].Speaker)
                next++;
            WriteTurn(json, turns.Skip(first).Take(next - first).ToList(), isLast: next == turns.Count);
            first = next;
        }
        json.WriteEndArray();
    }

    /// <param name="turns">Neighbouring turns of one speaker.</param>
    static void WriteTurn(Utf8JsonWriter json, List<Turn> turns, bool isLast)
    {
        var parts = turns.SelectMany(turn => turn.Parts.Where(IsSaid).Select(part => (part, turn.Field)))
            .OrderBy(part => part.part is not ToolResultPart)
            .ToList();
        if (parts.Count == 0)
            return;
        // The wire refuses an answer that is begun and ends in white space.
        if (isLast && turns[0].Speaker == Speaker.Assistant && parts[^1].part is TextPart begun)
            parts[^1] = (begun with { Text = begun.Text.TrimEnd() }, parts[^1].Field);
        json.WriteStartObject();
        json.WriteString("role", turns[0].Speaker == Speaker.User ? "user" : "assistant");
        json.WriteStartArray("content");
        foreach (var (part, field) in parts)
            WritePart(json, part, field);
        json.WriteEndArray();
        json.WriteEndObject();
    }

    /// <summary>The provider refuses empty text and thoughts without their signature. Both are left out.</summary>
    static bool IsSaid(Part part) => part switch
    {
        TextPart text => !string.IsNullOrWhiteSpace(text.Text),
        ReasoningPart thought => thought.Signature is { Length: > 0 },
        _ => true,
    };

    static void WritePart(Utf8JsonWriter json, Part part, string field)
    {
        switch (part)
        {
            case TextPart text:
                WriteText(json, text);
                return;
            case ImagePart image:
                WriteImage(json, image);
                return;
            case ToolResultPart result:
                WriteResult(json, result);
                return;
        }
        json.WriteStartObject();
        if (part is ToolCallPart call)
        {
            json.WriteString("type", "tool_use");
            json.WriteString("id", call.Id);
            json.WriteString("name", call.Name);
            json.WritePropertyName("input");
            WriteArguments(json, call.Arguments, field);
        }
        else if (part is ReasoningPart thought)
        {
            json.WriteString("type", "thinking");
            json.WriteString("thinking", thought.Text);
            json.WriteString("signature", thought.Signature);
        }
        json.WriteEndObject();
    }

    static void WriteCacheMark(Utf8JsonWriter json, string? mark)
    {
        if (mark is null)
            return;
        json.WritePropertyName("cache_control");
        json.WriteRawValue(mark);
    }

    static void WriteText(Utf8JsonWriter json, TextPart text)
    {
        json.WriteStartObject();
        json.WriteString("type", "text");
        json.WriteString("text", text.Text);
        WriteCacheMark(json, text.Cache);
        json.WriteEndObject();
    }

    static void WriteImage(Utf8JsonWriter json, ImagePart image)
    {
        json.WriteStartObject();
        json.WriteString("type", "image");
        json.WriteStartObject("source");
        if (image.Url is { } url)
        {
            json.WriteString("type", "url");
            json.WriteString("url", url);
        }
        else
        {
            json.WriteString("type", "base64");
            json.WriteString(
                "media_type", image.MediaType ?? throw Untranslatable(image.Field, AnthropicWire.WireName, "the image has no media type"));
            json.WriteString("data", image.Base64);
        }
        json.WriteEndObject();
        WriteCacheMark(json, image.Cache);
        json.WriteEndObject();
    }

    static void WriteResult(Utf8JsonWriter json, ToolResultPart result)
    {
        json.WriteStartObject();
        json.WriteString("type", "tool_result");
        json.WriteString("tool_use_id", result.CallId);
        WriteCacheMark(json, result.Cache);
        if (result.IsError)
            json.WriteBoolean("is_error", true);
        if (result.Content.Any(IsSaid))
        {
            json.WriteStartArray("content");
            foreach (var part in result.Content.Where(IsSaid))
                WritePart(json, part, result.Field);
            json.WriteEndArray();
        }
        json.WriteEndObject();
    }

    static void WriteArguments(Utf8JsonWriter json, string arguments, string field)
    {
        if (string.IsNullOrWhiteSpace(arguments))
            arguments = "{}";
        try
        {
            using var parsed = JsonDocument.Parse(arguments);
            if (parsed.RootElement.ValueKind == JsonValueKind.Object)
            {
                json.WriteRawValue(arguments);
                return;
            }
        }
        catch (JsonException)
        {
            // A text that is no JSON is refused below, like JSON that is no object.
        }
        throw Untranslatable(field, AnthropicWire.WireName, "the arguments of a tool call must be a JSON object");
    }

    static void WriteTools(Utf8JsonWriter json, Conversation said)
    {
        // The wire demands the tools of calls in the conversation, and has no place for a tool choice without tools.
        IEnumerable<Tool> tools = said.Tools.Count > 0
            ? said.Tools
            : said.Turns.SelectMany(turn => turn.Parts).OfType<ToolCallPart>().Select(call => call.Name).Distinct()
                .Select(name => new Tool(name, null, null, false, ""));
        if (!tools.Any())
            return;
        json.WriteStartArray("tools");
        foreach (var tool in tools)
        {
            json.WriteStartObject();
            json.WriteString("name", tool.Name);
            if (tool.Description is { } description)
                json.WriteString("description", description);
            json.WritePropertyName("input_schema");
            json.WriteRawValue(JsonSchemas.OfTool(tool.Schema));
            if (tool.Strict)
                json.WriteBoolean("strict", true);
            WriteCacheMark(json, tool.Cache);
            json.WriteEndObject();
        }
        json.WriteEndArray();
        if (said.Tools.Count == 0)
            said = said with { ToolChoice = new(ToolMode.None, null, ""), ParallelTools = null };
        if (said.ToolChoice is null && said.ParallelTools is null)
            return;
        json.WriteStartObject("tool_choice");
        json.WriteString(
            "type",
            said.ToolChoice?.Mode switch { ToolMode.None => "none", ToolMode.Required => "any", ToolMode.One => "tool", _ => "auto" });
        if (said.ToolChoice is { Mode: ToolMode.One, Name: var name })
            json.WriteString("name", name);
        if (said.ParallelTools is { } parallel && said.ToolChoice?.Mode != ToolMode.None)
            json.WriteBoolean("disable_parallel_tool_use", !parallel.Value);
        json.WriteEndObject();
    }

    static void WriteStops(Utf8JsonWriter json, Conversation said)
    {
        if (said.Stop is not { } stop)
            return;
        json.WriteStartArray("stop_sequences");
        foreach (var sequence in stop.Value)
            json.WriteStringValue(sequence);
        json.WriteEndArray();
    }

    /// <summary>Writes the level of effort and the form of the answer.</summary>
    static void WriteOutput(Utf8JsonWriter json, Conversation said, string? level)
    {
        if (level is null && said.Format is null)
            return;
        json.WriteStartObject("output_config");
        if (level is not null)
            json.WriteString("effort", level);
        if (said.Format is { } format)
        {
            json.WriteStartObject("format");
            json.WriteString("type", "json_schema");
            json.WritePropertyName("schema");
            json.WriteRawValue(JsonSchemas.OfAnthropicAnswer(format.Schema!));
            json.WriteEndObject();
        }
        json.WriteEndObject();
    }
}
