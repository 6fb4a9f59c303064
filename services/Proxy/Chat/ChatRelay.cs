using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Json;
using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Proxy.Chat;

/// <summary>
/// A stream of chunks between a caller and a provider that both speak OpenAI's chat, or the wire before it. Bytes pass through untouched but for what we must change: usage that only we asked for is
/// hidden, usage that the caller asked for gets its cost, CRLF becomes LF. Withheld is the last usage and <c>[DONE]</c>.
/// </summary>
/// <param name="meter">One of its own, which reads the words of the wire at hand: chat or the one before it.</param>
public sealed class ChatRelay(ModelRequest request, ChatMeter meter, int maxEventBytes = SseReader.MaxEventBytes) : StreamRelay
{
    readonly SseReader _events = new(maxEventBytes);

    // The last event with usage, for callers who want it. It is the end of the stream unless another event follows.
    WithheldTail _tail;
    bool _tailHasChoices;

    // The first chunk: a usage chunk of our own takes its identity.
    byte[]? _first;

    bool _isDone;

    public override AnswerMeter Meter => meter;

    public override bool IsDone => _isDone;

    public override bool IsWhole => !meter.ErrorSeen && (_isDone || meter.FinishedChoices >= request.Choices);

    public override void Push(ReadOnlySpan<byte> upstream, IBufferWriter<byte> toCaller)
    {
        while (!IsDone && _events.TryRead(ref upstream, out var e))
            Pass(e, toCaller);
    }

    public override void End(IBufferWriter<byte> toCaller)
    {
        if (IsDone || !_events.TryReadRest(out var rest) || !rest.HasData)
            return;
        if (IsDoneMark(rest.Data) || LenientJson.IsJson(rest.Data))
            Pass(rest, toCaller);
    }

    public override void WriteTail(IBufferWriter<byte> toCaller, Usage settled, Money cost)
    {
        // The counts that a caller sees are those that were charged.
        if (request.WantsUsage && (_tail.Length == 0 || !(_tailHasChoices || meter.UsageIsBelieved)))
            WithholdOwnUsage(settled);
        _tail.WriteWithCost(toCaller, cost);
        toCaller.Write("data: [DONE]\n\n"u8);
    }

    /// <summary>An error event, which OpenAI's clients raise, if the provider sent none; then <c>[DONE]</c>.</summary>
    public override void WriteFailure(IBufferWriter<byte> toCaller, Problem problem, string requestId)
    {
        ReleaseTail(toCaller);
        if (meter.ErrorSeen)
            toCaller.Write("data: [DONE]\n\n"u8);
        else
            Wires.Chat.WriteStreamError(toCaller, problem, requestId);
    }

    public override void Dispose() => _events.Dispose();

    void Pass(SseEvent e, IBufferWriter<byte> toCaller)
    {
        if (e.IsOversize)
        {
            meter.SeeUnread(e.Raw);
            toCaller.Write(e.Raw);
            return;
        }
        if (!e.HasData)
        {
            SseWriting.Write(toCaller, e, default, default);
            return;
        }
        _isDone = IsDoneMark(e.Data);
        if (_isDone)
            return;

        var piece = meter.Read(e.Data);
        if (_tailHasChoices)
            ReleaseTail(toCaller);
        if (request.WantsUsage && _first is null && piece.IsJson)
            _first = e.Data.ToArray();
        PassChunk(e, piece, toCaller);
    }

    void PassChunk(SseEvent e, ChatPiece piece, IBufferWriter<byte> toCaller)
    {
        var hasUsage = piece.IsJson && piece.Usage.Length > 0;
        if (!hasUsage || (request.WantsUsage && !piece.UsageIsObject))
            SseWriting.Write(toCaller, e, e.Data, default);
        else if (request.WantsUsage)
            Withhold(e, piece);
        else if (piece.HasChoices || piece.UsageIsNull)
        {
            var (start, end) = piece.Cut(e.Data);
            SseWriting.Write(toCaller, e, e.Data[..start], e.Data[end..]);
        }
    }

    /// <summary>Keeps an event back until it is known whether it is the last one with usage.</summary>
    void Withhold(SseEvent e, ChatPiece piece)
    {
        _tail.Clear();
        var head = e.Data[..(piece.Usage.Start + piece.Usage.Length - 1)];
        SseWriting.WriteHead(_tail.Writer, e, head);
        _tail.MarkCost(head);
        SseWriting.WriteRest(_tail.Writer, e, e.Data[head.Length..]);
        _tailHasChoices = piece.HasChoices;
    }

    /// <summary>Another chunk follows, or a failure: an event with words goes out as it is, one with nothing but outdated usage is dropped.</summary>
    void ReleaseTail(IBufferWriter<byte> toCaller)
    {
        if (_tailHasChoices)
            _tail.Release(toCaller);
        _tail.Clear();
        _tailHasChoices = false;
    }

    /// <summary>The usage chunk that a provider owed: with the settled counts and the identity of the first chunk.</summary>
    void WithholdOwnUsage(Usage settled)
    {
        _tail.Clear();
        var (input, output) = (MeterReading.InputOf(settled), MeterReading.OutputOf(settled));
        var tail = _tail.Writer;
        tail.Write("data: {"u8);
        CopyIdentity(_first ?? "{}"u8.ToArray(), tail);
        var usage = Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture,
            $"\"choices\":[],\"usage\":{{\"prompt_tokens\":{input},\"completion_tokens\":{output},\"total_tokens\":{input + output}"));
        tail.Write(usage);
        _tail.MarkCost(usage);
        tail.Write("}}\n\n"u8);
    }

    static void CopyIdentity(ReadOnlySpan<byte> chunk, IBufferWriter<byte> to)
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

    internal static bool IsDoneMark(ReadOnlySpan<byte> data) => data.Trim(" \t"u8).SequenceEqual("[DONE]"u8);
}
