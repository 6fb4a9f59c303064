using System.Buffers.Text;

namespace LlmGateway.Proxy;

/// <summary>
/// Our own count of tokens, for a provider that sends none and for callers who ask before they call. It is held to within a tenth of
/// OpenAI's tokenizer (o200k) on prose, code, JSON, Chinese and definitions of tools. It knows no vocabulary, only how a text is cut there.
/// A word costs one token, and more when it is long or in capitals. Up to three digits cost one. A row of signs costs one, and more
/// when it is long. A single space belongs to the word behind it. Four ideographs cost three. So a text of short words costs one token a
/// word, and no text costs more tokens than it has UTF-8 bytes. The text may be added in pieces that end inside a character.
/// </summary>
public partial struct TokenEstimate
{
    /// <summary>The units of one token, so that parts of one can be counted.</summary>
    const int Token = 12;

    // Letters of a word that cost nothing, and the units of each further one.
    const int ShortWord = 9, LongWordLetter = 4;

    // Capitals are rare in vocabularies; a sign before a word is often a part of the word's token.
    const int FurtherCapital = 3, SignBeforeWord = Token / 2, ApostropheInWord = 4;

    // Signs that are one token together, and the units of each further one.
    const int ShortRow = 3, FurtherSign = 3;

    const int FurtherDigits = 3, Ideograph = 9, RareCharacter = 24;

    // Other alphabets, such as Cyrillic, whose words are cut more often.
    const int OtherWord = 10, OtherLetter = 3;

    enum Kind : byte { None, Small, Capital, Digit, Blank, Newline, Sign, Apostrophe, Ideograph, Other }

    static readonly Kind[] Ascii =
    [
        .. Enumerable.Range(0, 128).Select(c => (char)c switch
        {
            >= 'a' and <= 'z' => Kind.Small,
            >= 'A' and <= 'Z' => Kind.Capital,
            >= '0' and <= '9' => Kind.Digit,
            '\n' or '\r' => Kind.Newline,
            ' ' or '\t' or '\v' or '\f' => Kind.Blank,
            '\'' => Kind.Apostrophe,
            _ => Kind.Sign,
        }),
    ];

    // The last character and the length of the row that it ends.
    Kind _kind;
    int _row;

    // What the end of a line costs when another line follows it.
    int _endOfLine;

    // An incomplete character: its bits so far and the number of missing bytes.
    int _bits, _missing;

    long _units;

    public readonly long Tokens => (_units + Token - 1) / Token;

    /// <summary>Counts UTF-8 text.</summary>
    public void Add(ReadOnlySpan<byte> utf8)
    {
        foreach (var value in utf8)
            if (value < 0x80 && _missing == 0)
                Step(Ascii[value]);
            else
                AddByte(value);
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
                // A pair is one character, so only its second half is counted. No character outside of pairs costs what one does.
                if (!char.IsHighSurrogate((char)unit))
                    AddCharacter(char.IsLowSurrogate((char)unit) ? char.MaxValue + 1 : unit);
                escaped = escaped[5..];
            }
            else
            {
                Step(escaped[0] switch
                {
                    (byte)'n' or (byte)'r' => Kind.Newline,
                    (byte)'t' or (byte)'f' => Kind.Blank,
                    _ => Kind.Sign,
                });
                escaped = escaped[1..];
            }
        }
        Add(escaped);
    }

    /// <summary>Ends the word, because the next text is another one.</summary>
    public void Break() => (_kind, _row, _endOfLine, _missing) = (Kind.None, 0, 0, 0);

    void Step(Kind kind)
    {
        if (kind != Kind.Newline)
        {
            _units += _endOfLine;
            _endOfLine = 0;
        }
        switch (kind)
        {
            case Kind.Small when _kind is Kind.Small or Kind.Capital or Kind.Apostrophe:
                _units += ++_row > ShortWord ? LongWordLetter : 0;
                break;
            case Kind.Capital when _kind == Kind.Capital:
                _row++;
                _units += FurtherCapital;
                break;
            case Kind.Small or Kind.Capital:
                Begin(_kind == Kind.Sign && _row == 1 ? Token - SignBeforeWord : Token);
                break;
            case Kind.Digit when _kind == Kind.Digit:
                _units += _row++ % FurtherDigits == 0 ? Token : 0;
                break;
            case Kind.Digit:
                // A space does not belong to the number behind it.
                Begin(_kind == Kind.Blank ? 2 * Token : Token);
                break;
            case Kind.Blank when _kind == Kind.Blank:
                _units += ++_row == 2 ? Token : 0;
                break;
            case Kind.Blank:
                Begin(0);
                break;
            case Kind.Newline:
                // The ends of lines belong to the signs or blanks before them.
                if (_kind is not (Kind.None or Kind.Newline or Kind.Sign) && !(_kind == Kind.Blank && _row > 1))
                    _endOfLine = Token;
                break;
            case Kind.Apostrophe when _kind is Kind.Small or Kind.Capital:
                _units += ApostropheInWord;
                break;
            case Kind.Apostrophe or Kind.Sign when _kind is Kind.Apostrophe or Kind.Sign:
                kind = Kind.Sign;
                _units += ++_row > ShortRow ? FurtherSign : 0;
                break;
            case Kind.Apostrophe or Kind.Sign:
                kind = Kind.Sign;
                Begin(Token);
                break;
            case Kind.Other:
                _units += _kind == Kind.Other ? OtherLetter : OtherWord;
                break;
            case Kind.Ideograph:
                _units += Ideograph;
                break;
        }
        _kind = kind;
    }

    /// <summary>A row of characters of one kind begins.</summary>
    void Begin(int units)
    {
        _row = 1;
        _units += units;
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
            Step(Kind.Sign);
        }
        switch (value)
        {
            case < 0x80: Step(Ascii[value]); break;
            case >= 0xC2 and < 0xE0: (_bits, _missing) = (value & 0x1F, 1); break;
            case >= 0xE0 and < 0xF0: (_bits, _missing) = (value & 0x0F, 2); break;
            case >= 0xF0 and < 0xF5: (_bits, _missing) = (value & 0x07, 3); break;
            default: Step(Kind.Sign); break;
        }
    }

    void AddCharacter(int character)
    {
        if (character < 0x80)
            Step(Ascii[character]);
        else if (character <= char.MaxValue && char.IsWhiteSpace((char)character))
            Step(Kind.Blank);
        else
            switch (character)
            {
                case < 0x00C0 or (>= 0x2010 and < 0x2070): Step(Kind.Sign); break; // curly quotes, dashes
                case < 0x0370 or (>= 0x1E00 and < 0x1F00): Step(Kind.Small); break; // Latin with all its accents
                case < 0x0800: Step(Kind.Other); break;
                case <= char.MaxValue: Step(Kind.Ideograph); break;
                default:
                    Step(Kind.Ideograph);
                    _units += RareCharacter - Ideograph; // emoji
                    break;
            }
    }
}
