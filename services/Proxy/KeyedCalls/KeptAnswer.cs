namespace LlmGateway.Proxy;

/// <summary>An answer as it was told, with the headers that belong to it, for repetitions of its call.</summary>
public static class KeptAnswer
{
    /// <summary>The first version has no status: all its answers have 200.</summary>
    const byte Version = 2;

    /// <summary>
    /// Headers of the answer itself. Those of the moment (what is left of a limit, who may read the answer across origins) are the
    /// repetition's own.
    /// </summary>
    static readonly string[] Names =
    [
        "Content-Type", "Content-Encoding", "Content-Disposition", "Content-Language", "Content-Range", "Cache-Control", "ETag",
        "Last-Modified", "Link", Vary, "X-Accel-Buffering", "X-Request-Id", "request-id", "X-Query-Type",
    ];

    /// <summary>Belongs to <c>Cache-Control</c>, and is said besides what the repetition depends on itself.</summary>
    const string Vary = "Vary";

    const string Ours = "X-LLMGateway-";

    /// <summary>Version, status, number of headers, headers, body.</summary>
    public static byte[] Pack(HttpResponse response, ReadOnlySpan<byte> body)
    {
        var headers = response.Headers.Where(header => IsKept(header.Key)).ToList();
        using var packed = new MemoryStream(body.Length + 512);
        using var writer = new BinaryWriter(packed);
        writer.Write(Version);
        writer.Write((short)response.StatusCode);
        writer.Write7BitEncodedInt(headers.Count);
        foreach (var (name, value) in headers)
        {
            writer.Write(name);
            writer.Write(value.ToString());
        }
        writer.Write(body);
        writer.Flush();
        return packed.ToArray();
    }

    /// <summary>Sets status and headers and returns the body.</summary>
    /// <exception cref="InvalidDataException">It is not what <see cref="Pack"/> has made.</exception>
    public static ReadOnlyMemory<byte> Unpack(byte[] packed, HttpResponse response)
    {
        using var stream = new MemoryStream(packed);
        using var reader = new BinaryReader(stream);
        var version = reader.ReadByte();
        if (version is not (1 or Version))
            throw new InvalidDataException("an answer of another version");
        response.StatusCode = version == 1 ? StatusCodes.Status200OK : reader.ReadInt16();
        for (var headers = reader.Read7BitEncodedInt(); headers > 0; headers--)
        {
            var (name, value) = (reader.ReadString(), reader.ReadString());
            if (name.Equals(Vary, StringComparison.OrdinalIgnoreCase))
                response.Headers.Append(name, value);
            else
                response.Headers[name] = value;
        }
        return packed.AsMemory((int)stream.Position);
    }

    static bool IsKept(string header) =>
        header.StartsWith(Ours, StringComparison.OrdinalIgnoreCase) || Names.Contains(header, StringComparer.OrdinalIgnoreCase);
}
