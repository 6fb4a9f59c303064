using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace LlmGateway.Contracts.Expressions;

/// <summary>Reads and writes JSON as values, within an evaluation's bounds.</summary>
static class JsonValues
{
    /// <summary>False when the bytes are no JSON, or hold a number that is none of ours. The evaluation may have failed, too.</summary>
    public static bool TryRead(ReadOnlySpan<byte> utf8, Evaluation run, Node at, out Value value)
    {
        value = Value.Null;
        if (!run.Spend(1 + (utf8.Length / Evaluation.BytesPerStep), at))
            return false;
        try
        {
            var reader = new Utf8JsonReader(utf8);
            return reader.Read() && TryRead(ref reader, run, at, out value) && !reader.Read();
        }
        catch (JsonException)
        {
            return false;
        }
    }

    static bool TryRead(ref Utf8JsonReader reader, Evaluation run, Node at, out Value value)
    {
        value = Value.Null;
        var text = reader.TokenType == JsonTokenType.String ? reader.ValueSpan.Length : 0;
        if (!run.Spend(1, at) || !run.Keep(text, at))
            return false;
        switch (reader.TokenType)
        {
            case JsonTokenType.StartObject:
                return TryReadObject(ref reader, run, at, out value);
            case JsonTokenType.StartArray:
                return TryReadArray(ref reader, run, at, out value);
            case JsonTokenType.String:
                value = Value.Of(TextOf(ref reader));
                return true;
            case JsonTokenType.Number:
                var isOurs = reader.TryGetDecimal(out var number);
                value = Value.Of(number);
                return isOurs;
            case JsonTokenType.Null:
                return true;
            default:
                value = Value.Of(reader.TokenType == JsonTokenType.True);
                return true;
        }
    }

    static bool TryReadObject(ref Utf8JsonReader reader, Evaluation run, Node at, out Value value)
    {
        var members = new Dictionary<string, Value>();
        value = Value.Of(members);
        while (reader.Read() && reader.TokenType != JsonTokenType.EndObject)
        {
            if (!run.Keep(reader.ValueSpan.Length, at))
                return false;
            var name = TextOf(ref reader);
            reader.Read();
            if (!TryRead(ref reader, run, at, out var member))
                return false;
            members[name] = member;
        }
        return true;
    }

    static bool TryReadArray(ref Utf8JsonReader reader, Evaluation run, Node at, out Value value)
    {
        var items = new List<Value>();
        value = Value.Null;
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            if (!TryRead(ref reader, run, at, out var item))
                return false;
            items.Add(item);
        }
        value = Value.Of(items.ToArray());
        return true;
    }

    /// <summary>Half a character, which a stream may have at the end of a piece, stays as it is. Invalid bytes become U+FFFD.</summary>
    static string TextOf(ref Utf8JsonReader reader)
    {
        var text = Encoding.UTF8.GetString(reader.ValueSpan);
        if (!reader.ValueIsEscaped)
            return text;
        var to = new StringBuilder(text.Length);
        for (var i = 0; i < text.Length; i++)
        {
            if (text[i] != '\\')
            {
                to.Append(text[i]);
                continue;
            }
            // The reader has seen that the escape is whole.
            var letter = text[++i];
            if (letter == 'u')
                i += 4;
            to.Append(letter switch
            {
                'u' => (char)ushort.Parse(text.AsSpan(i - 3, 4), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture),
                'n' => '\n',
                'r' => '\r',
                't' => '\t',
                'b' => '\b',
                'f' => '\f',
                _ => letter,
            });
        }
        return to.ToString();
    }

    static readonly JsonWriterOptions Form =
        new() { SkipValidation = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>The JSON of a value; empty when the evaluation has failed on the way.</summary>
    public static string Write(Value value, Evaluation run, Node at)
    {
        var buffer = new ArrayBufferWriter<byte>();
        using (var writer = new Utf8JsonWriter(buffer, Form))
            Write(writer, value, run, at);
        return run.Failure is null ? Encoding.UTF8.GetString(buffer.WrittenSpan) : "";
    }

    static void Write(Utf8JsonWriter to, Value value, Evaluation run, Node at, int depth = 0)
    {
        if (!run.IsShallow(depth, at) || !run.Spend(1, at) || !run.Keep(value.Kind == Kinds.Text ? EscapedLength(value.Text) : 1, at))
            return;
        switch (value.Kind)
        {
            case Kinds.Map:
                to.WriteStartObject();
                foreach (var (name, member) in value.Members)
                {
                    if (!run.Keep(EscapedLength(name), at))
                        return;
                    to.WritePropertyName(Whole(name));
                    Write(to, member, run, at, depth + 1);
                }
                to.WriteEndObject();
                break;
            case Kinds.Array:
                to.WriteStartArray();
                foreach (var item in value.Items)
                    Write(to, item, run, at, depth + 1);
                to.WriteEndArray();
                break;
            case Kinds.Text:
                to.WriteStringValue(Whole(value.Text));
                break;
            case Kinds.Number:
                to.WriteRawValue(Value.TextOf(value.Number));
                break;
            case Kinds.Truth:
                to.WriteBooleanValue(value.Truth);
                break;
            default:
                to.WriteNullValue();
                break;
        }
    }

    /// <summary>A character may become six.</summary>
    static long EscapedLength(string text)
    {
        Span<char> piece = stackalloc char[512];
        var length = 0L;
        for (var rest = text.AsSpan(); !rest.IsEmpty;)
        {
            Form.Encoder!.Encode(rest, piece, out var read, out var written);
            rest = rest[read..];
            length += written;
        }
        return length;
    }

    /// <summary>The writer throws on half a character.</summary>
    static string Whole(string text) => Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(text));
}
