using System.Buffers;

namespace LlmGateway.Proxy.Batches;

/// <summary>Reads lines of a stream that may be much larger than memory.</summary>
public static class ResultLines
{
    /// <summary>The same length as that of an answer outside of a batch.</summary>
    const int MaxLineBytes = 32 * 1024 * 1024;

    const int UsualBytes = 64 * 1024;

    public delegate void LineReader(ReadOnlySpan<byte> line);

    /// <summary>Gives every line that is not blank to the handler, without its line end.</summary>
    /// <exception cref="IOException">A line is longer than the longest answer.</exception>
    public static async Task ReadAsync(Stream stream, LineReader read, CancellationToken token)
    {
        var buffer = ArrayPool<byte>.Shared.Rent(UsualBytes);
        try
        {
            for (int start = 0, scanned = 0, end = 0; ;)
            {
                var feed = buffer.AsSpan(scanned, end - scanned).IndexOf((byte)'\n');
                if (feed >= 0)
                {
                    Hand(buffer.AsSpan(start, scanned + feed - start), read);
                    start = scanned += feed + 1;
                    continue;
                }
                buffer.AsSpan(start, end - start).CopyTo(buffer);
                (start, scanned, end) = (0, end - start, end - start);
                if (end == buffer.Length)
                    buffer = Grow(buffer);
                var more = await stream.ReadAsync(buffer.AsMemory(end), token);
                end += more;
                if (more > 0)
                    continue;
                Hand(buffer.AsSpan(0, end), read);
                return;
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    static void Hand(ReadOnlySpan<byte> line, LineReader read)
    {
        line = line.Trim(" \r\t"u8);
        if (!line.IsEmpty)
            read(line);
    }

    static byte[] Grow(byte[] full)
    {
        if (full.Length >= MaxLineBytes)
            throw new IOException($"a line of a batch's results is longer than {MaxLineBytes} bytes");
        var larger = ArrayPool<byte>.Shared.Rent(2 * full.Length);
        full.CopyTo(larger, 0);
        ArrayPool<byte>.Shared.Return(full);
        return larger;
    }
}
