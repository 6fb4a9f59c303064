using System.Buffers;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using LlmGateway.Proxy.Translation;
using static LlmGateway.Proxy.FieldErrors;

namespace LlmGateway.Proxy.Gemini;

/// <summary>Writes a <see cref="Conversation"/> as a request of the Gemini wire.</summary>
sealed class GeminiComposer(Utf8JsonWriter json, string model)
{
    /// <summary>
    /// Gemini 3 refuses a function call of an earlier turn without its signature, and the caller's wire may have lost it. This value is
    /// what Google documents for calls from elsewhere (ai.google.dev/gemini-api/docs/thought-signatures). A real signature is always
    /// preferred.
    /// </summary>
    public const string NoSignature = "skip_thought_signature_validator";

    const int MaxStops = 5;
    const string Opening = "(The conversation goes on.)";
    const decimal MaxTemperature = 2;

    static readonly JsonWriterOptions Relaxed = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>Tokens of thoughts, as ai.google.dev/gemini-api/docs/thinking lists them.</summary>
    const int MinProBudget = 128, MaxProBudget = 32_768, MaxBudget = 24_576;

    readonly bool _isPro = model.Contains("-pro", StringComparison.OrdinalIgnoreCase);

    /// <summary>Models of the third generation and later take thinking levels and demand signed calls.</summary>
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
        // The older generations refuse JSON answers beside functions. There the schema is told in words.
        if (!_isThird && conversation is { Format: { } format, Tools.Count: > 0 })
        {
            var shape = format.Schema is null ? "" : $", of this schema: {format.Schema}";
            var instruction = new TextPart($"Unless you call a function, answer with one JSON object and nothing else{shape}");
            conversation = conversation with { Format = null, System = [.. conversation.System, instruction] };
        }
        json.WriteStartObject();
        if (conversation.System.Count > 0)
        {
            json.WriteStartObject("systemInstruction");
            json.WriteStartArray("parts");
            foreach (var text in conversation.System)
                WriteText(text.Text);
            json.WriteEndArray();
            json.WriteEndObject();
        }
        WriteTurns(conversation.Turns);
        WriteTools(conversation);
        WriteConfig(conversation, outputLimit);
        json.WriteEndObject();
    }

    /// <summary>
    /// Neighbouring turns of one speaker are joined: Google demands alternating turns, and all responses to parallel calls in one turn.
    /// </summary>
    void WriteTurns(IReadOnlyList<Turn> turns)
    {
        json.WriteStartArray("contents");
        // Google demands that the user speaks first.
        if (turns is not [{ Speaker: Speaker.User }, ..])
            turns = [new(Speaker.User, [new TextPart(Opening)], ""), .. turns];
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
                case TextPart { Text.Length: > 0 } text: WriteText(text.Text); break;
                case ImagePart image: WriteImage(image); break;
                case ToolCallPart call: WriteCall(call, isFirst: calls++ == 0); break;
                case ToolResultPart result: WriteResult(result); break;
                // Thoughts of earlier turns are left out: a signature may be another provider's, and thoughts without one have no use.
                case ReasoningPart: break;
            }
        }
        // A part must have something in it.
        if (turn.Parts.All(part => part is ReasoningPart or TextPart { Text: "" }))
            WriteText(" ");
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
        json.WriteString(
            "mimeType",
            image.MediaType
                ?? (image.Url is null ? throw Untranslatable(image.Field, "Gemini", "the image's type is missing") : TypeOf(image.Url)));
        json.WriteString(image.Url is null ? "data" : "fileUri", image.Url ?? image.Base64);
        json.WriteEndObject();
        json.WriteEndObject();
    }

    /// <summary>Gemini demands the media type of a remote image. Most images on the web are of this type.</summary>
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

    /// <summary>Models may write arguments that are no object. Those are passed on under a name.</summary>
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
        json.WriteString(
            "name",
            result.Name
                ?? throw Untranslatable(
                    result.Field, "Gemini", "no call with its id stands before it, and Gemini needs the function's name"));
        json.WriteStartObject("response");
        json.WriteString(result.IsError ? "error" : "output", string.Concat(result.Content.OfType<TextPart>().Select(text => text.Text)));
        json.WriteEndObject();
        // Results of functions are texts before the third generation. Their images follow them.
        var images = result.Content.OfType<ImagePart>().ToList();
        if (_isThird && images.Count > 0)
        {
            json.WriteStartArray("parts");
            foreach (var image in images)
                WriteImage(image);
            json.WriteEndArray();
        }
        json.WriteEndObject();
        json.WriteEndObject();
        if (!_isThird)
            images.ForEach(WriteImage);
    }

    void WriteTools(Conversation conversation)
    {
        if (conversation.ParallelTools is { Value: false } parallel && conversation.Tools.Count > 0)
            conversation.LeftOut.Add(parallel.Field);
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
        // Google knows strict schemas only as a mode of all functions. A forced call obeys them anyway.
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
            json.WriteRawValue(JsonSchemas.OfGemini(tool.Schema));
        }
        json.WriteEndObject();
    }

    void WriteConfig(Conversation conversation, long outputLimit)
    {
        json.WriteStartObject("generationConfig");
        json.WriteNumber("maxOutputTokens", outputLimit);
        if (conversation.Temperature is { Value: > MaxTemperature } hot)
        {
            conversation.LeftOut.Add(hot.Field);
            json.WriteNumber("temperature", MaxTemperature);
        }
        else
            WriteNumber("temperature", conversation.Temperature);
        WriteNumber("topP", conversation.TopP);
        if (conversation.TopK is { } topK)
            json.WriteNumber("topK", topK.Value);
        // Google's seeds have 32 bits. The same seed stays the same.
        if (conversation.Seed is { } seed)
            json.WriteNumber("seed", unchecked((int)seed.Value));
        WriteNumber("presencePenalty", conversation.PresencePenalty);
        WriteNumber("frequencyPenalty", conversation.FrequencyPenalty);
        WriteStops(conversation.Stop);
        if (conversation.Format is { } format)
        {
            json.WriteString("responseMimeType", "application/json");
            if (format.Schema is not null)
            {
                json.WritePropertyName("responseJsonSchema");
                json.WriteRawValue(JsonSchemas.OfGemini(format.Schema));
            }
        }
        WriteThinking(conversation.Effort);
        json.WriteEndObject();
        if (conversation.Verbosity is { Value: not "medium" } verbosity)
            conversation.LeftOut.Add(verbosity.Field);
        if (conversation.Format?.Description is not null)
            conversation.LeftOut.Add("description");
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

    /// <summary>
    /// Writes a level for models that have levels. Models before the third generation refuse levels; later ones still accept a budget.
    /// </summary>
    void WriteThinking(Effort? effort)
    {
        if (effort is null)
            return;
        json.WriteStartObject("thinkingConfig");
        // Pro models always think.
        if (_isThird && (effort.Level is { } || (_isPro && effort.BudgetTokens == 0)))
        {
            var level = EffortBudgets.LevelOf(effort);
            // Gemini 3 Pro has two levels. Google itself takes the medium for the higher one.
            level = level == "medium" && model.Contains("gemini-3-pro", StringComparison.OrdinalIgnoreCase)
                ? "high"
                : EffortBudgets.Held(level, _isPro ? ["low", "medium", "high"] : ["minimal", "low", "medium", "high"]);
            json.WriteString("thinkingLevel", level.ToUpperInvariant());
        }
        else
            json.WriteNumber("thinkingBudget", BudgetOf(effort));
        if (effort.Shown)
            json.WriteBoolean("includeThoughts", true);
        json.WriteEndObject();
    }

    /// <summary>-1 is no limit, 0 no thoughts. Pro models need some, and each family has its most.</summary>
    int BudgetOf(Effort effort)
    {
        var budget = EffortBudgets.BudgetOf(effort) ?? -1;
        if (budget < 0)
            return budget;
        return _isPro ? Math.Clamp(budget, MinProBudget, MaxProBudget) : Math.Min(budget, MaxBudget);
    }

    /// <summary>The generation in the model's name: 3 for <c>gemini-3-pro-preview</c>; 0 when the name has none.</summary>
    static int GenerationOf(string model)
    {
        const string Family = "gemini-";
        var at = model.IndexOf(Family, StringComparison.OrdinalIgnoreCase);
        return at >= 0 && at + Family.Length < model.Length && char.IsAsciiDigit(model[at + Family.Length])
            ? model[at + Family.Length] - '0'
            : 0;
    }
}
