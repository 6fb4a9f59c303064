using System.Diagnostics;
using System.Globalization;

namespace LlmGateway.Edge;

/// <summary>
/// One connection's streams, one after the other: HTTP/1.1 in chunks, in whatever pieces it arrives. Each event is compared with what the
/// provider sent.
/// </summary>
sealed class PacedStream
{
    readonly Line _protocol = new(), _event = new();
    Place _place;
    int _left, _next;
    long _begun;

    enum Place { Status, Head, Size, Data, AfterData, End, Ended }

    /// <summary>Streams asked for.</summary>
    public long Begun { get; private set; }

    /// <summary>Events with the bytes that were to come next.</summary>
    public long Received { get; private set; }

    /// <summary>Microseconds from the request to the first event of the current stream.</summary>
    public long FirstAfter { get; private set; }

    public void Begin()
    {
        (_place, _next, _begun) = (Place.Status, 0, Stopwatch.GetTimestamp());
        Begun++;
    }

    /// <summary>Throws <see cref="IOException"/> when the answer is not a 200.</summary>
    /// <returns>True when the stream has ended.</returns>
    public bool Take(ReadOnlySpan<byte> bytes)
    {
        while (bytes.Length > 0 && _place != Place.Ended)
            if (_place == Place.Data)
            {
                var part = bytes[..Math.Min(_left, bytes.Length)];
                TakeData(part);
                bytes = bytes[part.Length..];
                _left -= part.Length;
                if (_left == 0)
                    _place = Place.AfterData;
            }
            else if (_protocol.TryComplete(ref bytes))
            {
                _place = After(_protocol.Text);
                _protocol.Clear();
            }
        return _place == Place.Ended;
    }

    /// <summary>What follows a line of the protocol.</summary>
    Place After(ReadOnlySpan<byte> line)
    {
        switch (_place)
        {
            case Place.Status:
                return line.StartsWith("HTTP/1.1 200"u8)
                    ? Place.Head
                    : throw new IOException($"the proxy answers {System.Text.Encoding.ASCII.GetString(line)}");
            case Place.Head:
                return line.IsEmpty ? Place.Size : Place.Head;
            case Place.Size:
                _left = int.Parse(line, NumberStyles.HexNumber, CultureInfo.InvariantCulture);
                return _left > 0 ? Place.Data : Place.End;
            case Place.AfterData:
                return Place.Size;
            default:
                return Place.Ended;
        }
    }

    void TakeData(ReadOnlySpan<byte> data)
    {
        while (_event.TryComplete(ref data))
        {
            if (_event.Text.StartsWith("data: "u8) && _next < Answers.Events
                && _event.Text["data: ".Length..].SequenceEqual(Answers.Contents[_next]))
            {
                if (_next++ == 0)
                    FirstAfter = (long)Stopwatch.GetElapsedTime(_begun).TotalMicroseconds;
                Received++;
            }
            _event.Clear();
        }
    }

    /// <summary>A line as far as it has come. Longer ones than any here throw.</summary>
    sealed class Line
    {
        readonly byte[] _bytes = new byte[8 * 1024];
        int _length;

        public ReadOnlySpan<byte> Text => _bytes.AsSpan(0, _length).TrimEnd("\r\n"u8);

        public void Clear() => _length = 0;

        /// <summary>Takes up to the line's end; false when the input is used up first.</summary>
        public bool TryComplete(ref ReadOnlySpan<byte> input)
        {
            var feed = input.IndexOf((byte)'\n');
            var part = feed < 0 ? input : input[..(feed + 1)];
            part.CopyTo(_bytes.AsSpan(_length));
            _length += part.Length;
            input = input[part.Length..];
            return feed >= 0;
        }
    }
}
