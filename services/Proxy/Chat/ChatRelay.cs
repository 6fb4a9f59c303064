using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Json;
using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Proxy.Chat;

/// <summary>
/// A stream of chunks between a caller and a provider that both speak the OpenAI chat or completions wire. Bytes pass through unchanged
/// with three exceptions. Usage that only the gateway asked for is removed. Usage that the caller asked for gets its cost. CRLF becomes LF.
/// The last usage and <c>[DONE]</c> are withheld.
/// </summary>
/// <param name="meter">The meter of this stream, made for its wire (chat or completions).</param>
public sealed class ChatRelay(ModelRequest request, ChatMeter meter, int maxEventBytes = SseReader.MaxEventBytes) : StreamRelay
{
    readonly SseReader _events = new(maxEventBytes);

    // The last event with usage, for callers who want usage. It is the end of the stream unless another event follows.
    WithheldTail _tail;
    bool _tailHasChoices;

    // The first chunk. A usage chunk that the gateway writes takes its identity from it.
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
        // The caller sees the counts that were charged.
        if (request.WantsUsage && (_tail.Length == 0 || !(_tailHasChoices || meter.UsageIsBelieved)))
            WithholdOwnUsage(settled);
        _tail.WriteWithCost(toCaller, cost);
        toCaller.Write("data: [DONE]\n\n"u8);
    }

    /// <summary>
    /// Writes an error event, which OpenAI's clients raise, and <c>[DONE]</c>. The event is left out if the provider has sent one.
    /// </summary>
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
        if (meter.ErrorSeen || !piece.IsJson)
        {
            // These are the provider's own words, not the model's.
            SseWriting.Write(toCaller, e, Secrets.Hide(e.Data), default);
            return;
        }
        if (request.WantsUsage && _first is null)
            _first = e.Data.ToArray();
        PassChunk(e, piece, toCaller);
    }

    void PassChunk(SseEvent e, ChatPiece piece, IBufferWriter<byte> toCaller)
    {
        var hasUsage = piece.Usage.Length > 0;
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

    /// <summary>Withholds an event until it is known whether it is the last one with usage.</summary>
    void Withhold(SseEvent e, ChatPiece piece)
    {
        _tail.Clear();
        var head = e.Data[..(piece.Usage.Start + piece.Usage.Length - 1)];
        SseWriting.WriteHead(_tail.Writer, e, head);
        _tail.MarkCost(head);
        SseWriting.WriteRest(_tail.Writer, e, e.Data[head.Length..]);
        _tailHasChoices = piece.HasChoices;
    }

    /// <summary>
    /// Ends the withholding, because another chunk or a failure follows. A withheld event with choices is written as it came. One with
    /// usage alone is dropped, because its usage is outdated.
    /// </summary>
    void ReleaseTail(IBufferWriter<byte> toCaller)
    {
        if (_tailHasChoices)
            _tail.Release(toCaller);
        _tail.Clear();
        _tailHasChoices = false;
    }

    /// <summary>
    /// Writes the usage chunk that the provider did not send, with the settled counts and the identity of the first chunk.
    /// </summary>
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
