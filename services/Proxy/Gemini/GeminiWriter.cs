using System.Buffers;
using System.Diagnostics.CodeAnalysis;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using LlmGateway.Contracts;
using LlmGateway.Proxy.Translation;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Proxy.Gemini;

/// <summary>
/// Writes an answer as <c>generateContent</c> does: chunks as server-sent events or as elements of one array, or a whole answer. The wire
/// has only whole function calls, so calls that arrive in pieces are kept until the end.
/// </summary>
[SuppressMessage("Design", "CA1001", Justification = "A writer that stands on a buffer holds nothing that must be given back.")]
public sealed class GeminiWriter(AnswerHead head) : AnswerWriter
{
    /// <summary>Most characters of arguments that are kept, of all calls together.</summary>
    public const int MaxArguments = 1024 * 1024;

    static readonly JsonWriterOptions Relaxed = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    readonly bool _asArray = head.Request.StreamsAsArray;
    readonly JsonEncodedText _model = JsonEncodedText.Encode(head.Model, JavaScriptEncoder.UnsafeRelaxedJsonEscaping);
    readonly List<Call> _calls = [];
    Utf8JsonWriter? _json;
    JsonEncodedText _id;
    int _kept;
    bool _begun;

    sealed class Call(int index, string id, string name, string? signature)
    {
        public int Index => index;
        public string Id => id;
        public string Name => name;
        public string? Signature => signature;
        public StringBuilder Arguments { get; } = new();
    }

    public override void Write(in AnswerEvent e, IBufferWriter<byte> to)
    {
        switch (e.Kind)
        {
            case AnswerEventKind.Start:
                NameAnswer(e.Id);
                break;
            case AnswerEventKind.ToolCall or AnswerEventKind.ToolArguments:
                Keep(e);
                break;
            case AnswerEventKind.Text or AnswerEventKind.Refusal or AnswerEventKind.Reasoning or AnswerEventKind.Signature
                or AnswerEventKind.Image when e.Text is { Length: > 0 }:
                var json = BeginChunk(to);
                if (e.Kind == AnswerEventKind.Image)
                    WriteImage(json, e);
                else
                    WritePart(json, e.Kind, e.Text);
                EndCandidate(json, null);
                EndChunk(json, to);
                break;
        }
    }

    public override void WriteEnd(in AnswerEvent stop, Usage settled, Money cost, IBufferWriter<byte> to)
    {
        var json = BeginChunk(to);
        var whole = WriteCalls(json, stop.Stop);
        if (_calls.Count == 0)
            WritePart(json, AnswerEventKind.Text, "");
        EndCandidate(json, ReasonOf(stop.Stop, whole));
        WriteUsage(json, settled, cost);
        EndChunk(json, to);
        if (_asArray)
            to.Write("]"u8);
    }

    public override void WriteFailure(Wire wire, Problem problem, string requestId, IBufferWriter<byte> to)
    {
        if (!_asArray)
        {
            wire.WriteStreamError(to, problem, requestId);
            return;
        }
        to.Write(_begun ? ",\n"u8 : "["u8);
        wire.WriteError(to, problem, requestId);
        to.Write("]"u8);
    }

    public override void WriteWhole(IReadOnlyList<AnswerEvent> events, Usage settled, Money cost, IBufferWriter<byte> to)
    {
        var json = Begin(to);
        var stop = AnswerEvent.Finished(StopReason.End);
        var (kind, words) = (AnswerEventKind.Start, new StringBuilder());
        foreach (var e in events)
        {
            if (e.Kind is AnswerEventKind.Start)
                NameAnswer(e.Id);
            else if (e.Kind is AnswerEventKind.Finish)
                stop = e;
            else if (e.Kind is AnswerEventKind.ToolCall or AnswerEventKind.ToolArguments)
                Keep(e);
            else if (e.Kind is AnswerEventKind.Image)
            {
                EndWords(json, kind, words);
                WriteImage(json, e);
            }
            else if (e.Kind is AnswerEventKind.Text or AnswerEventKind.Refusal or AnswerEventKind.Reasoning or AnswerEventKind.Signature)
            {
                if (e.Kind != kind)
                    EndWords(json, kind, words);
                kind = e.Kind;
                words.Append(e.Text);
            }
        }
        EndWords(json, kind, words);
        EndCandidate(json, ReasonOf(stop.Stop, WriteCalls(json, stop.Stop)));
        WriteUsage(json, settled, cost);
        End(json);
    }

    static void EndWords(Utf8JsonWriter json, AnswerEventKind kind, StringBuilder words)
    {
        if (words.Length > 0)
            WritePart(json, kind, words.ToString());
        words.Clear();
    }

    void Keep(in AnswerEvent e)
    {
        if (e.Kind == AnswerEventKind.ToolCall)
        {
            _calls.Add(new(e.Index, e.Id ?? CallIds.New(), e.Text!, e.Signature));
            return;
        }
        if ((_kept += e.Text!.Length) > MaxArguments)
            throw new IOException("the provider's function calls are too long to be translated");
        for (var i = _calls.Count - 1; i >= 0; i--)
        {
            if (_calls[i].Index != e.Index)
                continue;
            _calls[i].Arguments.Append(e.Text);
            return;
        }
    }

    /// <summary>False when a call broke off. Such a call is left out, because a function must not run on half of its arguments.</summary>
    bool WriteCalls(Utf8JsonWriter json, StopReason stop)
    {
        var whole = true;
        foreach (var call in _calls)
        {
            var arguments = Encoding.UTF8.GetBytes(
                call.Arguments.Length > 0 ? call.Arguments.ToString() : CallArguments.OfNone(stop, call == _calls[^1]));
            if (!IsObject(arguments))
            {
                whole = false;
                continue;
            }
            json.WriteStartObject();
            json.WriteStartObject("functionCall");
            json.WriteString("id", call.Id);
            json.WriteString("name", call.Name);
            json.WritePropertyName("args");
            json.WriteRawValue(arguments, skipInputValidation: true);
            json.WriteEndObject();
            if (call.Signature is { } signature)
                json.WriteString("thoughtSignature", signature);
            json.WriteEndObject();
        }
        return whole;
    }

    static bool IsObject(ReadOnlySpan<byte> json) => json.TrimStart(" \t\r\n"u8) is [(byte)'{', ..] && LenientJson.IsJson(json);

    static string ReasonOf(StopReason stop, bool callsAreWhole) =>
        StopReasons.WordsOf(stop).Gemini is var word && word == "STOP" && !callsAreWhole ? "MALFORMED_FUNCTION_CALL" : word;

    /// <summary>Adds the disjoint counts up again as this wire counts them.</summary>
    static void WriteUsage(Utf8JsonWriter json, Usage settled, Money cost)
    {
        var (input, output, thoughts) = (MeterReading.InputOf(settled), MeterReading.OutputOf(settled), settled[Meter.Reasoning]);
        json.WriteStartObject("usageMetadata");
        json.WriteNumber("promptTokenCount", input);
        json.WriteNumber("candidatesTokenCount", output - thoughts);
        json.WriteNumber("totalTokenCount", input + output);
        if (settled[Meter.CachedInput] > 0)
            json.WriteNumber("cachedContentTokenCount", settled[Meter.CachedInput]);
        if (thoughts > 0)
            json.WriteNumber("thoughtsTokenCount", thoughts);
        json.WriteString("cost", cost.ToString());
        json.WriteEndObject();
    }

    static void WriteImage(Utf8JsonWriter json, in AnswerEvent image)
    {
        json.WriteStartObject();
        json.WriteStartObject(image.Id is null ? "fileData" : "inlineData");
        if (image.Id is { } type)
            json.WriteString("mimeType", type);
        json.WriteString(image.Id is null ? "fileUri" : "data", image.Text);
        json.WriteEndObject();
        json.WriteEndObject();
    }

    static void WritePart(Utf8JsonWriter json, AnswerEventKind kind, string text)
    {
        json.WriteStartObject();
        json.WriteString("text"u8, kind == AnswerEventKind.Signature ? "" : text);
        if (kind is AnswerEventKind.Reasoning or AnswerEventKind.Signature)
            json.WriteBoolean("thought"u8, true);
        if (kind == AnswerEventKind.Signature)
            json.WriteString("thoughtSignature"u8, text);
        json.WriteEndObject();
    }

    Utf8JsonWriter BeginChunk(IBufferWriter<byte> to)
    {
        to.Write(!_asArray ? "data: "u8 : _begun ? ",\n"u8 : "["u8);
        _begun = true;
        return Begin(to);
    }

    /// <summary>Writes the answer up to the parts of its only candidate.</summary>
    Utf8JsonWriter Begin(IBufferWriter<byte> to)
    {
        if (_json is null)
            _json = new(to, Relaxed);
        else
            _json.Reset(to);
        _json.WriteStartObject();
        _json.WriteStartArray("candidates"u8);
        _json.WriteStartObject();
        _json.WriteStartObject("content"u8);
        _json.WriteStartArray("parts"u8);
        return _json;
    }

    static void EndCandidate(Utf8JsonWriter json, string? finishReason)
    {
        json.WriteEndArray();
        json.WriteString("role"u8, "model"u8);
        json.WriteEndObject();
        if (finishReason is not null)
            json.WriteString("finishReason"u8, finishReason);
        json.WriteNumber("index"u8, 0);
        json.WriteEndObject();
        json.WriteEndArray();
    }

    void EndChunk(Utf8JsonWriter json, IBufferWriter<byte> to)
    {
        End(json);
        if (!_asArray)
            to.Write("\n\n"u8);
    }

    void End(Utf8JsonWriter json)
    {
        json.WriteString("modelVersion"u8, _model);
        if (_id.EncodedUtf8Bytes.IsEmpty)
            NameAnswer(null);
        json.WriteString("responseId"u8, _id);
        json.WriteEndObject();
        json.Flush();
    }

    void NameAnswer(string? id) =>
        _id = JsonEncodedText.Encode(id is { Length: > 0 } ? id : head.RequestId, JavaScriptEncoder.UnsafeRelaxedJsonEscaping);
}
