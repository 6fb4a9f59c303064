using System.Buffers;
using System.Buffers.Text;
using System.Text;
using System.Text.Json;

namespace LlmGateway.Proxy;

/// <summary>
/// Steps through a provider's JSON. It throws only <see cref="JsonException"/>, whatever the bytes. Half a character or invalid UTF-8
/// inside a string is accepted. Callers' JSON goes through <see cref="StrictJson"/>.
/// </summary>
static class LenientJson
{
    /// <summary>True at a member or string of exactly these bytes.</summary>
    public static bool Has(this ref Utf8JsonReader reader, ReadOnlySpan<byte> text) =>
        !reader.ValueIsEscaped && reader.ValueSpan.SequenceEqual(text);

    /// <summary>Steps to the next member's name; false at the end of the object.</summary>
    public static bool NextMember(this ref Utf8JsonReader reader) => reader.Read() && reader.TokenType == JsonTokenType.PropertyName;

    /// <summary>Steps over the rest of the current value.</summary>
    public static void StepOver(this ref Utf8JsonReader reader)
    {
        if (reader.TokenType is JsonTokenType.StartObject or JsonTokenType.StartArray)
            reader.Skip();
    }

    /// <summary>
    /// The text of a string. Half a surrogate pair stays as it is, and invalid UTF-8 becomes U+FFFD. Any other token gives an empty text.
    /// </summary>
    public static string Text(this ref Utf8JsonReader reader)
    {
        if (reader.TokenType != JsonTokenType.String)
            return "";
        return reader.ValueIsEscaped ? Unescape(reader.ValueSpan) : Encoding.UTF8.GetString(reader.ValueSpan);
    }

    /// <summary>Steps to a member's value and over it. Its text; null for what is no string.</summary>
    public static string? NextText(this ref Utf8JsonReader reader)
    {
        reader.Read();
        if (reader.TokenType == JsonTokenType.String)
            return reader.Text();
        reader.StepOver();
        return null;
    }

    /// <summary>Steps over the current value. The text that its member has; null where there is none.</summary>
    public static string? TextOf(this ref Utf8JsonReader reader, ReadOnlySpan<byte> member)
    {
        string? found = null;
        if (reader.TokenType != JsonTokenType.StartObject)
            reader.StepOver();
        else
            while (reader.NextMember())
            {
                var isIt = reader.Has(member);
                found = reader.NextText() is { } text && isIt ? text : found;
            }
        return found;
    }

    /// <summary>Steps over an error, which is an object with a message, or a plain message.</summary>
    public static string? ErrorMessage(this ref Utf8JsonReader reader) =>
        reader.TokenType == JsonTokenType.String ? reader.Text() : reader.TextOf("message"u8);

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

    /// <param name="rest">The reader has checked that the escapes are whole.</param>
    static string Unescape(ReadOnlySpan<byte> rest)
    {
        // No byte becomes more than one UTF-16 unit.
        var text = ArrayPool<char>.Shared.Rent(rest.Length);
        var length = 0;
        for (int backslash; (backslash = rest.IndexOf((byte)'\\')) >= 0;)
        {
            length += Encoding.UTF8.GetChars(rest[..backslash], text.AsSpan(length));
            var escape = rest[(backslash + 1)..];
            var unit = escape[0] == 'u' && Utf8Parser.TryParse(escape[1..5], out ushort given, out _, 'X') ? (char)given : '\0';
            text[length++] = escape[0] switch
            {
                (byte)'u' => unit,
                (byte)'n' => '\n',
                (byte)'r' => '\r',
                (byte)'t' => '\t',
                (byte)'b' => '\b',
                (byte)'f' => '\f',
                var same => (char)same,
            };
            rest = escape[(escape[0] == 'u' ? 5 : 1)..];
        }
        length += Encoding.UTF8.GetChars(rest, text.AsSpan(length));
        var unescaped = new string(text, 0, length);
        ArrayPool<char>.Shared.Return(text);
        return unescaped;
    }
}
