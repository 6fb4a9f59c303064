using System.Text.Json;
using LlmGateway.Proxy.Translation;
using static LlmGateway.Proxy.FieldErrors;

namespace LlmGateway.Proxy.Responses;

/// <summary>
/// Writes a <see cref="Conversation"/> as a request of the Responses wire. The provider is told to store nothing, because nobody could ask
/// for it again.
/// </summary>
/// <param name="wire">Its name, for messages.</param>
sealed class ResponsesComposer(Conversation conversation, string wire, Utf8JsonWriter json)
{
    public void WriteBody(string upstreamModel, long outputLimit, bool stream)
    {
        LeaveOutUnsayable();
        json.WriteStartObject();
        json.WriteString("model", upstreamModel);
        if (conversation.System is [var instructions, ..])
            json.WriteString("instructions", instructions.Text);
        WriteInput();
        json.WriteNumber("max_output_tokens", outputLimit);
        json.WriteBoolean("store", false);
        json.WriteString("service_tier", "default");
        if (stream)
            json.WriteBoolean("stream", true);
        OpenAiModels.WriteSampling(
            json, conversation, upstreamModel, ("temperature", conversation.Temperature, 1), ("top_p", conversation.TopP, 1));
        foreach (var record in conversation.Records)
        {
            json.WritePropertyName(record.Field);
            json.WriteRawValue(record.Value);
        }
        WriteTools();
        WriteText();
        WriteEffort(upstreamModel);
        json.WriteEndObject();
    }

    void LeaveOutUnsayable()
    {
        // Where an answer ends is part of what it means.
        if (conversation.Stop is { Value.Count: > 0 } stop)
            throw Untranslatable(stop.Field, wire);
        foreach (var field in (ReadOnlySpan<string?>)[conversation.TopK?.Field, conversation.Seed?.Field])
            if (field is not null)
                conversation.LeftOut.Add(field);
        conversation.LeftOut.Add(conversation.FrequencyPenalty, plain: 0);
        conversation.LeftOut.Add(conversation.PresencePenalty, plain: 0);
    }

    void WriteInput()
    {
        json.WriteStartArray("input");
        foreach (var text in conversation.System.Skip(1))
            WriteMessage("system", [text], "");
        foreach (var turn in conversation.Turns)
            WriteTurn(turn);
        json.WriteEndArray();
    }

    /// <summary>
    /// Text between calls and results becomes a message of its own. Thoughts are left out, because only their own provider takes them back.
    /// This wire has no place for the failure of a tool (<see cref="ToolResultPart.IsError"/>); the result's text has to say so.
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

    /// <summary>OpenAI refuses tool settings without tools. <c>strict</c> is always written: its default on this wire is true.</summary>
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
            json.WriteRawValue(JsonSchemas.OfTool(tool.Schema), skipInputValidation: true);
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

    void WriteText()
    {
        if (conversation.Format is null && conversation.Verbosity is null)
            return;
        json.WriteStartObject("text");
        if (conversation.Verbosity is { } verbosity)
            json.WriteString("verbosity", verbosity.Value);
        if (conversation.Format is { } format)
            WriteFormat(format);
        json.WriteEndObject();
    }

    void WriteFormat(OutputFormat format)
    {
        json.WriteStartObject("format");
        json.WriteString("type", format.Schema is null ? "json_object" : "json_schema");
        if (format.Schema is { } schema)
        {
            // OpenAI demands a name.
            json.WriteString("name", format.Name ?? "answer");
            if (format.Description is { } description)
                json.WriteString("description", description);
            json.WritePropertyName("schema");
            json.WriteRawValue(schema, skipInputValidation: true);
            json.WriteBoolean("strict", format.Strict);
        }
        json.WriteEndObject();
    }

    void WriteEffort(string model)
    {
        if (conversation.Effort is not { } effort)
            return;
        json.WriteStartObject("reasoning");
        // The wire says nothing for a model without a limit on thinking.
        if (effort.BudgetTokens != -1)
            json.WriteString("effort", OpenAiModels.LevelOf(model, effort));
        if (effort.Shown)
            json.WriteString("summary", "auto");
        json.WriteEndObject();
    }
}
