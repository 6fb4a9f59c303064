using System.Buffers;

namespace LlmGateway.Contracts.Expressions;

/// <summary>One event of a stream. Valid until the reader's next call.</summary>
readonly ref struct StreamEvent
{
    public ReadOnlySpan<byte> Name { get; init; }

    /// <summary>The data, several lines joined by line feeds.</summary>
    public ReadOnlySpan<byte> Data { get; init; }
    public ReadOnlySpan<byte> Id { get; init; }

    /// <summary>It was too large to be kept. Its parts are empty.</summary>
    public bool IsOversize { get; init; }

    /// <summary>Neither empty nor OpenAI's end mark.</summary>
    public bool HasData => IsOversize || !(Data.IsEmpty || Data.SequenceEqual("[DONE]"u8));
}

/// <summary>
/// Reads server-sent events as the metering language knows them, from any pieces: an event is what has data, a name or an id before a
/// blank line or the end.
/// </summary>
sealed class EventLines
{
    readonly ArrayBufferWriter<byte> _line = new(), _name = new(), _data = new(), _id = new();
    long _lineLength;
    bool _hasData, _isOversize, _isGiven;

    /// <summary>Takes the next event from <paramref name="input"/>. False when the input is used up.</summary>
    public bool TryRead(scoped ref ReadOnlySpan<byte> input, out StreamEvent e)
    {
        e = default;
        Forget();
        while (input.IndexOf((byte)'\n') is >= 0 and var end)
        {
            var line = input[..end];
            input = input[(end + 1)..];
            if (_lineLength > 0)
            {
                KeepLine(line);
                line = _line.WrittenSpan;
            }
            else
                _lineLength = line.Length;
            if (IsBlank(line) && TryGive(out e))
                return true;
        }
        KeepLine(input);
        input = default;
        return false;
    }

    /// <summary>Takes the last event of a stream, which has no blank line.</summary>
    public bool TryReadRest(out StreamEvent e)
    {
        Forget();
        IsBlank(_line.WrittenSpan);
        return TryGive(out e);
    }

    void KeepLine(ReadOnlySpan<byte> piece)
    {
        _lineLength += piece.Length;
        if (_lineLength <= ResponseCollector.MaxEventBytes)
            _line.Write(piece);
    }

    /// <summary>Reads the line; true when it is blank, which ends an event.</summary>
    bool IsBlank(ReadOnlySpan<byte> line)
    {
        var isTooLong = _lineLength > ResponseCollector.MaxEventBytes;
        _isOversize |= isTooLong;
        var isBlank = !isTooLong && !See(line);
        _line.ResetWrittenCount();
        _lineLength = 0;
        return isBlank;
    }

    bool TryGive(out StreamEvent e)
    {
        var isEvent = _hasData || _isOversize || _name.WrittenCount + _id.WrittenCount > 0;
        e = !isEvent ? default : _isOversize ? new() { IsOversize = true }
            : new() { Name = _name.WrittenSpan, Data = _data.WrittenSpan, Id = _id.WrittenSpan };
        _isGiven = isEvent;
        return isEvent;
    }

    void Forget()
    {
        if (!_isGiven)
            return;
        foreach (var part in (ReadOnlySpan<ArrayBufferWriter<byte>>)[_name, _data, _id])
            part.ResetWrittenCount();
        (_hasData, _isOversize, _isGiven) = (false, false, false);
    }

    /// <summary>False for a blank line.</summary>
    bool See(ReadOnlySpan<byte> line)
    {
        if (line is [.., (byte)'\r'])
            line = line[..^1];
        if (line.IsEmpty)
            return false;
        var colon = line.IndexOf((byte)':');
        if (colon <= 0)
            return true;
        var field = line[..colon];
        var value = line[(colon + 1)..];
        if (value is [(byte)' ', ..])
            value = value[1..];
        if (field.SequenceEqual("data"u8))
        {
            if (_hasData)
                Keep(_data, "\n"u8);
            Keep(_data, value);
            _hasData = true;
        }
        else if (field.SequenceEqual("event"u8))
            Replace(_name, value);
        else if (field.SequenceEqual("id"u8))
            Replace(_id, value);
        return true;
    }

    void Replace(ArrayBufferWriter<byte> part, ReadOnlySpan<byte> value)
    {
        part.ResetWrittenCount();
        Keep(part, value);
    }

    void Keep(ArrayBufferWriter<byte> part, ReadOnlySpan<byte> bytes)
    {
        if (part.WrittenCount + bytes.Length > ResponseCollector.MaxEventBytes)
            _isOversize = true;
        else
            part.Write(bytes);
    }
}
