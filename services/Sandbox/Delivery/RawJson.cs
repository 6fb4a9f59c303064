using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace LlmGateway.Sandbox;

/// <summary>
/// Writes strings as real providers do, in UTF-8, with no more escapes than JSON needs. The framework's encoders escape emoji, and then
/// nothing would be left to split inside a character.
/// </summary>
public static class RawJson
{
    static readonly JsonSerializerOptions Options = new()
    {
        Converters = { new RawText() },
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    };

    static ReadOnlySpan<byte> EndOfEvent => "\n\n"u8;

    /// <summary>Writes a member as null. A member that is <c>null</c> in C# is left out.</summary>
    public static object Null { get; } = JsonElement.Parse("null");

    /// <summary>An object whose members are written as they are named.</summary>
    public static byte[] Of(object value) => JsonSerializer.SerializeToUtf8Bytes(value, Options);

    /// <summary>A server-sent event without a name.</summary>
    public static byte[] Event(object data) => [.. "data: "u8, .. Of(data), .. EndOfEvent];

    /// <summary>A server-sent event.</summary>
    public static byte[] Event(string name, object data) => Frame(name, Of(data));

    /// <summary>A server-sent event whose data are JSON already.</summary>
    public static byte[] Frame(string name, ReadOnlySpan<byte> data) =>
        [.. Encoding.UTF8.GetBytes($"event: {name}\ndata: "), .. data, .. EndOfEvent];

    public static void WriteText(this Utf8JsonWriter json, string name, string text)
    {
        json.WritePropertyName(name);
        json.WriteRawValue(Quote(text), skipInputValidation: true);
    }

    /// <summary>A text as a JSON string, quotes included.</summary>
    public static string Quote(string text)
    {
        var quoted = new StringBuilder(text.Length + 2).Append('"');
        foreach (var character in text)
        {
            _ = character switch
            {
                '"' => quoted.Append("\\\""),
                '\\' => quoted.Append("\\\\"),
                '\n' => quoted.Append("\\n"),
                < ' ' => quoted.Append("\\u").Append(((int)character).ToString("x4")),
                _ => quoted.Append(character),
            };
        }
        return quoted.Append('"').ToString();
    }

    sealed class RawText : JsonConverter<string>
    {
        public override string? Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) => reader.GetString();

        public override void Write(Utf8JsonWriter writer, string value, JsonSerializerOptions options) =>
            writer.WriteRawValue(Quote(value), skipInputValidation: true);
    }
}
