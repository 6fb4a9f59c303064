using System.Buffers;
using System.Text;
using System.Text.Json;
using LlmGateway.Contracts;
using LlmGateway.Proxy.Translation;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Proxy.Responses;

/// <summary>
/// Writes an answer of another wire as events of the Responses wire, or as a whole response. This wire sends every text three times: in
/// pieces, at the end of its item and at the end of the response. So the answer is kept, up to <see cref="MaxAnswerBytes"/>.
/// </summary>
public sealed class ResponsesWriter(AnswerHead head) : AnswerWriter
{
    /// <summary>No model's answer is near this size.</summary>
    const int MaxAnswerBytes = 32 * 1024 * 1024;

    readonly JsonPen _pen = new();
    readonly ArrayBufferWriter<byte> _piece = new(256);
    readonly List<OutputItem> _items = [];
    readonly List<OutputItem> _calls = [];

    // The open message or thoughts. Calls stay open beside them, because their arguments may arrive interleaved.
    OutputItem? _open;

    string? _id;
    int _sequence, _bytes;

    public override string? Refuses(in AnswerEvent e) => e is { Kind: AnswerEventKind.Image, Id: null }
        ? "The model answered with the address of an image. This API has a place for images alone."
        : base.Refuses(e);

    public override void Write(in AnswerEvent e, IBufferWriter<byte> to)
    {
        if (_id is null)
            Begin(to);
        switch (e.Kind)
        {
            case AnswerEventKind.Text:
                Say(OutputKind.Text, e.Text, to);
                break;
            case AnswerEventKind.Reasoning:
                Say(OutputKind.Reasoning, e.Text, to);
                break;
            case AnswerEventKind.Refusal:
                Say(OutputKind.Refusal, e.Text, to);
                break;
            case AnswerEventKind.Signature:
                Sign(e.Text, to);
                break;
            case AnswerEventKind.Image when e.Text is { Length: > 0 } image:
                CloseOpen(to);
                _bytes += image.Length;
                if (_bytes > MaxAnswerBytes)
                    throw new IOException("the answer is too large to be told in this wire");
                var shown = Open(OutputKind.Image, null, null, to);
                shown.Add(Encoding.UTF8.GetBytes(image));
                WriteItemDone(shown, to);
                break;
            case AnswerEventKind.ToolCall:
                CloseOpen(to);
                var kind = e.Tool?.Form switch
                {
                    null or ToolForm.Function => OutputKind.Call,
                    ToolForm.Text => OutputKind.TextCall,
                    _ => OutputKind.BuiltInCall,
                };
                var call = Open(kind, e.Id, e.Text, to, e.Tool);
                while (_calls.Count <= e.Index)
                    _calls.Add(call);
                _calls[e.Index] = call;
                break;
            case AnswerEventKind.ToolArguments when e.Text is { Length: > 0 } piece:
                if (_calls[e.Index].Kind == OutputKind.Call)
                    WriteDelta(_calls[e.Index], piece, to);
                else
                    _calls[e.Index].Arguments.Append(piece);
                break;
        }
    }

    public override void WriteEnd(in AnswerEvent stop, Usage settled, Money cost, IBufferWriter<byte> to)
    {
        var isWhole = StopReasons.WordsOf(stop.Stop).Responses is null;
        CloseAll(to, isWhole);
        var json = BeginEvent(isWhole ? "response.completed" : "response.incomplete", to);
        json.WritePropertyName("response");
        WriteResponse(json, isWhole ? "completed" : "incomplete", StopReasons.WordsOf(stop.Stop).Responses, settled, cost);
        EndEvent(json, to);
    }

    public override void WriteFailure(Wire wire, Problem problem, string requestId, IBufferWriter<byte> to) =>
        wire.WriteStreamError(to, problem, requestId, _sequence);

    /// <summary>The same items as in a stream, without its events.</summary>
    public override void WriteWhole(IReadOnlyList<AnswerEvent> events, Usage settled, Money cost, IBufferWriter<byte> to)
    {
        var (unsaid, reason) = (new ArrayBufferWriter<byte>(), (string?)null);
        foreach (var e in events)
        {
            Write(e, unsaid);
            unsaid.ResetWrittenCount();
            if (e.Kind == AnswerEventKind.Finish)
                reason = StopReasons.WordsOf(e.Stop).Responses;
        }
        CloseAll(unsaid, isWhole: reason is null);
        var json = _pen.On(to);
        WriteResponse(json, reason is null ? "completed" : "incomplete", reason, settled, cost);
        json.Flush();
    }

    /// <summary>The id is the gateway's own, under which the response may be kept.</summary>
    void Begin(IBufferWriter<byte> to)
    {
        _id = $"{Ids.Response}{head.RequestId.AsSpan(Ids.Request.Length)}";
        foreach (var type in (ReadOnlySpan<string>)["response.created", "response.in_progress"])
        {
            var json = BeginEvent(type, to);
            json.WritePropertyName("response");
            WriteResponse(json, "in_progress", null, null, default);
            EndEvent(json, to);
        }
    }

    void Say(OutputKind kind, string? text, IBufferWriter<byte> to)
    {
        if (text is not { Length: > 0 })
            return;
        if (_open?.Kind != kind)
        {
            CloseOpen(to);
            _open = Open(kind, null, null, to);
        }
        WriteDelta(_open!, text, to);
    }

    /// <summary>
    /// A signature belongs to the thoughts before it and ends them. Without thoughts before it, it stands for thoughts that are not shown.
    /// </summary>
    void Sign(string? signature, IBufferWriter<byte> to)
    {
        if (_open?.Kind != OutputKind.Reasoning)
        {
            CloseOpen(to);
            _open = Open(OutputKind.Reasoning, null, null, to);
        }
        _open!.Signature = signature;
        CloseOpen(to);
    }

    OutputItem Open(OutputKind kind, string? callId, string? name, IBufferWriter<byte> to, Tool? tool = null)
    {
        var item = new OutputItem(kind, _id!, _items.Count, callId, name, tool);
        _items.Add(item);
        var json = BeginEvent("response.output_item.added", to);
        json.WriteNumber("output_index", item.Index);
        json.WritePropertyName("item");
        item.Write(json, isDone: false);
        EndEvent(json, to);
        return item;
    }

    void WriteDelta(OutputItem item, string piece, IBufferWriter<byte> to)
    {
        if (item.HasNoText && item.PartAdded is { } added)
            WritePart(added, item, to);
        _piece.ResetWrittenCount();
        _pen.WriteString(piece, _piece);
        item.Add(_piece.WrittenSpan[1..^1]);
        _bytes += _piece.WrittenCount;
        if (_bytes > MaxAnswerBytes)
            throw new IOException("the answer is too large to be told in this wire");
        to.Write(item.BeforeSequence);
        JsonPen.WriteNumber(_sequence++, to);
        to.Write(item.BeforeDelta);
        to.Write(_piece.WrittenSpan);
        to.Write(item.AfterDelta);
    }

    /// <param name="isWhole">False when the answer was cut off. What was being said then, and a call without all of its arguments, are
    /// not complete: a function must not run on half of them.</param>
    void CloseAll(IBufferWriter<byte> to, bool isWhole)
    {
        if (_id is null)
            Begin(to);
        if (_open is { } open)
            open.IsCut = !isWhole;
        CloseOpen(to);
        foreach (var call in _calls)
        {
            call.IsCut = !isWhole && CallArguments.IsCut(call.ArgumentsSoFar(), isLast: call == _calls[^1]);
            Close(call, to);
        }
    }

    void CloseOpen(IBufferWriter<byte> to)
    {
        if (_open is { } open)
            Close(open, to);
        _open = null;
    }

    void Close(OutputItem item, IBufferWriter<byte> to)
    {
        if (item.Kind == OutputKind.Call && item.HasNoText && !item.IsCut)
            WriteDelta(item, "{}", to);
        // The text stands in the arguments of a function, so it is known when those are whole.
        if (item.Kind == OutputKind.TextCall)
            WriteDelta(item, ToolForms.InputOf(item.Arguments.ToString()), to);
        if (!item.HasNoText)
        {
            var done = BeginEvent(item.TextDone, to);
            WriteAddress(done, item);
            done.WritePropertyName(item.TextMember);
            item.WriteText(done);
            if (item.Kind == OutputKind.Text)
                WriteEmptyArray(done, "logprobs");
            EndEvent(done, to);
            if (item.PartDone is { } partDone)
                WritePart(partDone, item, to);
        }
        WriteItemDone(item, to);
    }

    void WriteItemDone(OutputItem item, IBufferWriter<byte> to)
    {
        var json = BeginEvent("response.output_item.done", to);
        json.WriteNumber("output_index", item.Index);
        json.WritePropertyName("item");
        item.Write(json, isDone: true);
        EndEvent(json, to);
    }

    void WritePart(string type, OutputItem item, IBufferWriter<byte> to)
    {
        var json = BeginEvent(type, to);
        WriteAddress(json, item);
        json.WritePropertyName("part");
        item.WritePart(json);
        EndEvent(json, to);
    }

    static void WriteAddress(Utf8JsonWriter json, OutputItem item)
    {
        json.WriteString("item_id", item.Id);
        json.WriteNumber("output_index", item.Index);
        if (item.PartIndexMember is { } member)
            json.WriteNumber(member, 0);
    }

    Utf8JsonWriter BeginEvent(string type, IBufferWriter<byte> to)
    {
        to.Write("event: "u8);
        to.Write(Encoding.ASCII.GetBytes(type));
        to.Write("\ndata: "u8);
        var json = _pen.On(to);
        json.WriteStartObject();
        json.WriteString("type", type);
        json.WriteNumber("sequence_number", _sequence++);
        return json;
    }

    static void EndEvent(Utf8JsonWriter json, IBufferWriter<byte> to)
    {
        json.WriteEndObject();
        json.Flush();
        to.Write("\n\n"u8);
    }

    /// <summary>The response as known so far. Members that clients look for and that have no meaning here have their defaults.</summary>
    /// <param name="settled">Null until the end.</param>
    void WriteResponse(Utf8JsonWriter json, string status, string? incompleteReason, Usage? settled, Money cost)
    {
        json.WriteStartObject();
        json.WriteString("id", _id);
        json.WriteString("object", "response");
        json.WriteNumber("created_at", head.Created.ToUnixTimeSeconds());
        json.WriteString("status", status);
        json.WriteBoolean("background", false);
        json.WriteNull("error");
        if (incompleteReason is null)
            json.WriteNull("incomplete_details");
        else
        {
            json.WriteStartObject("incomplete_details");
            json.WriteString("reason", incompleteReason);
            json.WriteEndObject();
        }
        json.WriteNull("instructions");
        if (head.Request.MaxTokens is { } limit)
            json.WriteNumber("max_output_tokens", limit);
        else
            json.WriteNull("max_output_tokens");
        json.WriteString("model", head.Model);
        json.WriteStartArray("output");
        foreach (var item in _items)
            if (settled is not null)
                item.Write(json, isDone: true);
        json.WriteEndArray();
        json.WriteBoolean("parallel_tool_calls", true);
        json.WriteNull("previous_response_id");
        json.WriteBoolean("store", false);
        json.WriteNull("temperature");
        json.WriteString("tool_choice", "auto");
        WriteEmptyArray(json, "tools");
        json.WriteNull("top_p");
        json.WriteString("truncation", "disabled");
        json.WritePropertyName("usage");
        if (settled is null)
            json.WriteNullValue();
        else
            WriteUsage(json, settled, cost);
        json.WriteStartObject("metadata");
        json.WriteEndObject();
        json.WriteEndObject();
    }

    /// <summary>Writes the settled counts as this wire defines them: details are part of their wholes.</summary>
    static void WriteUsage(Utf8JsonWriter json, Usage settled, Money cost)
    {
        var (input, output) = (MeterReading.InputOf(settled), MeterReading.OutputOf(settled));
        json.WriteStartObject();
        json.WriteNumber("input_tokens", input);
        json.WriteStartObject("input_tokens_details");
        json.WriteNumber("cached_tokens", settled[Meter.CachedInput]);
        if (settled[Meter.CacheWrite5m] + settled[Meter.CacheWrite1h] is > 0 and var written)
            json.WriteNumber("cache_write_tokens", written);
        json.WriteEndObject();
        json.WriteNumber("output_tokens", output);
        json.WriteStartObject("output_tokens_details");
        json.WriteNumber("reasoning_tokens", settled[Meter.Reasoning]);
        json.WriteEndObject();
        json.WriteNumber("total_tokens", input + output);
        json.WriteString("cost", cost.ToString());
        json.WriteEndObject();
    }

    static void WriteEmptyArray(Utf8JsonWriter json, string name)
    {
        json.WriteStartArray(name);
        json.WriteEndArray();
    }
}
