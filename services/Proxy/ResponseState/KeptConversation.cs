using System.Buffers.Binary;
using System.IO.Compression;
using System.Runtime.InteropServices;
using System.Text.Json;
using LlmGateway.Proxy.Translation;

namespace LlmGateway.Proxy.ResponseState;

/// <summary>A response and the whole conversation before it, as they are kept.</summary>
/// <param name="Provider">Who answered. Its encrypted thoughts mean nothing to others.</param>
/// <param name="Input">Every item before the answer, in full.</param>
/// <param name="Response">The response as its caller got it.</param>
public sealed record KeptConversation(string Provider, IReadOnlyList<JsonElement> Input, JsonElement Response)
{
    /// <summary>Largest conversation, in bytes of JSON. Requests have at most 20 MB and answers 32 MB.</summary>
    const int MaxBytes = 64 * 1024 * 1024;

    // The fastest of Brotli's levels makes a third of JSON, at several hundred megabytes a second.
    const int Quality = 1, Window = 22;

    public IEnumerable<JsonElement> Items => Input.Concat(Output);

    public IEnumerable<JsonElement> Output => Response.Find("output") is { ValueKind: JsonValueKind.Array } output
        ? output.EnumerateArray()
        : [];

    /// <summary>Length of the JSON, then the JSON in Brotli. Null when it is larger than what is kept.</summary>
    public byte[]? Pack()
    {
        var json = JsonPen.Write(pen =>
        {
            pen.WriteStartObject();
            pen.WriteString("provider", Provider);
            pen.WriteStartArray("input");
            foreach (var item in Input)
                pen.WriteRaw(item);
            pen.WriteEndArray();
            pen.WritePropertyName("response");
            pen.WriteRaw(Response);
            pen.WriteEndObject();
        });
        if (json.Length > MaxBytes)
            return null;
        var packed = new byte[sizeof(int) + BrotliEncoder.GetMaxCompressedLength(json.Length)];
        BinaryPrimitives.WriteInt32LittleEndian(packed, json.Length);
        return BrotliEncoder.TryCompress(json, packed.AsSpan(sizeof(int)), out var written, Quality, Window)
            ? packed[..(sizeof(int) + written)]
            : null;
    }

    /// <exception cref="InvalidDataException">It is not what <see cref="Pack"/> wrote.</exception>
    public static KeptConversation Unpack(ReadOnlySpan<byte> packed)
    {
        var length = packed.Length < sizeof(int) ? -1 : BinaryPrimitives.ReadInt32LittleEndian(packed);
        if (length is < 0 or > MaxBytes)
            throw new InvalidDataException("not a kept conversation");
        var json = new byte[length];
        if (!BrotliDecoder.TryDecompress(packed[sizeof(int)..], json, out var written) || written != length)
            throw new InvalidDataException("not a kept conversation");
        // What stands three levels into this object was at the top of a request that may be 64 levels deep.
        var reader = new Utf8JsonReader(json, new JsonReaderOptions { MaxDepth = StrictJson.MaxDepth + 3 });
        var root = JsonElement.ParseValue(ref reader);
        return new(
            root.GetProperty("provider").GetString()!, [.. root.GetProperty("input").EnumerateArray()], root.GetProperty("response"));
    }
}

static class RawElements
{
    /// <summary>Writes an element as it was read, byte for byte.</summary>
    public static void WriteRaw(this Utf8JsonWriter json, JsonElement element) =>
        json.WriteRawValue(JsonMarshal.GetRawUtf8Value(element), skipInputValidation: true);
}
