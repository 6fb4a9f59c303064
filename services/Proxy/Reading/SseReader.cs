using System.Buffers;

namespace LlmGateway.Proxy;

/// <summary>One event of a stream, or a piece of one that is too large. Valid until the reader's next call.</summary>
public readonly ref struct SseEvent
{
    /// <summary>Every byte of the event, its blank line included. The raw bytes of all events together are the stream.</summary>
    public ReadOnlySpan<byte> Raw { get; init; }

    /// <summary>The data, several lines joined by line feeds.</summary>
    public ReadOnlySpan<byte> Data { get; init; }

    /// <summary>The event's name, empty when it has none.</summary>
    public ReadOnlySpan<byte> Name { get; init; }

    /// <summary>Offset of <see cref="Data"/> in <see cref="Raw"/>; -1 when it was joined from several lines.</summary>
    public int DataStart { get; init; }

    /// <summary>False for comments and blank lines.</summary>
    public bool HasData { get; init; }

    /// <summary>False when the stream ended before the blank line.</summary>
    public bool IsComplete { get; init; }

    /// <summary>A piece of an event that is larger than the reader keeps: only <see cref="Raw"/> is set.</summary>
    public bool IsOversize { get; init; }
}

/// <summary>
/// Splits a stream of server-sent events. It may arrive in any pieces, with LF or CRLF. No byte is lost. An event that arrives whole is not
/// copied.
/// </summary>
public sealed class SseReader(int maxEventBytes = SseReader.MaxEventBytes) : IDisposable
{
    /// <summary>Larger events pass in pieces and are not parsed.</summary>
    public const int MaxEventBytes = 4 * 1024 * 1024;

    byte[] _pending = [];
    byte[] _joined = [];
    int _length;
    bool _oversize;

    // The start of the current line from earlier pieces: nothing, a lone CR, or more.
    LineSoFar _line;

    enum LineSoFar { Empty, LoneCr, Text }

    /// <summary>
    /// Takes the next event from <paramref name="input"/>. False when the input is used up; the start of an event is kept.
    /// </summary>
    public bool TryRead(scoped ref ReadOnlySpan<byte> input, out SseEvent e)
    {
        e = default;
        if (input.IsEmpty)
            return false;
        var end = FindEnd(input);
        var piece = end < 0 ? input : input[..end];
        input = input[piece.Length..];

        if (_oversize || _length + piece.Length > maxEventBytes)
        {
            e = new SseEvent { Raw = _length == 0 ? piece : Keep(piece), DataStart = -1, IsOversize = true, IsComplete = end >= 0 };
            _oversize = end < 0;
            _length = 0;
            return true;
        }
        if (end < 0)
        {
            Keep(piece);
            return false;
        }
        e = Parse(_length == 0 ? piece : Keep(piece), complete: true);
        _length = 0;
        return true;
    }

    /// <summary>Takes the last event of the stream, which has no blank line.</summary>
    public bool TryReadRest(out SseEvent e)
    {
        e = _length > 0 ? Parse(_pending.AsSpan(0, _length), complete: false) : default;
        var any = _length > 0;
        _length = 0;
        return any;
    }

    public void Dispose()
    {
        foreach (var buffer in (ReadOnlySpan<byte[]>)[_pending, _joined])
            if (buffer.Length > 0)
                ArrayPool<byte>.Shared.Return(buffer);
        (_pending, _joined, _length) = ([], [], 0);
    }

    /// <summary>Offset behind the first blank line, or -1. Remembers the length of the last line.</summary>
    int FindEnd(ReadOnlySpan<byte> input)
    {
        for (var start = 0; ;)
        {
            var feed = input[start..].IndexOf((byte)'\n');
            var part = feed < 0 ? input[start..] : input.Slice(start, feed);
            var line = part switch
            {
                [] => _line,
                [(byte)'\r'] when _line == LineSoFar.Empty => LineSoFar.LoneCr,
                _ => LineSoFar.Text,
            };
            if (feed < 0)
            {
                _line = line;
                return -1;
            }
            _line = LineSoFar.Empty;
            start += feed + 1;
            if (line != LineSoFar.Text)
                return start;
        }
    }

    ReadOnlySpan<byte> Keep(ReadOnlySpan<byte> piece)
    {
        Reserve(ref _pending, _length, _length + piece.Length);
        piece.CopyTo(_pending.AsSpan(_length));
        _length += piece.Length;
        return _pending.AsSpan(0, _length);
    }

    SseEvent Parse(ReadOnlySpan<byte> raw, bool complete)
    {
        ReadOnlySpan<byte> data = default, name = default;
        var (lines, dataStart) = (0, -1);
        for (var start = 0; start < raw.Length;)
        {
            var feed = raw[start..].IndexOf((byte)'\n');
            var next = feed < 0 ? raw.Length : start + feed + 1;
            var line = raw[start..(feed < 0 ? next : next - 1)];
            if (line is [.., (byte)'\r'])
                line = line[..^1];
            if (IsField(line, "data"u8, out var value))
            {
                dataStart = lines == 0 ? start + line.Length - value.Length : -1;
                data = lines == 0 ? value : Join(data, value);
                lines++;
            }
            else if (IsField(line, "event"u8, out value))
                name = value;
            start = next;
        }
        return new SseEvent { Raw = raw, Data = data, Name = name, DataStart = dataStart, HasData = lines > 0, IsComplete = complete };
    }

    static bool IsField(ReadOnlySpan<byte> line, ReadOnlySpan<byte> field, out ReadOnlySpan<byte> value)
    {
        value = default;
        if (!line.StartsWith(field) || (line.Length > field.Length && line[field.Length] != ':'))
            return false;
        value = line[Math.Min(field.Length + 1, line.Length)..];
        if (value is [(byte)' ', ..])
            value = value[1..];
        return true;
    }

    ReadOnlySpan<byte> Join(ReadOnlySpan<byte> data, ReadOnlySpan<byte> value)
    {
        var length = data.Length + 1 + value.Length;
        var joinedAlready = _joined.Length > 0 && data.Overlaps(_joined);
        Reserve(ref _joined, joinedAlready ? data.Length : 0, length);
        if (!joinedAlready)
            data.CopyTo(_joined);
        _joined[data.Length] = (byte)'\n';
        value.CopyTo(_joined.AsSpan(data.Length + 1));
        return _joined.AsSpan(0, length);
    }

    static void Reserve(ref byte[] buffer, int used, int needed)
    {
        if (buffer.Length >= needed)
            return;
        var larger = ArrayPool<byte>.Shared.Rent(Math.Max(needed, 2 * buffer.Length));
        buffer.AsSpan(0, used).CopyTo(larger);
        if (buffer.Length > 0)
            ArrayPool<byte>.Shared.Return(buffer);
        buffer = larger;
    }
}
