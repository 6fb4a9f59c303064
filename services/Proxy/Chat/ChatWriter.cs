using System.Buffers;
using System.Text;
using System.Text.Json;
using LlmGateway.Contracts;
using LlmGateway.Proxy.Translation;

namespace LlmGateway.Proxy.Chat;

/// <summary>
/// Writes an answer of another wire as chat chunks or as a whole completion. Signatures of thoughts have no place here and are left out.
/// </summary>
public sealed class ChatWriter(AnswerHead head) : AnswerWriter
{
    readonly JsonPen _pen = new();

    // The members around a delta, equal in every chunk.
    byte[]? _before, _after;

    // Whether the arguments of each call have begun.
    readonly List<bool> _calls = [];

    // The arguments of calls of free text so far, by call. The text is known when they are whole.
    readonly Dictionary<int, StringBuilder> _inputs = [];

    public override void Write(in AnswerEvent e, IBufferWriter<byte> to)
    {
        if (_before is null)
            Begin(e.Id is { } id && e.Kind == AnswerEventKind.Start ? id : null, to);
        switch (e.Kind)
        {
            case AnswerEventKind.Text:
                WriteDelta("\"content\":"u8, e.Text, to);
                break;
            case AnswerEventKind.Reasoning:
                WriteDelta("\"reasoning_content\":"u8, e.Text, to);
                break;
            case AnswerEventKind.Refusal:
                WriteDelta("\"refusal\":"u8, e.Text, to);
                break;
            case AnswerEventKind.Image:
                to.Write(_before);
                to.Write("\"images\":[{\"type\":\"image_url\",\"image_url\":{\"url\":"u8);
                _pen.WriteString(AddressOf(e), to);
                to.Write("}}]"u8);
                to.Write(_after);
                break;
            case AnswerEventKind.ToolCall:
                WriteCall(e, to);
                break;
            case AnswerEventKind.ToolArguments when e.Text is { Length: > 0 } piece:
                if (_inputs.TryGetValue(e.Index, out var input))
                    input.Append(piece);
                else
                    WriteArguments(e.Index, piece, to);
                break;
        }
    }

    public override void WriteEnd(in AnswerEvent stop, Usage settled, Money cost, IBufferWriter<byte> to)
    {
        if (_before is null)
            Begin(null, to);
        for (var call = 0; call < _calls.Count; call++)
            if (_inputs.TryGetValue(call, out var input))
                WritePiece(call, "custom\":{\"input"u8, ToolForms.InputOf(input.ToString()), to);
            else if (!_calls[call])
                WriteArguments(call, CallArguments.OfNone(stop.Stop, call == _calls.Count - 1), to);
        to.Write(_before);
        to.Write("},\"logprobs\":null,\"finish_reason\":"u8);
        _pen.WriteString(StopReasons.WordsOf(stop.Stop).Chat, to);
        to.Write("}]"u8);
        to.Write(head.Request.WantsUsage ? ",\"usage\":null}\n\n"u8 : "}\n\n"u8);
        if (head.Request.WantsUsage)
        {
            to.Write(_before.AsSpan(0, _before.AsSpan().LastIndexOf("{\"index\""u8)));
            to.Write("],\"usage\":"u8);
            var json = _pen.On(to);
            WriteUsage(json, settled, cost);
            json.Flush();
            to.Write("}\n\n"u8);
        }
        to.Write("data: [DONE]\n\n"u8);
    }

    public override void WriteWhole(IReadOnlyList<AnswerEvent> events, Usage settled, Money cost, IBufferWriter<byte> to)
    {
        var answer = WholeAnswer.Of(events);
        var json = _pen.On(to);
        json.WriteStartObject();
        json.WriteString("id", answer.Id ?? OwnId);
        json.WriteString("object", "chat.completion");
        json.WriteNumber("created", head.Created.ToUnixTimeSeconds());
        json.WriteString("model", head.Model);
        json.WriteStartArray("choices");
        json.WriteStartObject();
        json.WriteNumber("index", 0);
        WriteMessage(json, answer);
        json.WriteNull("logprobs");
        json.WriteString("finish_reason", StopReasons.WordsOf(answer.Stop).Chat);
        json.WriteEndObject();
        json.WriteEndArray();
        json.WritePropertyName("usage");
        WriteUsage(json, settled, cost);
        json.WriteEndObject();
        json.Flush();
    }

    string OwnId => $"chatcmpl-{head.RequestId}";

    void Begin(string? id, IBufferWriter<byte> to)
    {
        var before = new ArrayBufferWriter<byte>();
        before.Write("data: {\"id\":"u8);
        _pen.WriteString(id ?? OwnId, before);
        before.Write(",\"object\":\"chat.completion.chunk\",\"created\":"u8);
        JsonPen.WriteNumber(head.Created.ToUnixTimeSeconds(), before);
        before.Write(",\"model\":"u8);
        _pen.WriteString(head.Model, before);
        before.Write(",\"choices\":[{\"index\":0,\"delta\":{"u8);
        _before = before.WrittenSpan.ToArray();
        // A caller who asked for usage finds the member in every chunk.
        _after = head.Request.WantsUsage
            ? "},\"logprobs\":null,\"finish_reason\":null}],\"usage\":null}\n\n"u8.ToArray()
            : "},\"logprobs\":null,\"finish_reason\":null}]}\n\n"u8.ToArray();
        to.Write(_before);
        to.Write("\"role\":\"assistant\",\"content\":\"\",\"refusal\":null"u8);
        to.Write(_after);
    }

    void WriteDelta(ReadOnlySpan<byte> member, string? text, IBufferWriter<byte> to)
    {
        if (text is not { Length: > 0 })
            return;
        to.Write(_before);
        to.Write(member);
        _pen.WriteString(text, to);
        to.Write(_after);
    }

    void WriteCall(in AnswerEvent e, IBufferWriter<byte> to)
    {
        while (_calls.Count <= e.Index)
            _calls.Add(false);
        to.Write(_before);
        to.Write("\"tool_calls\":[{\"index\":"u8);
        JsonPen.WriteNumber(e.Index, to);
        to.Write(",\"id\":"u8);
        _pen.WriteString(e.Id ?? "", to);
        var isText = e.Tool?.Form == ToolForm.Text;
        if (isText)
            _inputs[e.Index] = new();
        to.Write(isText ? ",\"type\":\"custom\",\"custom\":{\"name\":"u8 : ",\"type\":\"function\",\"function\":{\"name\":"u8);
        _pen.WriteString(e.Text ?? "", to);
        to.Write(isText ? ",\"input\":\"\"}"u8 : ",\"arguments\":\"\"}"u8);
        if (e.Signature is { } signature)
        {
            to.Write(",\"extra_content\":{\"google\":{\"thought_signature\":"u8);
            _pen.WriteString(signature, to);
            to.Write("}}"u8);
        }
        to.Write("}]"u8);
        to.Write(_after);
    }

    void WriteArguments(int call, string piece, IBufferWriter<byte> to)
    {
        _calls[call] = true;
        WritePiece(call, "function\":{\"arguments"u8, piece, to);
    }

    /// <param name="members">The names around the piece, without their outer quotes.</param>
    void WritePiece(int call, ReadOnlySpan<byte> members, string piece, IBufferWriter<byte> to)
    {
        to.Write(_before);
        to.Write("\"tool_calls\":[{\"index\":"u8);
        JsonPen.WriteNumber(call, to);
        to.Write(",\""u8);
        to.Write(members);
        to.Write("\":"u8);
        _pen.WriteString(piece, to);
        to.Write("}}]"u8);
        to.Write(_after);
    }

    static void WriteMessage(Utf8JsonWriter json, WholeAnswer answer)
    {
        json.WriteStartObject("message");
        json.WriteString("role", "assistant");
        json.WriteString("content", answer.Text);
        json.WriteString("refusal", answer.Refusal);
        if (answer.Reasoning is { } reasoning)
            json.WriteString("reasoning_content", reasoning);
        if (answer.Images.Count > 0)
            WriteImages(json, answer.Images);
        if (answer.Calls.Count > 0)
        {
            json.WriteStartArray("tool_calls");
            for (var call = 0; call < answer.Calls.Count; call++)
                WriteCall(json, answer.Calls[call], answer.Tools[call]);
            json.WriteEndArray();
        }
        json.WriteEndObject();
    }

    static void WriteCall(Utf8JsonWriter json, ToolCallPart call, Tool? tool)
    {
        var isText = tool?.Form == ToolForm.Text;
        json.WriteStartObject();
        json.WriteString("id", call.Id);
        json.WriteString("type", isText ? "custom" : "function");
        json.WriteStartObject(isText ? "custom" : "function");
        json.WriteString("name", call.Name);
        if (isText)
            json.WriteString("input", ToolForms.InputOf(call.Arguments));
        else
            json.WriteString("arguments", call.Arguments);
        json.WriteEndObject();
        // Google's own chat wire gives the signature of a call's thoughts here.
        if (call.Signature is { } signature)
        {
            json.WriteStartObject("extra_content");
            json.WriteStartObject("google");
            json.WriteString("thought_signature", signature);
            json.WriteEndObject();
            json.WriteEndObject();
        }
        json.WriteEndObject();
    }

    /// <summary>OpenRouter's member, because OpenAI's own wire has no images in answers.</summary>
    static void WriteImages(Utf8JsonWriter json, IReadOnlyList<AnswerEvent> images)
    {
        json.WriteStartArray("images");
        foreach (var image in images)
        {
            json.WriteStartObject();
            json.WriteString("type", "image_url");
            json.WriteStartObject("image_url");
            json.WriteString("url", AddressOf(image));
            json.WriteEndObject();
            json.WriteEndObject();
        }
        json.WriteEndArray();
    }

    static string AddressOf(in AnswerEvent image) => image.Id is { } type ? DataUrl.Of(type, image.Text) : image.Text!;

    /// <summary>Writes the settled counts as this wire defines them: details are part of their wholes.</summary>
    static void WriteUsage(Utf8JsonWriter json, Usage settled, Money cost)
    {
        var (input, output) = (MeterReading.InputOf(settled), MeterReading.OutputOf(settled));
        json.WriteStartObject();
        json.WriteNumber("prompt_tokens", input);
        json.WriteNumber("completion_tokens", output);
        json.WriteNumber("total_tokens", input + output);
        json.WriteStartObject("prompt_tokens_details");
        json.WriteNumber("cached_tokens", settled[Meter.CachedInput]);
        json.WriteNumber("audio_tokens", settled[Meter.AudioInput]);
        if (settled[Meter.CacheWrite5m] + settled[Meter.CacheWrite1h] is > 0 and var written)
            json.WriteNumber("cache_write_tokens", written);
        json.WriteEndObject();
        json.WriteStartObject("completion_tokens_details");
        json.WriteNumber("reasoning_tokens", settled[Meter.Reasoning]);
        json.WriteNumber("audio_tokens", settled[Meter.AudioOutput]);
        json.WriteEndObject();
        json.WriteString("cost", cost.ToString());
        json.WriteEndObject();
    }
}
