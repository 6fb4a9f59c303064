using System.Text.Json;
using LlmGateway.Proxy.Translation;
using static LlmGateway.Proxy.FieldErrors;

namespace LlmGateway.Proxy.Chat;

/// <summary>Says in the words of the OpenAI chat wire what a caller of another wire asked for.</summary>
/// <param name="wire">Its name, for messages.</param>
sealed class ChatComposer(Conversation conversation, string wire, Utf8JsonWriter json)
{
    /// <param name="limitMember">What the provider calls the output limit.</param>
    public void WriteBody(string upstreamModel, long outputLimit, string limitMember, bool stream)
    {
        if (conversation.TopK is { } topK)
            throw Untranslatable(topK.Field, wire);
        json.WriteStartObject();
        json.WriteString("model", upstreamModel);
        WriteMessages();
        if (stream)
        {
            json.WriteBoolean("stream", true);
            json.WriteStartObject("stream_options");
            json.WriteBoolean("include_usage", true);
            json.WriteEndObject();
        }
        json.WriteNumber(limitMember, outputLimit);
        WriteSampling();
        WriteTools();
        WriteFormat();
        // A model that thinks as much as it likes is one that is told nothing.
        if (conversation.Effort is { BudgetTokens: not -1 } effort)
            json.WriteString("reasoning_effort", EffortBudgets.LevelOf(effort));
        json.WriteEndObject();
    }

    void WriteMessages()
    {
        json.WriteStartArray("messages");
        foreach (var text in conversation.System)
            WriteMessage("system", [new TextPart(text)]);
        var turns = conversation.Turns;
        for (var i = 0; i < turns.Count; i++)
        {
            if (turns[i].Speaker == Speaker.User)
            {
                WriteUser(turns[i]);
                continue;
            }
            // Calls and what was said before them are one message: the results must follow at once.
            var parts = new List<Part>(turns[i].Parts);
            while (i + 1 < turns.Count && turns[i + 1].Speaker == Speaker.Assistant)
                parts.AddRange(turns[++i].Parts);
            WriteAssistant(parts, turns[i].Field);
        }
        json.WriteEndArray();
    }

    /// <summary>Results stand first, next to their calls. That a tool failed (<see cref="ToolResultPart.IsError"/>) is for its text to say: this wire has no place for it.</summary>
    void WriteUser(Turn turn)
    {
        var said = new List<Part>();
        foreach (var part in turn.Parts)
        {
            if (part is not ToolResultPart result)
            {
                said.Add(part);
                continue;
            }
            json.WriteStartObject();
            json.WriteString("role", "tool");
            json.WriteString("tool_call_id", result.CallId);
            foreach (var image in result.Content.OfType<ImagePart>())
                throw Untranslatable(image.Field, wire, "results of tools are text there");
            WriteContent(result.Content, result.Field);
            json.WriteEndObject();
        }
        if (said.Count > 0 || turn.Parts.Count == 0)
            WriteMessage("user", said, turn.Field);
    }

    /// <summary>Thoughts are left out: OpenAI refuses the member that some of its imitators have for them.</summary>
    void WriteAssistant(List<Part> parts, string field)
    {
        var said = parts.FindAll(part => part is not (ToolCallPart or ReasoningPart));
        var calls = parts.FindAll(part => part is ToolCallPart);
        if (said.Count == 0 && calls.Count == 0)
            return;
        json.WriteStartObject();
        json.WriteString("role", "assistant");
        if (said.Count > 0)
            WriteContent(said, field);
        else
            json.WriteNull("content");
        if (calls.Count > 0)
        {
            json.WriteStartArray("tool_calls");
            foreach (ToolCallPart call in calls)
                WriteCall(call);
            json.WriteEndArray();
        }
        json.WriteEndObject();
    }

    void WriteCall(ToolCallPart call)
    {
        json.WriteStartObject();
        json.WriteString("id", call.Id);
        json.WriteString("type", "function");
        json.WriteStartObject("function");
        json.WriteString("name", call.Name);
        json.WriteString("arguments", call.Arguments);
        json.WriteEndObject();
        json.WriteEndObject();
    }

    void WriteMessage(string role, List<Part> parts, string field = "")
    {
        json.WriteStartObject();
        json.WriteString("role", role);
        WriteContent(parts, field);
        json.WriteEndObject();
    }

    /// <summary>One text is a plain string: not every server takes parts everywhere.</summary>
    void WriteContent(IReadOnlyList<Part> parts, string field)
    {
        if (parts is [] or [TextPart])
        {
            json.WriteString("content", parts is [TextPart only] ? only.Text : "");
            return;
        }
        json.WriteStartArray("content");
        foreach (var part in parts)
        {
            json.WriteStartObject();
            switch (part)
            {
                case TextPart text:
                    json.WriteString("type", "text");
                    json.WriteString("text", text.Text);
                    break;
                case ImagePart image:
                    json.WriteString("type", "image_url");
                    json.WriteStartObject("image_url");
                    json.WriteString("url", image.Address());
                    json.WriteEndObject();
                    break;
                default:
                    throw Untranslatable(field, wire);
            }
            json.WriteEndObject();
        }
        json.WriteEndArray();
    }

    void WriteSampling()
    {
        WriteNumber("temperature", conversation.Temperature);
        WriteNumber("top_p", conversation.TopP);
        WriteNumber("frequency_penalty", conversation.FrequencyPenalty);
        WriteNumber("presence_penalty", conversation.PresencePenalty);
        if (conversation.Seed is { } seed)
            json.WriteNumber("seed", seed.Value);
        if (conversation.Stop is not { Value.Count: > 0 } stop)
            return;
        json.WriteStartArray("stop");
        foreach (var sequence in stop.Value)
            json.WriteStringValue(sequence);
        json.WriteEndArray();
    }

    void WriteNumber(string name, Given<decimal>? number)
    {
        if (number is { } given)
            json.WriteNumber(name, given.Value);
    }

    /// <summary>OpenAI refuses what is said about tools where there are none.</summary>
    void WriteTools()
    {
        if (conversation.Tools.Count == 0)
            return;
        json.WriteStartArray("tools");
        foreach (var tool in conversation.Tools)
        {
            json.WriteStartObject();
            json.WriteString("type", "function");
            json.WriteStartObject("function");
            json.WriteString("name", tool.Name);
            if (tool.Description is { } description)
                json.WriteString("description", description);
            if (tool.Schema is { } schema)
                WriteRaw("parameters", schema);
            if (tool.Strict)
                json.WriteBoolean("strict", true);
            json.WriteEndObject();
            json.WriteEndObject();
        }
        json.WriteEndArray();
        WriteToolChoice();
        if (conversation.ParallelTools is { } parallel)
            json.WriteBoolean("parallel_tool_calls", parallel.Value);
    }

    void WriteToolChoice()
    {
        if (conversation.ToolChoice is not { } choice)
            return;
        if (choice.Mode != ToolMode.One)
        {
            json.WriteString("tool_choice", choice.Mode switch { ToolMode.None => "none", ToolMode.Required => "required", _ => "auto" });
            return;
        }
        json.WriteStartObject("tool_choice");
        json.WriteString("type", "function");
        json.WriteStartObject("function");
        json.WriteString("name", choice.Name);
        json.WriteEndObject();
        json.WriteEndObject();
    }

    void WriteFormat()
    {
        if (conversation.Format is not { } format)
            return;
        json.WriteStartObject("response_format");
        json.WriteString("type", format.Schema is null ? "json_object" : "json_schema");
        if (format.Schema is { } schema)
        {
            json.WriteStartObject("json_schema");
            // OpenAI demands a name.
            json.WriteString("name", format.Name ?? "answer");
            WriteRaw("schema", schema);
            if (format.Strict)
                json.WriteBoolean("strict", true);
            json.WriteEndObject();
        }
        json.WriteEndObject();
    }

    void WriteRaw(string name, string value)
    {
        json.WritePropertyName(name);
        json.WriteRawValue(value, skipInputValidation: true);
    }
}
