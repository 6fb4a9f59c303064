using System.Buffers;
using System.Buffers.Text;
using System.Text;
using System.Text.Json;

namespace LlmGateway.Proxy;

/// <summary>
/// Steps over a provider's JSON. Only <see cref="JsonException"/> can come out of it, whatever the bytes: escapes are resolved by <see cref="Text"/> alone, which bears
/// half a character or invalid UTF-8. Callers' JSON goes through <see cref="StrictJson"/>.
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

    /// <summary>
    /// The current string with its escapes resolved. Bytes that are no UTF-8 become replacement characters; half a surrogate pair stays, the other half may be in the next piece.
    /// </summary>
    public static string Text(this ref Utf8JsonReader reader)
    {
        var rest = reader.ValueSpan;
        if (!reader.ValueIsEscaped)
            return Encoding.UTF8.GetString(rest);
        var chars = ArrayPool<char>.Shared.Rent(rest.Length);
        var count = 0;
        for (int backslash; (backslash = rest.IndexOf((byte)'\\')) >= 0;)
        {
            count += Encoding.UTF8.GetChars(rest[..backslash], chars.AsSpan(count));
            chars[count++] = Unescaped(rest[(backslash + 1)..], out var length);
            rest = rest[(backslash + 1 + length)..];
        }
        count += Encoding.UTF8.GetChars(rest, chars.AsSpan(count));
        var text = new string(chars, 0, count);
        ArrayPool<char>.Shared.Return(chars);
        return text;
    }

    /// <summary>The reader has seen to it that the escape is whole.</summary>
    /// <param name="length">Bytes of the escape without its backslash.</param>
    static char Unescaped(ReadOnlySpan<byte> escape, out int length)
    {
        length = 1;
        switch (escape[0])
        {
            case (byte)'u':
                length = 5;
                return Utf8Parser.TryParse(escape[1..5], out ushort unit, out _, 'X') ? (char)unit : '\uFFFD';
            case (byte)'n': return '\n';
            case (byte)'r': return '\r';
            case (byte)'t': return '\t';
            case (byte)'b': return '\b';
            case (byte)'f': return '\f';
            default: return (char)escape[0];
        }
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
