using System.Text;
using System.Text.Json;

namespace LlmGateway.Sandbox;

/// <summary>Strings as real providers write them: in UTF-8, with no more escapes than JSON needs. The framework's encoders escape emoji,
/// and then nothing would be left to split inside a character.</summary>
public static class RawJson
{
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
}
