using System.Buffers;
using System.Buffers.Text;
using System.Diagnostics.CodeAnalysis;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace LlmGateway.Proxy;

/// <summary>
/// The one JSON writer of an answer. It is reused, so that a piece of text costs no allocation. Half a surrogate pair becomes a replacement
/// character.
/// </summary>
[SuppressMessage("Design", "CA1001", Justification = "A writer that stands on a buffer holds nothing that must be given back.")]
sealed class JsonPen
{
    static readonly JsonWriterOptions Options = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, SkipValidation = true };

    Utf8JsonWriter? _json;

    /// <summary>Begins a JSON text; the caller flushes it before the pen is used again.</summary>
    public Utf8JsonWriter On(IBufferWriter<byte> to)
    {
        if (_json is null)
            return _json = new Utf8JsonWriter(to, Options);
        _json.Reset(to);
        return _json;
    }

    /// <summary>A string with its quotes.</summary>
    public void WriteString(string text, IBufferWriter<byte> to)
    {
        var json = On(to);
        json.WriteStringValue(text);
        json.Flush();
    }

    /// <summary>A JSON text of its own.</summary>
    public static byte[] Write(Action<Utf8JsonWriter> content)
    {
        var text = new ArrayBufferWriter<byte>(4096);
        using var json = new Utf8JsonWriter(text, Options);
        content(json);
        json.Flush();
        return text.WrittenSpan.ToArray();
    }

    public static void WriteNumber(long number, IBufferWriter<byte> to)
    {
        Utf8Formatter.TryFormat(number, to.GetSpan(20), out var length);
        to.Advance(length);
    }
}
