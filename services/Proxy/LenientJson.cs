using System.Text.Json;

namespace LlmGateway.Proxy;

/// <summary>
/// Steps over a provider's JSON. Only <see cref="JsonException"/> can come out of it, whatever the bytes: escapes are never resolved, so half a
/// character or invalid UTF-8 inside a string is nobody's problem. Callers' JSON goes through <see cref="StrictJson"/>.
/// </summary>
static class LenientJson
{
    /// <summary>True at a member or string of exactly these bytes.</summary>
    public static bool Has(this ref Utf8JsonReader reader, ReadOnlySpan<byte> text) => !reader.ValueIsEscaped && reader.ValueSpan.SequenceEqual(text);

    /// <summary>Steps to the next member's name; false at the end of the object.</summary>
    public static bool NextMember(this ref Utf8JsonReader reader) => reader.Read() && reader.TokenType == JsonTokenType.PropertyName;

    /// <summary>Steps over the rest of the current value.</summary>
    public static void StepOver(this ref Utf8JsonReader reader)
    {
        if (reader.TokenType is JsonTokenType.StartObject or JsonTokenType.StartArray)
            reader.Skip();
    }

    public static bool IsJson(ReadOnlySpan<byte> text)
    {
        try
        {
            var reader = new Utf8JsonReader(text);
            while (reader.Read())
                reader.StepOver();
            return true;
        }
        catch (JsonException)
        {
            return false;
        }
    }
}
