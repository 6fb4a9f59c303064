using System.Text.Json;
using LlmGateway.Proxy.Translation;
using static LlmGateway.Proxy.FieldErrors;

namespace LlmGateway.Proxy.Chat;

/// <summary>Writes a <see cref="Conversation"/> as a request of the OpenAI chat wire.</summary>
sealed class ChatComposer(Conversation conversation, bool isImitated, Utf8JsonWriter json)
{
    public void WriteBody(string upstreamModel, long outputLimit, bool stream)
    {
        if (conversation.TopK is { } topK)
            conversation.LeftOut.Add(topK.Field);
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
        json.WriteNumber(isImitated ? "max_tokens" : "max_completion_tokens", outputLimit);
        if (!isImitated)
            json.WriteString("service_tier", "default");
        WriteSampling(upstreamModel);
        WriteTools();
        WriteFormat();
        // The wire says nothing for a model without a limit on thinking.
        if (conversation.Effort is { BudgetTokens: not -1 } effort)
            json.WriteString("reasoning_effort", OpenAiModels.LevelOf(upstreamModel, effort));
        // Servers that imitate this wire may refuse the member, and OpenAI's own default is the medium.
        if (conversation.Verbosity is { Value: not "medium" } verbosity)
            conversation.LeftOut.Add(verbosity.Field);
        json.WriteEndObject();
    }

    void WriteMessages()
    {
        json.WriteStartArray("messages");
        foreach (var text in conversation.System)
            WriteMessage("system", [text]);
        for (var (turns, i) = (conversation.Turns, 0); i < turns.Count;)
        {
            // Calls and the text before them form one message, because the results must follow it directly. So must all results.
            var first = i;
            while (i < turns.Count && turns[i].Speaker == turns[first].Speaker)
                i++;
            var said = turns.Skip(first).Take(i - first).ToList();
            if (said[0].Speaker == Speaker.User)
                WriteUser(said);
            else
                WriteAssistant(said.SelectMany(turn => turn.Parts).ToList(), said[0].Field);
        }
        json.WriteEndArray();
    }

    /// <summary>
    /// Results come first, next to their calls. Images in them follow in a message of the user, because results are text on this wire. It
    /// has no place for the failure of a tool (<see cref="ToolResultPart.IsError"/>) either; the result's text has to say so.
    /// </summary>
    /// <param name="turns">Neighbouring turns of the user.</param>
    void WriteUser(List<Turn> turns)
    {
        var shown = new List<Part>();
        foreach (var result in turns.SelectMany(turn => turn.Parts).OfType<ToolResultPart>())
        {
            var images = result.Content.OfType<ImagePart>().ToList();
            var texts = result.Content.Where(part => part is not ImagePart).ToList();
            if (images.Count > 0)
            {
                texts.Add(new TextPart(texts.Count == 0 ? $"The result is an image. {Behind}" : Behind));
                shown.Add(new TextPart($"Images of the result of '{result.CallId}':"));
                shown.AddRange(images);
            }
            json.WriteStartObject();
            json.WriteString("role", "tool");
            json.WriteString("tool_call_id", result.CallId);
            WriteContent(texts, result.Field);
            json.WriteEndObject();
        }
        if (shown.Count > 0)
            WriteMessage("user", shown, turns[0].Field);
        foreach (var turn in turns)
        {
            var said = turn.Parts.Where(part => part is not ToolResultPart).ToList();
            if (said.Count > 0 || turn.Parts.Count == 0)
                WriteMessage("user", said, turn.Field);
        }
    }

    const string Behind = "Its images are in the user's message behind the results.";

    /// <summary>
    /// Thoughts are said only before a call, to the provider that had said them itself (<see cref="ThoughtMark"/>). All others are left
    /// out: OpenAI refuses the member, and so do some servers that imitate it.
    /// </summary>
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
            WriteThoughts(parts);
            json.WriteStartArray("tool_calls");
            foreach (ToolCallPart call in calls)
                WriteCall(call);
            json.WriteEndArray();
        }
        json.WriteEndObject();
    }

    /// <summary>Gemini's callers send the mark behind the pieces of a thought, which have none.</summary>
    void WriteThoughts(List<Part> parts)
    {
        var thoughts = parts.OfType<ReasoningPart>().ToList();
        if (!isImitated || !thoughts.Exists(thought => ThoughtMark.IsMark(thought.Signature)))
            return;
        var own = thoughts.Where(thought => thought.Signature is null or "" || ThoughtMark.IsMark(thought.Signature));
        json.WriteString("reasoning_content", string.Concat(own.Select(thought => thought.Text)));
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

    /// <summary>A single text is written as a plain string, because some servers do not accept parts everywhere.</summary>
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
                    throw Untranslatable(field, "OpenAI chat");
            }
            json.WriteEndObject();
        }
        json.WriteEndArray();
    }

    void WriteSampling(string model)
    {
        OpenAiModels.WriteSampling(json, conversation, model, ("temperature", conversation.Temperature, 1), ("top_p", conversation.TopP, 1),
            ("frequency_penalty", conversation.FrequencyPenalty, 0), ("presence_penalty", conversation.PresencePenalty, 0));
        if (conversation.Seed is { } seed)
            json.WriteNumber("seed", seed.Value);
        if (conversation.Stop is not { Value.Count: > 0 } stop)
            return;
        json.WriteStartArray("stop");
        foreach (var sequence in stop.Value)
            json.WriteStringValue(sequence);
        json.WriteEndArray();
    }

    /// <summary>OpenAI refuses tool settings without tools.</summary>
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
            WriteRaw("parameters", JsonSchemas.OfTool(tool.Schema));
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
            if (format.Description is { } description)
                json.WriteString("description", description);
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
