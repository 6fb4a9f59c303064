using System.Text.Json;
using LlmGateway.Proxy.Translation;
using static LlmGateway.Proxy.FieldErrors;

namespace LlmGateway.Proxy.Responses;

/// <summary>Says in the words of the Responses wire what a caller of another wire asked for. Nothing is to be kept by the provider: nobody could ask for it again.</summary>
/// <param name="wire">Its name, for messages.</param>
sealed class ResponsesComposer(Conversation conversation, string wire, Utf8JsonWriter json)
{
    public void WriteBody(string upstreamModel, long outputLimit, bool stream)
    {
        RefuseUnsayable();
        json.WriteStartObject();
        json.WriteString("model", upstreamModel);
        if (conversation.System is [var instructions, ..])
            json.WriteString("instructions", instructions);
        WriteInput();
        json.WriteNumber("max_output_tokens", outputLimit);
        json.WriteBoolean("store", false);
        if (stream)
            json.WriteBoolean("stream", true);
        if (conversation.Temperature is { } temperature)
            json.WriteNumber("temperature", temperature.Value);
        if (conversation.TopP is { } topP)
            json.WriteNumber("top_p", topP.Value);
        WriteTools();
        WriteFormat();
        WriteEffort();
        json.WriteEndObject();
    }

    void RefuseUnsayable()
    {
        var field = conversation.TopK?.Field ?? conversation.Seed?.Field ?? conversation.FrequencyPenalty?.Field ?? conversation.PresencePenalty?.Field ?? conversation.Stop?.Field;
        if (field is not null)
            throw Untranslatable(field, wire);
    }

    void WriteInput()
    {
        json.WriteStartArray("input");
        foreach (var text in conversation.System.Skip(1))
            WriteMessage("system", [new TextPart(text)], "");
        foreach (var turn in conversation.Turns)
            WriteTurn(turn);
        json.WriteEndArray();
    }

    /// <summary>
    /// What was said between calls and results is a message of its own. Thoughts are left out: only their own provider takes them back. That a tool failed
    /// (<see cref="ToolResultPart.IsError"/>) is for its text to say: this wire has no place for it.
    /// </summary>
    void WriteTurn(Turn turn)
    {
        var role = turn.Speaker == Speaker.User ? "user" : "assistant";
        var said = new List<Part>();
        foreach (var part in turn.Parts)
        {
            if (part is TextPart or ImagePart)
            {
                said.Add(part);
                continue;
            }
            if (said.Count > 0)
                WriteMessage(role, said, turn.Field);
            said.Clear();
            if (part is ToolCallPart call)
                WriteCall(call);
            else if (part is ToolResultPart result)
                WriteResult(result);
        }
        if (said.Count > 0 || turn.Parts.Count == 0)
            WriteMessage(role, said, turn.Field);
    }

    void WriteMessage(string role, List<Part> parts, string field)
    {
        json.WriteStartObject();
        json.WriteString("role", role);
        WriteParts("content", parts, role == "assistant" ? "output_text" : "input_text", field);
        json.WriteEndObject();
    }

    void WriteCall(ToolCallPart call)
    {
        json.WriteStartObject();
        json.WriteString("type", "function_call");
        json.WriteString("call_id", call.Id);
        json.WriteString("name", call.Name);
        json.WriteString("arguments", call.Arguments);
        json.WriteEndObject();
    }

    void WriteResult(ToolResultPart result)
    {
        json.WriteStartObject();
        json.WriteString("type", "function_call_output");
        json.WriteString("call_id", result.CallId);
        WriteParts("output", result.Content, "input_text", result.Field);
        json.WriteEndObject();
    }

    void WriteParts(string member, IReadOnlyList<Part> parts, string textType, string field)
    {
        if (parts is [] or [TextPart])
        {
            json.WriteString(member, parts is [TextPart only] ? only.Text : "");
            return;
        }
        json.WriteStartArray(member);
        foreach (var part in parts)
        {
            json.WriteStartObject();
            switch (part)
            {
                case TextPart text:
                    json.WriteString("type", textType);
                    json.WriteString("text", text.Text);
                    break;
                case ImagePart image when textType == "input_text":
                    json.WriteString("type", "input_image");
                    json.WriteString("detail", "auto");
                    json.WriteString("image_url", image.Address());
                    break;
                default:
                    throw Untranslatable(part is ImagePart { Field: var at } ? at : field, wire);
            }
            json.WriteEndObject();
        }
        json.WriteEndArray();
    }

    /// <summary>OpenAI refuses what is said about tools where there are none. <c>strict</c> is always said: left out, it means true on this wire.</summary>
    void WriteTools()
    {
        if (conversation.Tools.Count == 0)
            return;
        json.WriteStartArray("tools");
        foreach (var tool in conversation.Tools)
        {
            json.WriteStartObject();
            json.WriteString("type", "function");
            json.WriteString("name", tool.Name);
            if (tool.Description is { } description)
                json.WriteString("description", description);
            json.WritePropertyName("parameters");
            json.WriteRawValue(tool.Schema ?? """{"type":"object","properties":{}}""", skipInputValidation: true);
            json.WriteBoolean("strict", tool.Strict);
            json.WriteEndObject();
        }
        json.WriteEndArray();
        if (conversation.ToolChoice is { Mode: ToolMode.One } one)
        {
            json.WriteStartObject("tool_choice");
            json.WriteString("type", "function");
            json.WriteString("name", one.Name);
            json.WriteEndObject();
        }
        else if (conversation.ToolChoice is { } choice)
            json.WriteString("tool_choice", choice.Mode switch { ToolMode.None => "none", ToolMode.Required => "required", _ => "auto" });
        if (conversation.ParallelTools is { } parallel)
            json.WriteBoolean("parallel_tool_calls", parallel.Value);
    }

    void WriteFormat()
    {
        if (conversation.Format is not { } format)
            return;
        json.WriteStartObject("text");
        json.WriteStartObject("format");
        json.WriteString("type", format.Schema is null ? "json_object" : "json_schema");
        if (format.Schema is { } schema)
        {
            // OpenAI demands a name.
            json.WriteString("name", format.Name ?? "answer");
            json.WritePropertyName("schema");
            json.WriteRawValue(schema, skipInputValidation: true);
            json.WriteBoolean("strict", format.Strict);
        }
        json.WriteEndObject();
        json.WriteEndObject();
    }

    void WriteEffort()
    {
        if (conversation.Effort is not { } effort)
            return;
        json.WriteStartObject("reasoning");
        // A model that thinks as much as it likes is one that is told nothing.
        if (effort.BudgetTokens != -1)
            json.WriteString("effort", EffortBudgets.LevelOf(effort));
        if (effort.Shown)
            json.WriteString("summary", "auto");
        json.WriteEndObject();
    }
}
