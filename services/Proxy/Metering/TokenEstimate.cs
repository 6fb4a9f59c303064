using System.Buffers.Text;
using System.Text.Json;

namespace LlmGateway.Proxy;

/// <summary>
/// Our own count of tokens, used only when a provider's count is missing or impossible. The rule can be checked by hand. A word is the text
/// between white space. It costs one token for each six units, rounded up. A Latin letter, digit or sign is one unit; a letter of another
/// alphabet (Greek, Cyrillic, Arabic) is two; any other character (Chinese, Japanese, emoji) is six. So a text of short words costs one
/// token a word, and no text costs more tokens than it has UTF-8 bytes. The text may be added in pieces that end inside a character.
/// </summary>
public struct TokenEstimate
{
    const int UnitsPerToken = 6;

    // Units that still fit into the last token of the word.
    int _room;

    // An incomplete character: its bits so far and the number of missing bytes.
    int _bits, _missing;

    public long Tokens { get; private set; }

    /// <summary>Counts UTF-8 text.</summary>
    public void Add(ReadOnlySpan<byte> utf8)
    {
        while (!utf8.IsEmpty)
        {
            var taken = _missing > 0 ? 0 : utf8.IndexOfAnyExceptInRange((byte)0, (byte)0x7F);
            if (taken < 0)
                taken = utf8.Length;
            if (taken > 0)
                AddAscii(utf8[..taken]);
            else
                AddByte(utf8[taken++]);
            utf8 = utf8[taken..];
        }
    }

    /// <summary>Nearly all of what is sent is ASCII, in which a character is one byte and one unit.</summary>
    void AddAscii(ReadOnlySpan<byte> ascii)
    {
        var (tokens, room) = (0L, _room);
        foreach (var value in ascii)
        {
            var isBlank = value is (byte)' ' or >= (byte)'\t' and <= (byte)'\r';
            tokens += !isBlank && room == 0 ? 1 : 0;
            room = isBlank ? 0 : (room == 0 ? UnitsPerToken : room) - 1;
        }
        Tokens += tokens;
        _room = room;
    }

    /// <summary>
    /// Counts the inside of a JSON string without decoding it. Escapes must be whole, but the halves of a surrogate pair may come in
    /// separate pieces.
    /// </summary>
    public void AddJson(ReadOnlySpan<byte> escaped)
    {
        for (int backslash; (backslash = escaped.IndexOf((byte)'\\')) >= 0 && backslash + 1 < escaped.Length;)
        {
            Add(escaped[..backslash]);
            escaped = escaped[(backslash + 1)..];
            if (escaped[0] == 'u' && escaped.Length >= 5 && Utf8Parser.TryParse(escaped[1..5], out ushort unit, out _, 'X'))
            {
                // A pair is one character, so only its second half is counted.
                if (!char.IsHighSurrogate((char)unit))
                    AddCharacter(unit);
                escaped = escaped[5..];
            }
            else
            {
                AddCharacter(escaped[0] is (byte)'n' or (byte)'r' or (byte)'t' or (byte)'f' ? ' ' : 'x');
                escaped = escaped[1..];
            }
        }
        Add(escaped);
    }

    /// <summary>Ends the word, because the next text is another one.</summary>
    public void Break() => (_room, _missing) = (0, 0);

    // The members of a body that reach the model, in all wires.
    static readonly byte[][] Roots =
    [
        "messages"u8.ToArray(), "system"u8.ToArray(), "contents"u8.ToArray(), "systemInstruction"u8.ToArray(),
        "system_instruction"u8.ToArray(),
        "input"u8.ToArray(), "instructions"u8.ToArray(), "prompt"u8.ToArray(), "suffix"u8.ToArray(), "content"u8.ToArray(),
        "requests"u8.ToArray(),
    ];

    // Members inside of those that are text.
    static readonly byte[][] Texts =
    [
        "content"u8.ToArray(), "text"u8.ToArray(), "refusal"u8.ToArray(), "arguments"u8.ToArray(), "reasoning_content"u8.ToArray(),
        "thinking"u8.ToArray(), "output"u8.ToArray(),
    ];

    // Members inside of those that hold JSON written or read by the model. Every string in them counts.
    static readonly byte[][] Objects = ["input"u8.ToArray(), "args"u8.ToArray(), "response"u8.ToArray()];

    /// <summary>Counts every string that is content in a request of any wire. It never throws.</summary>
    public static long OfRequest(ReadOnlySpan<byte> body)
    {
        var estimate = new TokenEstimate();
        try
        {
            var reader = new Utf8JsonReader(body);
            while (reader.Read())
            {
                if (reader.TokenType != JsonTokenType.PropertyName)
                    continue;
                var isRoot = reader.CurrentDepth == 1 && IsOne(ref reader, Roots);
                reader.Read();
                if (isRoot)
                    AddTexts(ref reader, ref estimate);
                else if (reader.CurrentDepth > 0)
                    reader.Skip();
            }
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            // Only accepted requests are counted, and those are valid. In any other text the strings before the defect count.
        }
        return estimate.Tokens;
    }

    /// <summary>
    /// A string counts, and so do the strings of an array. A number in an array is a token already and counts as one. In an object the text
    /// members count.
    /// </summary>
    /// <param name="all">True lets every member of an object count.</param>
    static void AddTexts(ref Utf8JsonReader reader, ref TokenEstimate estimate, bool all = false)
    {
        if (reader.TokenType == JsonTokenType.String)
        {
            estimate.AddJson(reader.ValueSpan);
            estimate.Break();
        }
        else if (reader.TokenType == JsonTokenType.StartArray)
            while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
            {
                estimate.Tokens += reader.TokenType == JsonTokenType.Number && !all ? 1 : 0;
                AddTexts(ref reader, ref estimate, all);
            }
        else if (reader.TokenType == JsonTokenType.StartObject)
            while (reader.NextMember())
            {
                var (isText, isObject) = (all || IsOne(ref reader, Texts), all || IsOne(ref reader, Objects));
                reader.Read();
                if (isText || isObject || reader.TokenType != JsonTokenType.String)
                    AddTexts(ref reader, ref estimate, isObject);
            }
    }

    static bool IsOne(ref Utf8JsonReader reader, byte[][] names)
    {
        foreach (var name in names)
            if (reader.ValueTextEquals(name))
                return true;
        return false;
    }

    void AddByte(byte value)
    {
        if (_missing > 0 && (value & 0xC0) == 0x80)
        {
            _bits = (_bits << 6) | (value & 0x3F);
            if (--_missing == 0)
                AddCharacter(_bits);
            return;
        }
        if (_missing > 0)
        {
            // The incomplete character counts as one.
            _missing = 0;
            AddCharacter('x');
        }
        switch (value)
        {
            case < 0x80: AddCharacter(value); break;
            case >= 0xC2 and < 0xE0: (_bits, _missing) = (value & 0x1F, 1); break;
            case >= 0xE0 and < 0xF0: (_bits, _missing) = (value & 0x0F, 2); break;
            case >= 0xF0 and < 0xF5: (_bits, _missing) = (value & 0x07, 3); break;
            default: AddCharacter('x'); break;
        }
    }

    void AddCharacter(int character)
    {
        if (character <= char.MaxValue && char.IsWhiteSpace((char)character))
        {
            _room = 0;
            return;
        }
        var units = Units(character);
        if (units > _room)
        {
            Tokens++;
            _room += UnitsPerToken;
        }
        _room -= units;
    }

    static int Units(int character) => character switch
    {
        < 0x0370 => 1,                  // Latin with all its accents
        < 0x0800 => 2,                  // the other alphabets of two bytes
        >= 0x1E00 and < 0x1F00 => 1,    // Latin of Vietnamese
        >= 0x2000 and < 0x2070 => 1,    // curly quotes, dashes
        _ => UnitsPerToken,
    };
}
