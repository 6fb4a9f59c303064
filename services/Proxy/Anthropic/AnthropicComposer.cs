using System.Buffers;
using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.RegularExpressions;
using LlmGateway.Proxy.Translation;
using static LlmGateway.Proxy.FieldErrors;

namespace LlmGateway.Proxy.Anthropic;

/// <summary>
/// Writes a <see cref="Conversation"/> as a request of this wire. The wire demands alternating speakers, tool results first in a turn, an
/// output limit, and no empty text. The composer makes each of these true. A value that the wire cannot express is refused.
/// </summary>
static partial class AnthropicComposer
{
    static readonly JsonWriterOptions Relaxed = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public static byte[] Compose(Conversation said, string upstreamModel, long outputLimit, bool stream)
    {
        Refuse(said);
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
            WriteSampling(json, said);
            WriteOutput(json, said, upstreamModel, outputLimit);
            json.WriteEndObject();
        }
        return body.WrittenSpan.ToArray();
    }

    static void Refuse(Conversation said)
    {
        if (said.Temperature is { Value: > 1 } temperature)
            throw Untranslatable(temperature.Field, AnthropicWire.WireName, "it takes at most 1");
        // A penalty of 0 is no penalty, so it can be left out.
        foreach (var penalty in (ReadOnlySpan<Given<decimal>?>)[said.FrequencyPenalty, said.PresencePenalty])
            if (penalty is { Value: not 0, Field: var field })
                throw Untranslatable(field, AnthropicWire.WireName);
        if (said.Seed is { } seed)
            throw Untranslatable(seed.Field, AnthropicWire.WireName);
        if (said.Format is { Schema: null } format)
            throw Untranslatable(format.Field, AnthropicWire.WireName, "it needs a schema");
    }

    static void WriteSystem(Utf8JsonWriter json, IReadOnlyList<string> system)
    {
        var texts = system.Where(text => !string.IsNullOrWhiteSpace(text)).ToList();
        if (texts.Count == 1)
            json.WriteString("system", texts[0]);
        if (texts.Count <= 1)
            return;
        json.WriteStartArray("system");
        foreach (var text in texts)
            WriteText(json, text);
        json.WriteEndArray();
    }

    static void WriteTurns(Utf8JsonWriter json, IReadOnlyList<Turn> turns)
    {
        json.WriteStartArray("messages");
        for (var first = 0; first < turns.Count;)
        {
            var next = first;
            while (next < turns.Count && turns[next].Speaker == turns[first].Speaker)
                next++;
            WriteTurn(json, turns.Skip(first).Take(next - first).ToList());
            first = next;
        }
        json.WriteEndArray();
    }

    /// <param name="turns">Neighbouring turns of one speaker.</param>
    static void WriteTurn(Utf8JsonWriter json, List<Turn> turns)
    {
        var parts = turns.SelectMany(turn => turn.Parts.Where(IsSaid).Select(part => (part, turn.Field)))
            .OrderBy(part => part.part is not ToolResultPart)
            .ToList();
        if (parts.Count == 0)
            return;
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
                WriteText(json, text.Text);
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

    static void WriteText(Utf8JsonWriter json, string text)
    {
        json.WriteStartObject();
        json.WriteString("type", "text");
        json.WriteString("text", text);
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
        json.WriteEndObject();
    }

    static void WriteResult(Utf8JsonWriter json, ToolResultPart result)
    {
        json.WriteStartObject();
        json.WriteString("type", "tool_result");
        json.WriteString("tool_use_id", result.CallId);
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
        // The wire has no place for a tool choice without tools. The choice has no effect, so it is left out.
        if (said.Tools.Count == 0)
            return;
        json.WriteStartArray("tools");
        foreach (var tool in said.Tools)
        {
            json.WriteStartObject();
            json.WriteString("name", tool.Name);
            if (tool.Description is { } description)
                json.WriteString("description", description);
            json.WritePropertyName("input_schema");
            json.WriteRawValue(tool.Schema ?? """{"type":"object"}""");
            if (tool.Strict)
                json.WriteBoolean("strict", true);
            json.WriteEndObject();
        }
        json.WriteEndArray();
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

    static void WriteSampling(Utf8JsonWriter json, Conversation said)
    {
        if (said.Temperature is { } temperature)
            json.WriteNumber("temperature", temperature.Value);
        if (said.TopP is { } topP)
            json.WriteNumber("top_p", topP.Value);
        if (said.TopK is { } topK)
            json.WriteNumber("top_k", topK.Value);
        if (said.Stop is not { } stop)
            return;
        json.WriteStartArray("stop_sequences");
        foreach (var sequence in stop.Value)
            json.WriteStringValue(sequence);
        json.WriteEndArray();
    }

    /// <summary>Writes how much the model is to think, and the form of the answer.</summary>
    static void WriteOutput(Utf8JsonWriter json, Conversation said, string model, long outputLimit)
    {
        var effort = said.Effort is { } asked && MayThink(said) ? asked : null;
        var level = effort is not null && TakesEffort(model) ? WriteAdaptive(json, effort) : null;
        if (effort is not null && !TakesEffort(model))
            WriteBudget(json, effort, outputLimit);
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
            json.WriteRawValue(format.Schema!);
            json.WriteEndObject();
        }
        json.WriteEndObject();
    }

    /// <summary>
    /// Serves models that decide themselves how much to think and take only an effort level. Returns the level, or null when none is to be
    /// sent.
    /// </summary>
    static string? WriteAdaptive(Utf8JsonWriter json, Effort effort)
    {
        var none = EffortBudgets.BudgetOf(effort) == 0;
        json.WriteStartObject("thinking");
        json.WriteString("type", none ? "disabled" : "adaptive");
        json.WriteEndObject();
        return none || effort.BudgetTokens < 0 ? null : EffortBudgets.LevelOf(effort);
    }

    /// <summary>
    /// Thoughts count toward the output limit. A budget that would leave no room for an answer is cut. One below the wire's minimum is left
    /// out.
    /// </summary>
    static void WriteBudget(Utf8JsonWriter json, Effort effort, long outputLimit)
    {
        var budget = Math.Min(EffortBudgets.BudgetOf(effort) is { } tokens and >= 0 ? tokens : long.MaxValue, outputLimit - 1);
        if (effort.BudgetTokens < 0)
            budget = Math.Min(budget, EffortBudgets.BudgetOf(effort with { BudgetTokens = null, Level = "high" })!.Value);
        if (budget < AnthropicRequest.MinThinking)
            return;
        json.WriteStartObject("thinking");
        json.WriteString("type", "enabled");
        json.WriteNumber("budget_tokens", budget);
        json.WriteEndObject();
    }

    /// <summary>
    /// While results of a tool call come in, the wire demands the thoughts that led to the call. Callers of other wires often cannot keep
    /// them, so the model then does not think.
    /// </summary>
    static bool MayThink(Conversation said)
    {
        if (said.Turns is not [.., var last] || !last.Parts.Any(part => part is ToolResultPart))
            return true;
        var answer = said.Turns.Reverse()
            .SkipWhile(turn => turn.Speaker == Speaker.User)
            .TakeWhile(turn => turn.Speaker == Speaker.Assistant);
        return answer.Any(turn => turn.Parts.Any(part => part is ReasoningPart { Signature.Length: > 0 }));
    }

    /// <summary>True for Claude 4.6 and later. Older models, and models of other vendors on this wire, take a budget.</summary>
    static bool TakesEffort(string model)
    {
        var match = ClaudeVersion().Match(model);
        if (!match.Success)
            return false;
        var minor = match.Groups[2].Success ? int.Parse(match.Groups[2].ValueSpan, CultureInfo.InvariantCulture) : 0;
        return (int.Parse(match.Groups[1].ValueSpan, CultureInfo.InvariantCulture), minor).CompareTo((4, 6)) >= 0;
    }

    // Names are like claude-opus-4-6, claude-3-7-sonnet-20250219 or anthropic/claude-sonnet-4.6. A number of more than two digits is a
    // date.
    [GeneratedRegex(@"claude(?:-[a-z]+)*-(\d{1,2})(?!\d)(?:[-.](\d{1,2})(?!\d))?")]
    private static partial Regex ClaudeVersion();
}
