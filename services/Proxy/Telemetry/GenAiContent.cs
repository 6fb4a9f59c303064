using System.Buffers;
using System.Diagnostics;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using LlmGateway.Proxy.Translation;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Proxy;

/// <summary>
/// Prompts and answers as attributes of a span (<c>gen_ai.input.messages</c>, <c>gen_ai.output.messages</c>), where
/// <see cref="GenAiSpan.ContentSetting"/> allows it. Conversations only; images stay out, and what is longer than
/// <see cref="MaxCharacters"/> is cut.
/// </summary>
/// <param name="wire">The provider's wire, in which its answer is read. Null when the answer is no conversation.</param>
public sealed class GenAiContent(ConversationWire? wire)
{
    /// <summary>Characters of all texts of one attribute together.</summary>
    public const int MaxCharacters = 64 * 1024;

    static readonly JsonWriterOptions Relaxed = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    readonly AnswerReader? _reader = wire?.NewReader();
    readonly List<AnswerEvent> _events = [];
    int _characters;

    public static void Ask(Activity span, ConversationWire wire, ModelRequest request, ReadOnlySpan<byte> body)
    {
        Conversation asked;
        try
        {
            asked = wire.Understand(body, request);
        }
        catch (ProblemException)
        {
            return; // it has something that only its own wire can say
        }
        var left = MaxCharacters;
        var system = asked.System;
        if (asked.System.Count > 0)
            span.SetTag("gen_ai.system_instructions", Json(json => WriteParts(json, system, ref left)));
        span.SetTag("gen_ai.input.messages", Json(json =>
        {
            json.WriteStartArray();
            foreach (var turn in asked.Turns)
                WriteMessage(json, turn.Speaker == Speaker.User ? "user" : "assistant", turn.Parts, null, ref left);
            json.WriteEndArray();
        }));
    }

    public void AddWhole(ReadOnlySpan<byte> answer) => _reader?.ReadWhole(answer, _events);

    public void Add(scoped SseEvent e)
    {
        if (_reader is null || _characters > MaxCharacters)
            return;
        var before = _events.Count;
        _reader.Read(e, _events);
        for (var i = before; i < _events.Count; i++)
            _characters += _events[i].Text?.Length ?? 0;
    }

    public void Tell(Activity span)
    {
        if (_events.Count == 0)
            return;
        var answer = WholeAnswer.Of(_events);
        List<Part> parts = [];
        if (answer.Reasoning is not null)
            parts.Add(new ReasoningPart(answer.Reasoning, null));
        if ((answer.Text ?? answer.Refusal) is { } text)
            parts.Add(new TextPart(text));
        parts.AddRange(answer.Calls);
        var left = MaxCharacters;
        span.SetTag("gen_ai.output.messages", Json(json =>
        {
            json.WriteStartArray();
            WriteMessage(json, "assistant", parts, StopReasons.WordsOf(answer.Stop).Chat, ref left);
            json.WriteEndArray();
        }));
    }

    static string Json(Action<Utf8JsonWriter> write)
    {
        var bytes = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(bytes, Relaxed))
            write(json);
        return Encoding.UTF8.GetString(bytes.WrittenSpan);
    }

    static void WriteMessage(Utf8JsonWriter json, string role, IEnumerable<Part> parts, string? finish, ref int left)
    {
        json.WriteStartObject();
        json.WriteString("role", role);
        json.WritePropertyName("parts");
        WriteParts(json, parts, ref left);
        if (finish is not null)
            json.WriteString("finish_reason", finish);
        json.WriteEndObject();
    }

    static void WriteParts(Utf8JsonWriter json, IEnumerable<Part> parts, ref int left)
    {
        json.WriteStartArray();
        foreach (var part in parts)
            WritePart(json, part, ref left);
        json.WriteEndArray();
    }

    static void WritePart(Utf8JsonWriter json, Part part, ref int left)
    {
        json.WriteStartObject();
        switch (part)
        {
            case TextPart text:
                json.WriteString("type", "text");
                json.WriteString("content", Cut(text.Text, ref left));
                break;
            case ReasoningPart reasoning:
                json.WriteString("type", "reasoning");
                json.WriteString("content", Cut(reasoning.Text, ref left));
                break;
            case ToolCallPart call:
                json.WriteString("type", "tool_call");
                json.WriteString("id", call.Id);
                json.WriteString("name", call.Name);
                json.WriteString("arguments", Cut(call.Arguments, ref left));
                break;
            case ToolResultPart result:
                json.WriteString("type", "tool_call_response");
                json.WriteString("id", result.CallId);
                json.WriteString("response", Cut(string.Concat(result.Content.OfType<TextPart>().Select(text => text.Text)), ref left));
                break;
            case ImagePart:
                json.WriteString("type", "image");
                break;
        }
        json.WriteEndObject();
    }

    static string Cut(string text, ref int left)
    {
        var cut = text.Length <= left ? text : text[..left];
        left -= cut.Length;
        return cut;
    }
}
