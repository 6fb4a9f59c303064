using System.Buffers;
using System.Text.Json;
using LlmGateway.Proxy.Chat;
using LlmGateway.Proxy.Translation;

namespace LlmGateway.Proxy.Expressions;

/// <summary>
/// Reads the usage of an answer that passes on a route whose wire nobody has named: the first piece of JSON that belongs to a wire says
/// which meter reads the answer. It never throws.
/// </summary>
/// <param name="isStream">The answer is a stream of server-sent events; else one JSON text.</param>
/// <param name="wire">The wire, where the route's provider has one.</param>
public sealed class AnswerWatch(bool isStream, ConversationWire? wire = null) : IDisposable
{
    /// <summary>Longest answer that is read whole.</summary>
    public const int MaxWholeBytes = 4 * 1024 * 1024;

    /// <summary>Events that are looked at until one says its wire. Answers say it in the first, or after a comment.</summary>
    public const int MaxUnknown = 16;

    readonly SseReader? _events = isStream ? new() : null;
    readonly ArrayBufferWriter<byte>? _whole = isStream ? null : new();
    readonly List<AnswerEvent> _seen = [];

    ConversationWire? _wire = wire;
    ChatMeter? _chat;
    AnswerReader? _reader;
    EventMeter? _meter;
    int _unknown;
    bool _isTooLarge;

    /// <summary>Null while no wire is known.</summary>
    public AnswerMeter? Meter => (AnswerMeter?)_chat ?? _meter;

    public void Push(ReadOnlySpan<byte> piece)
    {
        if (_events is not null)
        {
            while (_unknown < MaxUnknown && _events.TryRead(ref piece, out var e))
                See(e);
            return;
        }
        _isTooLarge |= _whole!.WrittenCount + piece.Length > MaxWholeBytes;
        if (!_isTooLarge)
            _whole.Write(piece);
    }

    public void End()
    {
        if (_events is not null && _unknown < MaxUnknown && _events.TryReadRest(out var rest))
            See(rest);
        if (_whole is null || _isTooLarge || !Knows(_whole.WrittenSpan))
            return;
        _chat?.See(_whole.WrittenSpan);
        _meter?.See(_whole.WrittenSpan);
    }

    public void Dispose() => _events?.Dispose();

    void See(scoped SseEvent e)
    {
        if (e.IsOversize)
        {
            _chat?.SeeUnread(e.Raw);
            _meter?.SeeUnread(e.Raw);
            return;
        }
        if (!e.HasData || ChatRelay.IsDoneMark(e.Data) || !Knows(e.Data))
            return;
        if (_chat is not null)
        {
            _chat.Read(e.Data);
            return;
        }
        _seen.Clear();
        _reader!.Read(e, _seen);
        _meter!.See(_seen);
    }

    bool Knows(ReadOnlySpan<byte> json)
    {
        if (Meter is not null)
            return true;
        _wire ??= WireOf(json);
        if (_wire is null)
        {
            _unknown++;
            return false;
        }
        if (_wire is ChatWire)
            _chat = new();
        else
            _meter = new(_reader = _wire.NewReader());
        return true;
    }

    /// <summary>The wire that an answer, or an event of one, belongs to. Null when its members do not say.</summary>
    public static ConversationWire? WireOf(ReadOnlySpan<byte> json)
    {
        try
        {
            var reader = new Utf8JsonReader(json);
            if (reader.Read() && reader.TokenType == JsonTokenType.StartObject)
                while (reader.NextMember())
                    if (WireOf(ref reader) is { } wire)
                        return wire;
        }
        catch (JsonException)
        {
            // It belongs to no wire.
        }
        return null;
    }

    static ConversationWire? WireOf(ref Utf8JsonReader reader)
    {
        if (reader.Has("choices"u8))
            return Wires.Chat;
        if (reader.Has("candidates"u8) || reader.Has("usageMetadata"u8))
            return Wires.Gemini;
        if (!reader.Has("type"u8) && !reader.Has("object"u8))
        {
            reader.Read();
            reader.StepOver();
            return null;
        }
        var kind = reader.NextText() ?? "";
        return kind is "message" or "message_start" ? Wires.Messages
            : kind == "response" || kind.StartsWith("response.", StringComparison.Ordinal) ? Wires.Responses
            : kind.StartsWith("chat.completion", StringComparison.Ordinal) ? Wires.Chat
            : null;
    }
}
