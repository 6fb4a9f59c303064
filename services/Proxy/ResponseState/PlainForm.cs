using System.Runtime.InteropServices;
using System.Text.Json;

namespace LlmGateway.Proxy.ResponseState;

/// <summary>
/// A provider's JSON in the form that <see cref="StrictJson"/> takes from callers: of two members of one name the last one, which is what
/// most parsers read, and no half characters.
/// </summary>
static class PlainForm
{
    public static byte[] Of(ReadOnlyMemory<byte> json)
    {
        using var parsed = JsonDocument.Parse(json, new() { MaxDepth = StrictJson.MaxDepth });
        return JsonPen.Write(pen => Write(pen, parsed.RootElement));
    }

    static void Write(Utf8JsonWriter pen, JsonElement value)
    {
        switch (value.ValueKind)
        {
            case JsonValueKind.Object:
                pen.WriteStartObject();
                foreach (var (name, member) in Members(value))
                {
                    pen.WritePropertyName(name);
                    Write(pen, member);
                }
                pen.WriteEndObject();
                break;
            case JsonValueKind.Array:
                pen.WriteStartArray();
                foreach (var element in value.EnumerateArray())
                    Write(pen, element);
                pen.WriteEndArray();
                break;
            case JsonValueKind.String:
                pen.WriteStringValue(TextOf(JsonMarshal.GetRawUtf8Value(value)));
                break;
            default:
                pen.WriteRaw(value);
                break;
        }
    }

    static Dictionary<string, JsonElement> Members(JsonElement owner)
    {
        var members = new Dictionary<string, JsonElement>(StringComparer.Ordinal);
        foreach (var member in owner.EnumerateObject())
            members[TextOf([(byte)'"', .. JsonMarshal.GetRawUtf8PropertyName(member), (byte)'"'])] = member.Value;
        return members;
    }

    /// <summary>The writer replaces half a surrogate pair that stays in the text.</summary>
    static string TextOf(ReadOnlySpan<byte> quoted)
    {
        var reader = new Utf8JsonReader(quoted);
        reader.Read();
        return reader.Text();
    }
}
