using System.Buffers;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using LlmGateway.Proxy.Translation;
using static LlmGateway.Proxy.FieldErrors;

namespace LlmGateway.Proxy.Gemini;

/// <summary>Says in Gemini's words what a caller of another wire asked for.</summary>
sealed class GeminiComposer(Utf8JsonWriter json, string model)
{
    /// <summary>
    /// Gemini 3 refuses a function call of an earlier turn without its seal, which the caller's wire may have lost. This is what Google documents for calls that come from
    /// elsewhere (ai.google.dev/gemini-api/docs/thought-signatures); a true seal is always preferred.
    /// </summary>
    public const string NoSignature = "skip_thought_signature_validator";

    const int MaxStops = 5;
    const decimal MaxTemperature = 2;

    static readonly JsonWriterOptions Relaxed = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>Models of the third generation and later: they think in levels, and want calls sealed.</summary>
    readonly bool _isThird = GenerationOf(model) >= 3;

    public static byte[] Compose(Conversation conversation, string upstreamModel, long outputLimit)
    {
        var buffer = new ArrayBufferWriter<byte>(1024);
        using (var json = new Utf8JsonWriter(buffer, Relaxed))
            new GeminiComposer(json, upstreamModel).Write(conversation, outputLimit);
        return buffer.WrittenSpan.ToArray();
    }

    void Write(Conversation conversation, long outputLimit)
    {
        json.WriteStartObject();
        if (conversation.System.Count > 0)
        {
            json.WriteStartObject("systemInstruction");
            json.WriteStartArray("parts");
            foreach (var text in conversation.System)
                WriteText(text);
            json.WriteEndArray();
            json.WriteEndObject();
        }
        WriteTurns(conversation.Turns);
        WriteTools(conversation);
        WriteConfig(conversation, outputLimit);
        json.WriteEndObject();
    }

    /// <summary>Neighbours of one speaker are one content: Google wants turns to alternate, and all responses to parallel calls together.</summary>
    void WriteTurns(IReadOnlyList<Turn> turns)
    {
        json.WriteStartArray("contents");
        for (var i = 0; i < turns.Count; i++)
        {
            var begins = i == 0 || turns[i].Speaker != turns[i - 1].Speaker;
            if (begins)
            {
                json.WriteStartObject();
                json.WriteString("role", turns[i].Speaker == Speaker.User ? "user" : "model");
                json.WriteStartArray("parts");
            }
            WriteParts(turns[i]);
            if (i + 1 < turns.Count && turns[i + 1].Speaker == turns[i].Speaker)
                continue;
            json.WriteEndArray();
            json.WriteEndObject();
        }
        json.WriteEndArray();
    }

    void WriteParts(Turn turn)
    {
        var calls = 0;
        foreach (var part in turn.Parts)
        {
            switch (part)
            {
                case TextPart text: WriteText(text.Text); break;
                case ImagePart image: WriteImage(image); break;
                case ToolCallPart call: WriteCall(call, isFirst: calls++ == 0); break;
                case ToolResultPart result: WriteResult(result); break;
                // Thoughts of earlier turns: a seal may be another provider's, and without one they are of no use to Google.
                case ReasoningPart: break;
            }
        }
        if (turn.Parts.All(part => part is ReasoningPart))
            WriteText("");
    }

    void WriteText(string text)
    {
        json.WriteStartObject();
        json.WriteString("text", text);
        json.WriteEndObject();
    }

    void WriteImage(ImagePart image)
    {
        json.WriteStartObject();
        json.WriteStartObject(image.Url is null ? "inlineData" : "fileData");
        json.WriteString("mimeType", image.MediaType ?? (image.Url is null ? throw Untranslatable(image.Field, "Gemini", "the image's type is missing") : TypeOf(image.Url)));
        json.WriteString(image.Url is null ? "data" : "fileUri", image.Url ?? image.Base64);
        json.WriteEndObject();
        json.WriteEndObject();
    }

    /// <summary>Gemini wants to know before it looks; most images on the web are of the last kind.</summary>
    static string TypeOf(string url)
    {
        var path = url.AsSpan(0, url.AsSpan().IndexOfAny('?', '#') is >= 0 and var end ? end : url.Length);
        return path.EndsWith(".png", StringComparison.OrdinalIgnoreCase) ? "image/png"
            : path.EndsWith(".webp", StringComparison.OrdinalIgnoreCase) ? "image/webp"
            : path.EndsWith(".gif", StringComparison.OrdinalIgnoreCase) ? "image/gif"
            : "image/jpeg";
    }

    void WriteCall(ToolCallPart call, bool isFirst)
    {
        json.WriteStartObject();
        json.WriteStartObject("functionCall");
        json.WriteString("id", call.Id);
        json.WriteString("name", call.Name);
        json.WritePropertyName("args");
        WriteArguments(call.Arguments);
        json.WriteEndObject();
        if (call.Signature is not null)
            json.WriteString("thoughtSignature", call.Signature);
        else if (_isThird && isFirst)
            json.WriteString("thoughtSignature", NoSignature);
        json.WriteEndObject();
    }

    /// <summary>Models write arguments, and may have written no object; what they meant is passed on under a name.</summary>
    void WriteArguments(string arguments)
    {
        var trimmed = arguments.AsSpan().Trim();
        if (trimmed is ['{', ..] && LenientJson.IsJson(Encoding.UTF8.GetBytes(arguments)))
        {
            json.WriteRawValue(trimmed);
            return;
        }
        json.WriteStartObject();
        if (trimmed.Length > 0)
            json.WriteString("arguments", trimmed);
        json.WriteEndObject();
    }

    void WriteResult(ToolResultPart result)
    {
        json.WriteStartObject();
        json.WriteStartObject("functionResponse");
        json.WriteString("id", result.CallId);
        json.WriteString("name", result.Name ?? throw Untranslatable(result.Field, "Gemini", "no call with its id stands before it, and Gemini needs the function's name"));
        json.WriteStartObject("response");
        json.WriteString(result.IsError ? "error" : "output", string.Concat(result.Content.OfType<TextPart>().Select(text => text.Text)));
        json.WriteEndObject();
        if (result.Content.OfType<ImagePart>().Any())
        {
            json.WriteStartArray("parts");
            foreach (var image in result.Content.OfType<ImagePart>())
                WriteImage(image);
            json.WriteEndArray();
        }
        json.WriteEndObject();
        json.WriteEndObject();
    }

    void WriteTools(Conversation conversation)
    {
        if (conversation.ParallelTools is { Value: false } parallel && conversation.Tools.Count > 0)
            throw Untranslatable(parallel.Field, "Gemini", "its models may call several functions at once");
        if (conversation.Tools.Count > 0)
        {
            json.WriteStartArray("tools");
            json.WriteStartObject();
            json.WriteStartArray("functionDeclarations");
            foreach (var tool in conversation.Tools)
                WriteTool(tool);
            json.WriteEndArray();
            json.WriteEndObject();
            json.WriteEndArray();
        }
        // Schemas that must be obeyed are a mode of all functions together here; a forced call obeys them anyhow.
        var strict = conversation.Tools.Any(tool => tool.Strict);
        if (conversation.ToolChoice is null && !strict)
            return;
        json.WriteStartObject("toolConfig");
        json.WriteStartObject("functionCallingConfig");
        json.WriteString("mode", conversation.ToolChoice?.Mode switch
        {
            ToolMode.None => "NONE",
            ToolMode.Required or ToolMode.One => "ANY",
            _ => strict ? "VALIDATED" : "AUTO",
        });
        if (conversation.ToolChoice is { Mode: ToolMode.One } one)
        {
            json.WriteStartArray("allowedFunctionNames");
            json.WriteStringValue(one.Name);
            json.WriteEndArray();
        }
        json.WriteEndObject();
        json.WriteEndObject();
    }

    void WriteTool(Tool tool)
    {
        json.WriteStartObject();
        json.WriteString("name", tool.Name);
        if (tool.Description is not null)
            json.WriteString("description", tool.Description);
        if (tool.Schema is not null)
        {
            json.WritePropertyName("parametersJsonSchema");
            json.WriteRawValue(tool.Schema);
        }
        json.WriteEndObject();
    }

    void WriteConfig(Conversation conversation, long outputLimit)
    {
        json.WriteStartObject("generationConfig");
        json.WriteNumber("maxOutputTokens", outputLimit);
        if (conversation.Temperature is { Value: > MaxTemperature or < 0 } hot)
            throw Untranslatable(hot.Field, "Gemini", $"it takes 0 to {MaxTemperature}");
        WriteNumber("temperature", conversation.Temperature);
        WriteNumber("topP", conversation.TopP);
        if (conversation.TopK is { } topK)
            json.WriteNumber("topK", topK.Value);
        if (conversation.Seed is { Value: > int.MaxValue or < int.MinValue } large)
            throw Untranslatable(large.Field, "Gemini", "it takes 32 bits");
        if (conversation.Seed is { } seed)
            json.WriteNumber("seed", seed.Value);
        WriteNumber("presencePenalty", conversation.PresencePenalty);
        WriteNumber("frequencyPenalty", conversation.FrequencyPenalty);
        WriteStops(conversation.Stop);
        if (conversation.Format is { } format)
        {
            json.WriteString("responseMimeType", "application/json");
            if (format.Schema is not null)
            {
                json.WritePropertyName("responseJsonSchema");
                json.WriteRawValue(format.Schema);
            }
        }
        WriteThinking(conversation.Effort);
        json.WriteEndObject();
    }

    void WriteNumber(string name, Given<decimal>? given)
    {
        if (given is { } number)
            json.WriteNumber(name, number.Value);
    }

    void WriteStops(Given<IReadOnlyList<string>>? stops)
    {
        if (stops is not { } given || given.Value.Count == 0)
            return;
        if (given.Value.Count > MaxStops)
            throw Untranslatable(given.Field, "Gemini", $"it takes {MaxStops} at most");
        json.WriteStartArray("stopSequences");
        foreach (var stop in given.Value)
            json.WriteStringValue(stop);
        json.WriteEndArray();
    }

    /// <summary>Levels where the model has them; models before the third generation refuse levels, and those from it on still read a budget.</summary>
    void WriteThinking(Effort? effort)
    {
        if (effort is null)
            return;
        json.WriteStartObject("thinkingConfig");
        if (_isThird && effort.Level is { } level and not "none")
            json.WriteString("thinkingLevel", level.ToUpperInvariant());
        else
            json.WriteNumber("thinkingBudget", EffortBudgets.BudgetOf(effort) ?? throw Untranslatable(effort.Field, "Gemini"));
        if (effort.Shown)
            json.WriteBoolean("includeThoughts", true);
        json.WriteEndObject();
    }

    /// <summary>3 of <c>gemini-3-pro-preview</c>; 0 where the name does not say.</summary>
    static int GenerationOf(string model)
    {
        const string Family = "gemini-";
        var at = model.IndexOf(Family, StringComparison.OrdinalIgnoreCase);
        return at >= 0 && at + Family.Length < model.Length && char.IsAsciiDigit(model[at + Family.Length]) ? model[at + Family.Length] - '0' : 0;
    }
}
