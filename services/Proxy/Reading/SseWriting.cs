using System.Buffers;

namespace LlmGateway.Proxy;

/// <summary>
/// Writes events as they came, except for data that must differ and for CRLF, which becomes LF: a common client's parser splits only on LF
/// LF.
/// </summary>
static class SseWriting
{
    /// <summary>Writes an event with its data given in two parts.</summary>
    public static void Write(IBufferWriter<byte> to, scoped SseEvent e, ReadOnlySpan<byte> head, ReadOnlySpan<byte> rest)
    {
        // The fast path: most events go out unchanged.
        if (e.IsComplete && head == e.Data && !e.Raw.Contains((byte)'\r'))
        {
            to.Write(e.Raw);
            return;
        }
        WriteHead(to, e, head);
        WriteRest(to, e, rest);
    }

    /// <summary>Writes what stands before the data, and the first part of the data.</summary>
    public static void WriteHead(IBufferWriter<byte> to, scoped SseEvent e, ReadOnlySpan<byte> data)
    {
        if (e.DataStart >= 0)
            WriteWithLf(to, e.Raw[..e.DataStart]);
        else if (e.HasData)
        {
            if (e.Name.Length > 0)
            {
                to.Write("event: "u8);
                to.Write(e.Name);
                to.Write("\n"u8);
            }
            to.Write("data: "u8);
        }
        WriteLines(to, data);
    }

    /// <summary>Writes the second part of the data, and what stands behind it.</summary>
    public static void WriteRest(IBufferWriter<byte> to, scoped SseEvent e, ReadOnlySpan<byte> data)
    {
        WriteLines(to, data);
        if (!e.HasData)
            WriteWithLf(to, e.Raw);
        else if (e.DataStart >= 0 && e.IsComplete)
            WriteWithLf(to, e.Raw[(e.DataStart + e.Data.Length)..]);
        else
            to.Write("\n\n"u8);
    }

    /// <summary>Data that was joined from several lines is written on several lines again.</summary>
    static void WriteLines(IBufferWriter<byte> to, ReadOnlySpan<byte> data)
    {
        for (int feed; (feed = data.IndexOf((byte)'\n')) >= 0; data = data[(feed + 1)..])
        {
            to.Write(data[..feed]);
            to.Write("\ndata: "u8);
        }
        to.Write(data);
    }

    static void WriteWithLf(IBufferWriter<byte> to, ReadOnlySpan<byte> lines)
    {
        for (int carriage; (carriage = lines.IndexOf("\r\n"u8)) >= 0; lines = lines[(carriage + 1)..])
            to.Write(lines[..carriage]);
        to.Write(lines);
    }
}
