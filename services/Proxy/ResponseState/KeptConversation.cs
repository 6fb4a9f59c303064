using System.IO.Compression;
using System.Runtime.InteropServices;
using System.Text.Json;
using LlmGateway.Contracts;
using LlmGateway.Proxy.Translation;

namespace LlmGateway.Proxy.ResponseState;

/// <summary>A response and the whole conversation before it, as they are kept.</summary>
/// <param name="Provider">Who answered.</param>
/// <param name="Makers">Who made the items of the input that are encrypted, by their places. What its caller brought has no maker.</param>
/// <param name="Input">Every item before the answer, in full.</param>
/// <param name="Response">The response as its caller got it.</param>
public sealed record KeptConversation(
    string Provider, IReadOnlyDictionary<int, string> Makers, IReadOnlyList<JsonElement> Input, JsonElement Response)
{
    // The fastest of Brotli's levels makes a third of JSON, at several hundred megabytes a second.
    const int Quality = 1, Window = 22;

    /// <summary>Every item, with the provider that encrypted it where that is known.</summary>
    public IEnumerable<(JsonElement Item, string? Maker)> Items => Input.Select((item, index) => (item, Makers.GetValueOrDefault(index)))
        .Concat(OutputOf(Response).Select(item => (item, (string?)Provider)));

    /// <summary>The items of an answer. What is no object could not be said again.</summary>
    public static IEnumerable<JsonElement> OutputOf(JsonElement response) =>
        response.Find("output") is { ValueKind: JsonValueKind.Array } output
            ? output.EnumerateArray().Where(item => item.ValueKind == JsonValueKind.Object)
            : [];

    /// <param name="input">The <c>input</c> of the request, an array or a text.</param>
    /// <param name="response">The response, an object.</param>
    public static byte[] Write(
        string provider, IReadOnlyDictionary<int, string> makers, ReadOnlySpan<byte> input, ReadOnlySpan<byte> response)
    {
        var head = JsonPen.Write(pen =>
        {
            pen.WriteStartObject();
            pen.WriteString("provider", provider);
            pen.WriteStartObject("makers");
            foreach (var (index, maker) in makers)
                pen.WriteString($"{index}", maker);
            pen.WriteEndObject();
            pen.WritePropertyName("input");
        });
        return input[0] == '['
            ? [.. head, .. input, .. ",\"response\":"u8, .. response, .. "}"u8]
            : [.. head, .. "[{\"role\":\"user\",\"content\":"u8, .. input, .. "}],\"response\":"u8, .. response, .. "}"u8];
    }

    /// <summary>What <see cref="Write"/> wrote.</summary>
    public static KeptConversation Read(ReadOnlyMemory<byte> json)
    {
        // What stands three levels into this object was at the top of a request that may be 64 levels deep.
        var root = JsonDocument.Parse(json, new() { MaxDepth = StrictJson.MaxDepth + 3 }).RootElement;
        return new(
            root.GetProperty("provider").GetString()!,
            root.GetProperty("makers").EnumerateObject().ToDictionary(maker => int.Parse(maker.Name), maker => maker.Value.GetString()!),
            [.. root.GetProperty("input").EnumerateArray()],
            root.GetProperty("response"));
    }

    /// <summary>The JSON in Brotli.</summary>
    public static byte[] Pack(ReadOnlySpan<byte> json)
    {
        var packed = new byte[BrotliEncoder.GetMaxCompressedLength(json.Length)];
        return BrotliEncoder.TryCompress(json, packed, out var written, Quality, Window)
            ? packed[..written]
            : throw new InvalidOperationException("a conversation does not fit its largest compressed form");
    }

    /// <param name="length">Length of the JSON.</param>
    /// <exception cref="InvalidDataException">It is not what <see cref="Pack"/> made of so many bytes.</exception>
    public static byte[] Unpack(ReadOnlySpan<byte> packed, int length)
    {
        if (length is < 0 or > KeptResponse.MaxBytes)
            throw new InvalidDataException("not a kept conversation");
        var json = new byte[length];
        return BrotliDecoder.TryDecompress(packed, json, out var written) && written == length
            ? json
            : throw new InvalidDataException("not a kept conversation");
    }
}

static class RawElements
{
    /// <summary>Writes an element as it was read, byte for byte.</summary>
    public static void WriteRaw(this Utf8JsonWriter json, JsonElement element) =>
        json.WriteRawValue(JsonMarshal.GetRawUtf8Value(element), skipInputValidation: true);
}
