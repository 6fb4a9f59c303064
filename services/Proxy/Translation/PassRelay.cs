using System.Buffers;
using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Proxy.Translation;

/// <summary>
/// A stream between a caller and a provider of the same wire. Bytes pass unchanged, but the last events are withheld until the request is
/// settled, and the last usage object gets its cost.
/// </summary>
/// <param name="asArray">The caller wants one JSON array instead of server-sent events (the Gemini wire without <c>alt=sse</c>).</param>
public sealed class PassRelay(ConversationWire wire, bool asArray = false, int maxEventBytes = SseReader.MaxEventBytes) : StreamRelay
{
    readonly SseReader _events = new(maxEventBytes);
    readonly AnswerReader _reader = wire.NewReader();
    readonly List<AnswerEvent> _seen = [];
    EventMeter? _meter;

    WithheldTail _tail;
    bool _arrayBegun;

    public override AnswerMeter Meter => EventMeter;

    EventMeter EventMeter => _meter ??= new(_reader);

    public override bool IsDone => _reader.IsDone;

    public override bool IsWhole => !Meter.ErrorSeen && (_reader.IsFinished || _reader.IsDone);

    public override void Push(ReadOnlySpan<byte> upstream, IBufferWriter<byte> toCaller)
    {
        while (!IsDone && _events.TryRead(ref upstream, out var e))
            Pass(e, toCaller);
    }

    public override void End(IBufferWriter<byte> toCaller)
    {
        if (!IsDone && _events.TryReadRest(out var rest) && rest.HasData && LenientJson.IsJson(rest.Data))
            Pass(rest, toCaller);
    }

    public override void WriteTail(IBufferWriter<byte> toCaller, Usage settled, Money cost)
    {
        _tail.WriteWithCost(toCaller, cost);
        if (asArray)
            toCaller.Write(_arrayBegun ? "]"u8 : "[]"u8);
    }

    public override void WriteFailure(IBufferWriter<byte> toCaller, Problem problem, string requestId)
    {
        if (!Meter.ErrorSeen && !asArray)
            wire.WriteStreamError(toCaller, problem, requestId, _reader.NextSequence);
        if (!asArray)
            return;
        if (!Meter.ErrorSeen)
        {
            toCaller.Write(Separator());
            wire.WriteError(toCaller, problem, requestId);
        }
        toCaller.Write("]"u8);
    }

    public override void Dispose() => _events.Dispose();

    void Pass(scoped SseEvent e, IBufferWriter<byte> toCaller)
    {
        if (e.IsOversize)
        {
            if (asArray)
                throw new IOException("the provider sent an event that is too large to become an element of an array");
            EventMeter.SeeUnread(e.Raw);
            toCaller.Write(e.Raw);
            return;
        }
        var piece = StreamPiece.Plain;
        if (e.HasData)
        {
            _seen.Clear();
            piece = _reader.Read(e, _seen);
            EventMeter.See(_seen);
        }
        if (piece.IsTail)
            Withhold(e, piece);
        else
        {
            // The withheld events were not the end, because words follow them.
            if (e.HasData)
                _tail.Release(toCaller);
            // These are the provider's own words, not the model's.
            var isOfProvider = EventMeter.ErrorSeen || _reader.MalformedSeen || (_seen.Count == 0 && SaysError(e.Data));
            Write(toCaller, e, e.HasData && isOfProvider ? Secrets.Hide(e.Data) : e.Data, default);
        }
    }

    /// <summary>An event of a kind that the reader passes over has an error. Inside a string the quotes would be escaped.</summary>
    static bool SaysError(ReadOnlySpan<byte> data) =>
        data.IndexOf("\"error\""u8) is >= 0 and var at && !data[(at + "\"error\"".Length)..].TrimStart(" \t:"u8).StartsWith("null"u8);

    void Withhold(scoped SseEvent e, StreamPiece piece)
    {
        if (_tail.Length > maxEventBytes)
            throw new IOException("the provider does not come to an end");
        if (piece.UsageEnd < 0)
        {
            Write(_tail.Writer, e, e.Data, default);
            return;
        }
        var head = e.Data[..piece.UsageEnd];
        WriteHead(_tail.Writer, e, head);
        _tail.MarkCost(head);
        WriteRest(_tail.Writer, e, e.Data[piece.UsageEnd..]);
    }

    void Write(IBufferWriter<byte> to, scoped SseEvent e, ReadOnlySpan<byte> head, ReadOnlySpan<byte> rest)
    {
        if (!asArray)
        {
            SseWriting.Write(to, e, head, rest);
            return;
        }
        if (!e.HasData)
            return;
        WriteHead(to, e, head);
        WriteRest(to, e, rest);
    }

    void WriteHead(IBufferWriter<byte> to, scoped SseEvent e, ReadOnlySpan<byte> head)
    {
        if (asArray)
        {
            to.Write(Separator());
            to.Write(head);
        }
        else
            SseWriting.WriteHead(to, e, head);
    }

    void WriteRest(IBufferWriter<byte> to, scoped SseEvent e, ReadOnlySpan<byte> rest)
    {
        if (asArray)
            to.Write(rest);
        else
            SseWriting.WriteRest(to, e, rest);
    }

    ReadOnlySpan<byte> Separator()
    {
        var first = !_arrayBegun;
        _arrayBegun = true;
        return first ? "["u8 : ",\n"u8;
    }
}
