using System.Buffers;
using System.Diagnostics.CodeAnalysis;
using System.Text.Encodings.Web;
using System.Text.Json;
using LlmGateway.Contracts;
using LlmGateway.Proxy.Translation;

namespace LlmGateway.Proxy.Anthropic;

/// <summary>
/// Writes an answer in this wire: numbered blocks, one after the other. Only tool calls whose arguments arrive interleaved are open at the
/// same time; clients tell them apart by number.
/// </summary>
[SuppressMessage("Design", "CA1001", Justification = "The JSON writer holds nothing between two events.")]
public sealed class AnthropicWriter(AnswerHead head) : AnswerWriter
{
    /// <summary>Most tool calls of one answer.</summary>
    const int MaxCalls = 1024;

    static readonly JsonWriterOptions Relaxed = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, SkipValidation = true };

    readonly Utf8JsonWriter _json = new(Stream.Null, Relaxed);
    readonly List<ToolBlock> _calls = [];

    // The open block of text or thoughts. Tool calls keep their own state.
    AnswerEventKind? _open;
    int _openBlock, _blocks;
    bool _started, _refused;

    /// <summary>A call's block, and how far its arguments have come.</summary>
    sealed class ToolBlock(int call, int block)
    {
        public readonly int Call = call, Block = block;
        public bool IsOpen = true;
        public JsonEnd End;
    }

    public override string? Refuses(in AnswerEvent e) => e.Kind == AnswerEventKind.Image
        ? "The model answered with an image, which this API has no place for. The chat, Responses and Gemini APIs have one."
        : base.Refuses(e);

    public override void Write(in AnswerEvent e, IBufferWriter<byte> to)
    {
        Start(e.Id, e.Kind, to);
        switch (e.Kind)
        {
            case AnswerEventKind.Text or AnswerEventKind.Refusal when e.Text is { Length: > 0 }:
                _refused |= e.Kind == AnswerEventKind.Refusal;
                Open(AnswerEventKind.Text, to);
                WritePiece(_openBlock, "text_delta", "text", e.Text, to);
                break;
            case AnswerEventKind.Reasoning when e.Text is { Length: > 0 }:
                Open(AnswerEventKind.Reasoning, to);
                WritePiece(_openBlock, "thinking_delta", "thinking", e.Text, to);
                break;
            case AnswerEventKind.Signature when e.Text is { Length: > 0 }:
                Open(AnswerEventKind.Reasoning, to);
                WritePiece(_openBlock, "signature_delta", "signature", e.Text, to);
                // A signature belongs to the thoughts before it and ends them.
                WriteBlockStop(_openBlock, to);
                _open = null;
                break;
            case AnswerEventKind.ToolCall:
                OpenCall(e, to);
                break;
            case AnswerEventKind.ToolArguments when e.Text is { Length: > 0 } && Find(e.Index) is { IsOpen: true } call:
                call.End.See(e.Text);
                WritePiece(call.Block, "input_json_delta", "partial_json", e.Text, to);
                break;
        }
    }

    public override void WriteEnd(in AnswerEvent stop, Usage settled, Money cost, IBufferWriter<byte> to)
    {
        Start(null, AnswerEventKind.Finish, to);
        CloseAll(to, evenUnfinished: true);
        Begin("message_delta"u8, to);
        _json.WriteString("type", "message_delta");
        _json.WriteStartObject("delta");
        WriteStop(stop, _calls.Count > 0, _refused);
        _json.WriteEndObject();
        WriteUsage(settled, cost);
        Complete(to);
        to.Write("event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"u8);
    }

    public override void WriteWhole(IReadOnlyList<AnswerEvent> events, Usage settled, Money cost, IBufferWriter<byte> to)
    {
        var answer = AnthropicBlocks.Of(events);
        _json.Reset(to);
        _json.WriteStartObject();
        WriteMessageHead(answer.Id);
        _json.WriteStartArray("content");
        foreach (var block in answer.Blocks)
            block.Write(_json);
        _json.WriteEndArray();
        WriteStop(answer.Stop, answer.HasCalls, answer.IsRefused);
        WriteUsage(settled, cost);
        _json.WriteEndObject();
        _json.Flush();
    }

    /// <summary>The counts are known only at the end. Clients take them from there.</summary>
    void Start(string? id, AnswerEventKind kind, IBufferWriter<byte> to)
    {
        if (_started)
            return;
        _started = true;
        Begin("message_start"u8, to);
        _json.WriteString("type", "message_start");
        _json.WriteStartObject("message");
        WriteMessageHead(kind == AnswerEventKind.Start ? id : null);
        _json.WriteStartArray("content");
        _json.WriteEndArray();
        _json.WriteNull("stop_reason");
        _json.WriteNull("stop_sequence");
        WriteUsage(new Usage(), null);
        _json.WriteEndObject();
        Complete(to);
    }

    void WriteMessageHead(string? id)
    {
        _json.WriteString("id", id is { Length: > 0 } ? id : head.RequestId);
        _json.WriteString("type", "message");
        _json.WriteString("role", "assistant");
        _json.WriteString("model", head.Model);
    }

    void Open(AnswerEventKind kind, IBufferWriter<byte> to)
    {
        if (_open == kind)
            return;
        CloseAll(to, evenUnfinished: false);
        (_open, _openBlock) = (kind, _blocks++);
        BeginBlock(_openBlock, to);
        _json.WriteString("type", kind == AnswerEventKind.Text ? "text" : "thinking");
        _json.WriteString(kind == AnswerEventKind.Text ? "text" : "thinking", "");
        if (kind == AnswerEventKind.Reasoning)
            _json.WriteString("signature", "");
        _json.WriteEndObject();
        Complete(to);
    }

    void OpenCall(in AnswerEvent e, IBufferWriter<byte> to)
    {
        if (_calls.Count == MaxCalls)
            throw new IOException("the answer has too many tool calls");
        CloseAll(to, evenUnfinished: false);
        var call = new ToolBlock(e.Index, _blocks++);
        _calls.Add(call);
        BeginBlock(call.Block, to);
        _json.WriteString("type", "tool_use");
        _json.WriteString("id", e.Id);
        _json.WriteString("name", e.Text);
        _json.WriteStartObject("input");
        _json.WriteEndObject();
        _json.WriteEndObject();
        Complete(to);
    }

    ToolBlock? Find(int index)
    {
        for (var i = _calls.Count - 1; i >= 0; i--)
            if (_calls[i].Call == index)
                return _calls[i];
        return null;
    }

    /// <param name="evenUnfinished">Also tool calls whose arguments are not complete, because no more will come.</param>
    void CloseAll(IBufferWriter<byte> to, bool evenUnfinished)
    {
        if (_open is not null)
            WriteBlockStop(_openBlock, to);
        _open = null;
        foreach (var call in _calls)
        {
            if (!call.IsOpen || !(evenUnfinished || call.End.Reached))
                continue;
            call.IsOpen = false;
            WriteBlockStop(call.Block, to);
        }
    }

    void WritePiece(int block, string type, string member, string text, IBufferWriter<byte> to)
    {
        Begin("content_block_delta"u8, to);
        _json.WriteString("type", "content_block_delta");
        _json.WriteNumber("index", block);
        _json.WriteStartObject("delta");
        _json.WriteString("type", type);
        _json.WriteString(member, text);
        _json.WriteEndObject();
        Complete(to);
    }

    void BeginBlock(int block, IBufferWriter<byte> to)
    {
        Begin("content_block_start"u8, to);
        _json.WriteString("type", "content_block_start");
        _json.WriteNumber("index", block);
        _json.WriteStartObject("content_block");
    }

    void WriteBlockStop(int block, IBufferWriter<byte> to)
    {
        Begin("content_block_stop"u8, to);
        _json.WriteString("type", "content_block_stop");
        _json.WriteNumber("index", block);
        Complete(to);
    }

    void WriteStop(in AnswerEvent stop, bool hasCalls, bool isRefused)
    {
        // Some wires only report that the model has finished.
        var reason = stop.Stop != StopReason.End ? stop.Stop
            : hasCalls ? StopReason.ToolCalls
            : isRefused ? StopReason.Filtered
            : StopReason.End;
        _json.WriteString("stop_reason", StopReasons.WordsOf(reason).Messages);
        _json.WriteString("stop_sequence", stop.Stop == StopReason.StopSequence ? stop.Text : null);
    }

    /// <param name="cost">Null at the start, where the cost is not known yet.</param>
    void WriteUsage(Usage settled, Money? cost)
    {
        _json.WriteStartObject("usage");
        _json.WriteNumber("input_tokens", settled[Meter.Input] + settled[Meter.AudioInput] + settled[Meter.ImageInput]);
        _json.WriteNumber("cache_creation_input_tokens", settled[Meter.CacheWrite5m] + settled[Meter.CacheWrite1h]);
        _json.WriteNumber("cache_read_input_tokens", settled[Meter.CachedInput]);
        if (settled[Meter.CacheWrite1h] > 0)
        {
            _json.WriteStartObject("cache_creation");
            _json.WriteNumber("ephemeral_5m_input_tokens", settled[Meter.CacheWrite5m]);
            _json.WriteNumber("ephemeral_1h_input_tokens", settled[Meter.CacheWrite1h]);
            _json.WriteEndObject();
        }
        _json.WriteNumber("output_tokens", MeterReading.OutputOf(settled));
        if (settled[Meter.Reasoning] > 0)
        {
            _json.WriteStartObject("output_tokens_details");
            _json.WriteNumber("thinking_tokens", settled[Meter.Reasoning]);
            _json.WriteEndObject();
        }
        if (cost is { } paid)
            _json.WriteString("cost", paid.ToString());
        _json.WriteEndObject();
    }

    void Begin(ReadOnlySpan<byte> name, IBufferWriter<byte> to)
    {
        to.Write("event: "u8);
        to.Write(name);
        to.Write("\ndata: "u8);
        _json.Reset(to);
        _json.WriteStartObject();
    }

    void Complete(IBufferWriter<byte> to)
    {
        _json.WriteEndObject();
        _json.Flush();
        to.Write("\n\n"u8);
    }
}

/// <summary>Finds the end of a JSON object that comes in pieces.</summary>
struct JsonEnd
{
    int _depth;
    bool _inString, _escaped;

    /// <summary>The object is complete.</summary>
    public bool Reached { get; private set; }

    public void See(string piece)
    {
        foreach (var c in piece)
        {
            if (_inString)
            {
                _inString = c != '"' || _escaped;
                _escaped = c == '\\' && !_escaped;
                continue;
            }
            _inString = c == '"';
            _depth += c is '{' or '[' ? 1 : c is '}' or ']' ? -1 : 0;
            Reached |= _depth == 0 && c is '}';
        }
    }
}
