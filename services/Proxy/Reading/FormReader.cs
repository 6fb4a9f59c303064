using System.Buffers;
using System.Text;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Proxy;

/// <summary>
/// Reads a body of <c>multipart/form-data</c> part by part, and refuses everything that two servers could read differently. The first line
/// gives the boundary; the provider gets the same one.
/// </summary>
public ref struct FormReader
{
    const int MaxBoundary = 70, MaxHeaderBytes = 8 * 1024, MaxParts = 100;

    static readonly SearchValues<byte> BoundaryBytes = SearchValues.Create(
        "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'()+_,-./:=?"u8);

    readonly ReadOnlySpan<byte> _body;

    /// <summary>The boundary with its two hyphens.</summary>
    readonly ReadOnlySpan<byte> _delimiter;

    int _position, _parts;

    /// <exception cref="ProblemException">The body does not begin with a boundary.</exception>
    public FormReader(ReadOnlySpan<byte> body)
    {
        _body = body;
        _delimiter = body[..Math.Max(0, body.IndexOf("\r\n"u8))];
        var boundary = _delimiter.Length > 2 && _delimiter.StartsWith("--"u8) ? _delimiter[2..] : [];
        if (boundary.IsEmpty || boundary.Length > MaxBoundary || boundary.ContainsAnyExcept(BoundaryBytes))
            throw Malformed("must begin with its boundary");
        _position = _delimiter.Length;
    }

    /// <summary>The content type that names the boundary.</summary>
    public readonly string ContentType => $"multipart/form-data; boundary=\"{Encoding.ASCII.GetString(_delimiter[2..])}\"";

    /// <summary>Name of the current part.</summary>
    public string Name { get; private set; } = "";

    /// <summary>The current part has a file's name.</summary>
    public bool IsFile { get; private set; }

    /// <summary>The file name as written; null when it stands only in the extended notation.</summary>
    public string? FileName { get; private set; }

    /// <summary>Where the current part's content stands in the body.</summary>
    public int Start { get; private set; }
    public int Length { get; private set; }

    public readonly ReadOnlySpan<byte> Content => _body.Slice(Start, Length);

    /// <summary>Steps to the next part; false after the last.</summary>
    /// <exception cref="ProblemException">The form is malformed.</exception>
    public bool Next()
    {
        var rest = _body[_position..];
        if (rest.StartsWith("--"u8))
            return rest[2..].IsEmpty || rest[2..].SequenceEqual("\r\n"u8) ? false : throw Malformed("must end with its last boundary");
        if (!rest.StartsWith("\r\n"u8))
            throw Malformed("has a boundary that is no line of its own");
        if (++_parts > MaxParts)
            throw Malformed($"must have at most {MaxParts} parts");
        _position += 2;
        ReadHeaders();

        var content = _body[Start..];
        Length = content.IndexOf(_delimiter) - 2;
        // Servers differ on whether a boundary without CRLF before it ends a part.
        if (Length < 0 || !content[Length..].StartsWith("\r\n"u8))
            throw Malformed("must end each part with a line break and its boundary");
        _position = Start + Length + 2 + _delimiter.Length;
        return true;
    }

    void ReadHeaders()
    {
        var headers = _body[_position..];
        var length = headers[..Math.Min(headers.Length, MaxHeaderBytes)].IndexOf("\r\n\r\n"u8);
        if (length < 0)
            throw Malformed($"must have an empty line after the headers of each part, which have at most {MaxHeaderBytes} bytes");
        Start = _position + length + 4;
        Name = "";
        foreach (var line in Encoding.UTF8.GetString(headers[..length]).Split("\r\n"))
        {
            var colon = line.IndexOf(':', StringComparison.Ordinal);
            var (name, value) = colon > 0 ? (line[..colon], line[(colon + 1)..].Trim()) : ("", "");
            if (name.Equals("Content-Disposition", StringComparison.OrdinalIgnoreCase) && Name.Length == 0)
                ReadDisposition(value);
            else if (name.Equals("Content-Type", StringComparison.OrdinalIgnoreCase))
                CheckCharset(value);
            else if (name.Length == 0 || line.AsSpan().ContainsAny('\r', '\n') || name.AsSpan().ContainsAny(' ', '\t')
                || name.Equals("Content-Disposition", StringComparison.OrdinalIgnoreCase))
                throw Malformed("has a part with headers that cannot be read");
            else if (name.Equals("Content-Transfer-Encoding", StringComparison.OrdinalIgnoreCase)
                && value is not ("binary" or "8bit" or "7bit"))
                throw Malformed("must not have encoded parts");
        }
        if (Name.Length == 0)
            throw Malformed("must have a name for each part");
    }

    /// <summary>Reads <c>form-data; name="model"; filename="a.wav"</c>, each at most once.</summary>
    void ReadDisposition(string value)
    {
        const string Kind = "form-data";
        if (!value.StartsWith(Kind, StringComparison.OrdinalIgnoreCase))
            throw Malformed("must have parts of form data");
        (FileName, var hasWideName) = (null, false);
        for (var rest = value.AsSpan(Kind.Length).TrimStart(); !rest.IsEmpty; rest = rest.TrimStart())
        {
            var equals = rest.IndexOf('=');
            if (rest[0] != ';' || equals < 0)
                throw Malformed("has a part whose name cannot be read");
            var key = rest[1..equals].Trim();
            rest = rest[(equals + 1)..];
            var quoted = rest.StartsWith("\"");
            var end = quoted ? rest[1..].IndexOf('"') : rest.IndexOfAny(';', ' ');
            var text = quoted && end >= 0 ? rest[1..(end + 1)] : quoted ? default : end < 0 ? rest : rest[..end];
            rest = rest[(quoted ? end + 2 : text.Length)..];
            // A backslash escapes a quote for some servers and is a plain character for others.
            if ((quoted && end < 0) || text.Contains('\\'))
                throw Malformed("has a part whose name cannot be read");
            if (key.Equals("name", StringComparison.OrdinalIgnoreCase) && Name.Length == 0 && !text.IsEmpty)
                Name = text.ToString();
            else if (key.Equals("filename", StringComparison.OrdinalIgnoreCase) && FileName is null)
                FileName = text.ToString();
            else if (key.Equals("filename*", StringComparison.OrdinalIgnoreCase) && !hasWideName)
                hasWideName = true;
            else
                throw Malformed("has a part whose name cannot be read");
        }
        IsFile = FileName is not null || hasWideName;
    }

    static void CheckCharset(string type)
    {
        var charset = type.IndexOf("charset=", StringComparison.OrdinalIgnoreCase);
        if (charset >= 0 && type[(charset + "charset=".Length)..].Trim('"', ' ') is var name
            && !name.Equals("utf-8", StringComparison.OrdinalIgnoreCase) && !name.Equals("us-ascii", StringComparison.OrdinalIgnoreCase))
            throw Malformed("must be written in UTF-8");
    }

    static ProblemException Malformed(string message) => new(Problems.Malformed($"The form {message}."));
}
