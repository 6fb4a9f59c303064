using System.Buffers;
using System.Runtime.InteropServices;
using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Proxy.Translation;

/// <summary>A stream from a provider of one wire to a caller of another, event by event. Only the current event is kept.</summary>
public sealed class TranslatedRelay : StreamRelay
{
    readonly SseReader _events;
    readonly AnswerReader _reader;
    readonly AnswerWriter _writer;
    readonly ConversationWire _to;
    readonly EventMeter _meter;
    readonly List<AnswerEvent> _seen = [];
    SplitCharacters _characters;

    readonly ToolNames? _names;
    readonly string _provider;

    /// <param name="names">Null when the caller's tools have their names at the provider.</param>
    public TranslatedRelay(
        ConversationWire from, ConversationWire to, AnswerHead head, ToolNames? names = null, int maxEventBytes = SseReader.MaxEventBytes)
    {
        (_names, _provider) = (names, head.Provider);
        _events = new(maxEventBytes);
        _reader = from.NewReader();
        _writer = to.NewWriter(head);
        _to = to;
        _meter = new(_reader, _writer);
    }

    public override AnswerMeter Meter => _meter;

    /// <summary>Also after a failure: what follows it is not told, so it is not waited for.</summary>
    public override bool IsDone => _reader.IsDone || _meter.ErrorSeen;

    public override string? FailureMessage => _meter.ErrorMessage is { } said ? Secrets.Hide(said) : null;

    public override bool IsWhole => !_meter.ErrorSeen && (_reader.IsFinished || _reader.IsDone);

    public override void Push(ReadOnlySpan<byte> upstream, IBufferWriter<byte> toCaller)
    {
        while (!IsDone && _events.TryRead(ref upstream, out var e))
            Pass(e, toCaller);
    }

    public override void End(IBufferWriter<byte> toCaller)
    {
        if (!IsDone && _events.TryReadRest(out var rest) && rest.HasData)
            Pass(rest, toCaller);
    }

    public override void WriteTail(IBufferWriter<byte> toCaller, Usage settled, Money cost) =>
        _writer.WriteEnd(_meter.Finish, settled, cost, toCaller);

    public override void WriteFailure(IBufferWriter<byte> toCaller, Problem problem, string requestId) =>
        _writer.WriteFailure(_to, FailureMessage is { } message ? problem with { Message = message } : problem, requestId, toCaller);

    public override void Dispose() => _events.Dispose();

    void Pass(scoped SseEvent e, IBufferWriter<byte> toCaller)
    {
        if (e.IsOversize)
            throw new IOException("the provider sent an event that is too large to be translated");
        if (!e.HasData || IsNoise(e.Data))
            return;
        _seen.Clear();
        _reader.Read(e, _seen);
        _meter.See(_seen);
        ThoughtMark.Name(_seen, _provider);
        _names?.Restore(_seen);
        foreach (ref readonly var seen in CollectionsMarshal.AsSpan(_seen))
            if (seen.Kind is not (AnswerEventKind.Finish or AnswerEventKind.Usage or AnswerEventKind.Error or AnswerEventKind.Unreadable)
                && _writer.Refuses(seen) is null)
                _writer.Write(_characters.Join(seen), toCaller);
    }

    /// <summary>Some servers keep a connection alive with data that are no JSON.</summary>
    static bool IsNoise(ReadOnlySpan<byte> data) => data.TrimStart(" \t"u8) is not [(byte)'{' or (byte)'[', ..];
}
