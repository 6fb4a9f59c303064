using System.Buffers;

namespace LlmGateway.Contracts.Expressions;

/// <summary>
/// Counts lines, which end in LF, CR or both, and keeps the last one that is not empty. What follows the last end is a line, too, even an
/// empty one; no text at all has no line.
/// </summary>
sealed class LineCounter
{
    // The line at hand, and the last one with text before it.
    ArrayBufferWriter<byte> _line = new(), _filled = new();
    long _length, _filledLength, _ends, _filledEnds;
    bool _any, _afterReturn;

    public long Lines => _any ? _ends + 1 : 0;

    public long FilledLines => _filledEnds + (_length > 0 ? 1 : 0);

    /// <summary>Empty when there is none; null when it is larger than <see cref="ResponseCollector.MaxEventBytes"/>.</summary>
    public ReadOnlyMemory<byte>? LastFilledLine => _length > 0 ? Kept(_line, _length) : Kept(_filled, _filledLength);

    public void Add(ReadOnlySpan<byte> piece)
    {
        _any |= piece.Length > 0;
        while (piece.Length > 0)
        {
            var isSecondOfTwo = _afterReturn && piece[0] == '\n';
            _afterReturn = false;
            if (isSecondOfTwo)
            {
                piece = piece[1..];
                continue;
            }
            var end = piece.IndexOfAny((byte)'\n', (byte)'\r');
            Keep(end < 0 ? piece : piece[..end]);
            if (end < 0)
                return;
            _afterReturn = piece[end] == '\r';
            piece = piece[(end + 1)..];
            EndLine();
        }
    }

    void EndLine()
    {
        _ends++;
        if (_length == 0)
            return;
        _filledEnds++;
        (_line, _filled, _filledLength, _length) = (_filled, _line, _length, 0);
        _line.ResetWrittenCount();
    }

    void Keep(ReadOnlySpan<byte> part)
    {
        _length += part.Length;
        if (_length <= ResponseCollector.MaxEventBytes)
            _line.Write(part);
    }

    static ReadOnlyMemory<byte>? Kept(ArrayBufferWriter<byte> line, long length) =>
        length <= ResponseCollector.MaxEventBytes ? line.WrittenMemory : (ReadOnlyMemory<byte>?)null;
}
