using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Proxy.OpenAi;

/// <summary>
/// A stream of chat chunks on its way from provider to caller. Bytes pass through untouched but for what we must change: usage that only we asked for is
/// hidden, usage that the caller asked for gets its cost, CRLF becomes LF. The end of the stream (last usage and <c>[DONE]</c>) is withheld until
/// <see cref="WriteTail"/>, so that no caller sees an end that has not been settled.
/// </summary>
/// <remarks>
/// Order of calls: <see cref="Push"/> for what the provider sends, <see cref="End"/> when it has sent all or broke off, then <see cref="WriteTail"/> if
/// <see cref="IsWhole"/> holds, else <see cref="WriteFailure"/>. Memory is bounded by one event, see <see cref="SseReader.MaxEventBytes"/>.
/// </remarks>
public sealed class ChatRelay(ChatRequest request, int maxEventBytes = SseReader.MaxEventBytes) : IDisposable
{
    readonly SseReader _events = new(maxEventBytes);

    // The last event with usage, for callers who want it, split where its cost goes; it is the end of the stream unless another event follows.
    ArrayBufferWriter<byte>? _held;
    int _costAt;
    bool _heldHasChoices, _heldUsageIsEmpty;

    // Of the first chunk, for a usage chunk of our own.
    byte[]? _first;

    /// <summary>What was learned from the chunks so far.</summary>
    public ChatMeter Meter { get; } = new();

    /// <summary><c>[DONE]</c> was seen. What follows it is ignored.</summary>
    public bool IsDone { get; private set; }

    /// <summary>The provider finished every answer, without an error on the way; a stream that breaks off after that is complete.</summary>
    public bool IsWhole => !Meter.ErrorSeen && (IsDone || Meter.FinishedChoices >= request.Choices);

    /// <summary>Takes bytes of the provider in any pieces and writes what may go to the caller at once.</summary>
    public void Push(ReadOnlySpan<byte> upstream, IBufferWriter<byte> toCaller)
    {
        while (!IsDone && _events.TryRead(ref upstream, out var e))
            Pass(e, toCaller);
    }

    /// <summary>The provider's side has ended. A last event without its blank line is passed if it can be read; half an event is dropped.</summary>
    public void End(IBufferWriter<byte> toCaller)
    {
        if (IsDone || !_events.TryReadRest(out var rest) || !rest.HasData)
            return;
        if (IsDoneMark(rest.Data) || IsJson(rest.Data))
            Pass(rest, toCaller);
    }

    /// <summary>Ends the stream after the request has been settled: usage with its cost for callers who asked for it, then <c>[DONE]</c>.</summary>
    public void WriteTail(IBufferWriter<byte> toCaller, Usage settled, Money cost)
    {
        // The counts that a caller sees are those that were charged.
        if (request.WantsUsage && (_held is null || !(_heldHasChoices || Meter.UsageIsBelieved)))
            HoldOwnUsage(settled);
        if (_held is not null)
        {
            toCaller.Write(_held.WrittenSpan[.._costAt]);
            toCaller.Write(_heldUsageIsEmpty ? "\"cost\":\""u8 : ",\"cost\":\""u8);
            Span<byte> amount = stackalloc byte[32];
            toCaller.Write(amount[..Encoding.UTF8.GetBytes(cost.ToString(), amount)]);
            toCaller.Write("\""u8);
            toCaller.Write(_held.WrittenSpan[_costAt..]);
        }
        toCaller.Write("data: [DONE]\n\n"u8);
    }

    /// <summary>Ends a stream that broke off: an error event, which OpenAI's clients raise, if the provider sent none; then <c>[DONE]</c>.</summary>
    public void WriteFailure(IBufferWriter<byte> toCaller, Problem problem, string requestId)
    {
        ReleaseHeld(toCaller);
        if (!Meter.ErrorSeen)
            WriteError(toCaller, problem, requestId);
        toCaller.Write("data: [DONE]\n\n"u8);
    }

    public void Dispose() => _events.Dispose();

    static readonly JsonWriterOptions Relaxed = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    static void WriteError(IBufferWriter<byte> toCaller, Problem problem, string requestId)
    {
        toCaller.Write("data: "u8);
        using (var json = new Utf8JsonWriter(toCaller, Relaxed))
        {
            json.WriteStartObject();
            json.WriteStartObject("error");
            json.WriteString("message", problem.Message);
            json.WriteString("type", problem.Type);
            json.WriteString("code", problem.Code);
            json.WriteString("param", problem.Param);
            json.WriteEndObject();
            json.WriteNumber("status", problem.Status);
            json.WriteString("requestId", requestId);
            json.WriteEndObject();
        }
        toCaller.Write("\n\n"u8);
    }

    void Pass(SseEvent e, IBufferWriter<byte> toCaller)
    {
        if (e.IsOversize)
        {
            Meter.SeeUnread(e.Raw);
            toCaller.Write(e.Raw);
            return;
        }
        if (!e.HasData)
        {
            Write(toCaller, e, default, default);
            return;
        }
        IsDone = IsDoneMark(e.Data);
        if (IsDone)
            return;

        var piece = Meter.See(e.Data);
        if (_heldHasChoices)
            ReleaseHeld(toCaller);
        if (request.WantsUsage && _first is null && piece.IsJson)
            _first = e.Data.ToArray();
        PassChunk(e, piece, toCaller);
    }

    void PassChunk(SseEvent e, ChatPiece piece, IBufferWriter<byte> toCaller)
    {
        var hasUsage = piece.IsJson && piece.Usage.Length > 0;
        if (!hasUsage || (request.WantsUsage && !piece.UsageIsObject))
            Write(toCaller, e, e.Data, default);
        else if (request.WantsUsage)
            Hold(e, piece);
        else if (piece.HasChoices || piece.UsageIsNull)
        {
            var (start, end) = piece.Cut(e.Data);
            Write(toCaller, e, e.Data[..start], e.Data[end..]);
        }
    }

    /// <summary>Keeps an event back until it is known whether it is the last one with usage.</summary>
    void Hold(SseEvent e, ChatPiece piece)
    {
        _held ??= new ArrayBufferWriter<byte>();
        _held.ResetWrittenCount();
        var brace = piece.Usage.Start + piece.Usage.Length - 1;
        WriteHead(_held, e, e.Data[..brace]);
        _costAt = _held.WrittenCount;
        WriteRest(_held, e, e.Data[brace..]);
        _heldHasChoices = piece.HasChoices;
        _heldUsageIsEmpty = e.Data[piece.Usage.Start..brace].TrimEnd(" \t\r\n"u8) is [(byte)'{'];
    }

    /// <summary>Another chunk follows, or a failure: an event with words goes out as it is, one with nothing but outdated usage is dropped.</summary>
    void ReleaseHeld(IBufferWriter<byte> toCaller)
    {
        if (_heldHasChoices)
            toCaller.Write(_held!.WrittenSpan);
        (_held, _heldHasChoices) = (null, false);
    }

    /// <summary>The usage chunk that a provider owed: with the settled counts and the identity of the first chunk.</summary>
    void HoldOwnUsage(Usage settled)
    {
        _held = new ArrayBufferWriter<byte>();
        var (input, output) = (MeterReading.InputOf(settled), MeterReading.OutputOf(settled));
        _held.Write("data: {"u8);
        CopyIdentity(_first ?? "{}"u8.ToArray(), _held);
        _held.Write(Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture,
            $"\"choices\":[],\"usage\":{{\"prompt_tokens\":{input},\"completion_tokens\":{output},\"total_tokens\":{input + output}")));
        _costAt = _held.WrittenCount;
        _held.Write("}}\n\n"u8);
        _heldUsageIsEmpty = false;
    }

    static void CopyIdentity(ReadOnlySpan<byte> chunk, ArrayBufferWriter<byte> to)
    {
        var reader = new Utf8JsonReader(chunk);
        reader.Read();
        while (reader.NextMember())
        {
            var start = (int)reader.TokenStartIndex;
            var isIdentity = reader.Has("id"u8) || reader.Has("object"u8) || reader.Has("created"u8) || reader.Has("model"u8);
            reader.Read();
            reader.StepOver();
            if (!isIdentity)
                continue;
            to.Write(chunk[start..(int)reader.BytesConsumed]);
            to.Write(","u8);
        }
    }

    static bool IsDoneMark(ReadOnlySpan<byte> data) => data.Trim(" \t"u8).SequenceEqual("[DONE]"u8);

    static bool IsJson(ReadOnlySpan<byte> data)
    {
        try
        {
            var reader = new Utf8JsonReader(data);
            while (reader.Read())
                reader.StepOver();
            return true;
        }
        catch (JsonException)
        {
            return false;
        }
    }

    /// <summary>Writes an event with its data given in two parts.</summary>
    static void Write(IBufferWriter<byte> to, SseEvent e, ReadOnlySpan<byte> head, ReadOnlySpan<byte> rest)
    {
        // The fast path: most events go out as they came.
        if (e.IsComplete && head.Length == e.Data.Length && !e.Raw.Contains((byte)'\r'))
        {
            to.Write(e.Raw);
            return;
        }
        WriteHead(to, e, head);
        WriteRest(to, e, rest);
    }

    static void WriteHead(IBufferWriter<byte> to, SseEvent e, ReadOnlySpan<byte> data)
    {
        if (e.DataStart >= 0)
            WriteWithLf(to, e.Raw[..e.DataStart]);
        else if (e.HasData)
            to.Write("data: "u8);
        WriteLines(to, data);
    }

    static void WriteRest(IBufferWriter<byte> to, SseEvent e, ReadOnlySpan<byte> data)
    {
        WriteLines(to, data);
        if (!e.HasData)
            WriteWithLf(to, e.Raw);
        else if (e.DataStart >= 0 && e.IsComplete)
            WriteWithLf(to, e.Raw[(e.DataStart + e.Data.Length)..]);
        else
            to.Write("\n\n"u8);
    }

    /// <summary>Data that was joined from several lines takes several lines again.</summary>
    static void WriteLines(IBufferWriter<byte> to, ReadOnlySpan<byte> data)
    {
        for (int feed; (feed = data.IndexOf((byte)'\n')) >= 0; data = data[(feed + 1)..])
        {
            to.Write(data[..feed]);
            to.Write("\ndata: "u8);
        }
        to.Write(data);
    }

    static void WriteWithLf(IBufferWriter<byte> to, ReadOnlySpan<byte> lines)
    {
        for (int carriage; (carriage = lines.IndexOf("\r\n"u8)) >= 0; lines = lines[(carriage + 1)..])
            to.Write(lines[..carriage]);
        to.Write(lines);
    }
}
