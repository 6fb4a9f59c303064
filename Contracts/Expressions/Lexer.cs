using System.Globalization;
using System.Text;

namespace LlmGateway.Contracts.Expressions;

enum LexemeKind { Number, Text, Word, Sign, End }

/// <param name="Text">A sign, a word, the content of a text, or a number as written.</param>
readonly record struct Lexeme(LexemeKind Kind, string Text, int At, decimal Number = 0);

/// <summary>Splits a source into words, signs, numbers and texts. Takes any characters.</summary>
sealed class Lexer(string source)
{
    /// <summary>Longer ones first.</summary>
    static readonly string[] Signs =
    [
        "??", "?.", "&&", "||", "==", "!=", "<=", ">=", "**", "..",
        "+", "-", "*", "/", "%", "^", "<", ">", "!", "?", ":", ".", ",", ";", "=", "|", "#", "(", ")", "[", "]", "{", "}",
    ];

    readonly List<Lexeme> _lexemes = [];
    int _at;
    ExpressionError? _error;

    /// <returns>What was found up to the error, and an end.</returns>
    public static (List<Lexeme> Lexemes, ExpressionError? Error) Read(string source)
    {
        var lexer = new Lexer(source);
        while (lexer._error is null && lexer.SkipBlanks())
            lexer.ReadNext();
        lexer._lexemes.Add(new(LexemeKind.End, "", source.Length));
        return (lexer._lexemes, lexer._error);
    }

    public static bool IsName(string text) =>
        text.Length > 0 && IsNameStart(text[0]) && text.All(character => IsNameStart(character) || char.IsAsciiDigit(character));

    static bool IsNameStart(char character) => char.IsAsciiLetter(character) || character is '_' or '$';

    char Peek(int ahead = 0) => _at + ahead < source.Length ? source[_at + ahead] : '\0';

    void Fail(int at, string message, string? hint = null) => _error ??= ExpressionError.At(source, at, message, hint);

    /// <summary>Steps over blanks and comments; false at the end.</summary>
    bool SkipBlanks()
    {
        while (_at < source.Length)
        {
            var rest = source.AsSpan(_at);
            if (char.IsWhiteSpace(rest[0]))
                _at++;
            else if (rest.StartsWith("//"))
                _at += rest.IndexOf('\n') is >= 0 and var end ? end : rest.Length;
            else if (rest.StartsWith("/*"))
            {
                var end = rest[2..].IndexOf("*/");
                if (end < 0)
                    Fail(_at, "The comment has no end.", "Close it with */.");
                _at += end < 0 ? rest.Length : end + 4;
            }
            else
                return true;
        }
        return false;
    }

    void ReadNext()
    {
        var next = Peek();
        if (IsNameStart(next))
            ReadWord();
        else if (char.IsAsciiDigit(next) || (next == '.' && char.IsAsciiDigit(Peek(1))))
            ReadNumber();
        else if (next is '"' or '\'')
            ReadText(next);
        else if (next == '`')
            ReadRawText();
        else
            ReadSign();
    }

    void ReadWord()
    {
        var start = _at;
        while (IsNameStart(Peek()) || char.IsAsciiDigit(Peek()))
            _at++;
        _lexemes.Add(new(LexemeKind.Word, source[start.._at], start));
    }

    void ReadSign()
    {
        var sign = Array.Find(Signs, sign => source.AsSpan(_at).StartsWith(sign, StringComparison.Ordinal));
        if (sign is null)
        {
            Fail(_at, $"'{Rune(_at)}' is no sign of this language.", source[_at] is '&' ? "Both are said by &&." : null);
            return;
        }
        _lexemes.Add(new(LexemeKind.Sign, sign, _at));
        _at += sign.Length;
    }

    void ReadNumber()
    {
        var start = _at;
        var radix = Peek() != '0' ? 10 : char.ToLowerInvariant(Peek(1)) switch { 'x' => 16, 'o' => 8, 'b' => 2, _ => 10 };
        if (radix != 10)
            _at += 2;
        while (char.IsAsciiHexDigit(Peek()) || Peek() == '_')
        {
            if (radix == 10 && !char.IsAsciiDigit(Peek()) && Peek() != '_')
                break;
            _at++;
        }
        if (radix == 10)
            ReadFraction();
        var text = source[start.._at].Replace("_", "", StringComparison.Ordinal);
        if (IsNameStart(Peek()) || !TryNumber(text, radix, out var number))
            Fail(start, $"'{source[start..Math.Min(source.Length, _at + 1)]}' is no number of at most 28 digits.");
        else
            _lexemes.Add(new(LexemeKind.Number, text, start, number));
    }

    /// <summary>Two points after a number are a range.</summary>
    void ReadFraction()
    {
        if (Peek() == '.' && char.IsAsciiDigit(Peek(1)))
            for (_at++; char.IsAsciiDigit(Peek()) || Peek() == '_';)
                _at++;
        var sign = Peek(1) is '+' or '-' ? 1 : 0;
        if (Peek() is 'e' or 'E' && char.IsAsciiDigit(Peek(1 + sign)))
            for (_at += 1 + sign; char.IsAsciiDigit(Peek());)
                _at++;
    }

    static bool TryNumber(string text, int radix, out decimal number)
    {
        if (radix == 10)
            return decimal.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out number);
        number = 0;
        foreach (var character in text.AsSpan(2))
        {
            var digit = char.IsAsciiDigit(character) ? character - '0' : char.ToLowerInvariant(character) - 'a' + 10;
            if (digit >= radix || number > long.MaxValue / 16)
                return false;
            number = (number * radix) + digit;
        }
        return text.Length > 2;
    }

    void ReadText(char quote)
    {
        var start = _at++;
        var text = new StringBuilder();
        while (Peek() != quote)
        {
            if (_at >= source.Length || Peek() == '\n')
            {
                Fail(start, "The text has no end.", $"Close it with {quote}; a text of several lines stands between two `.");
                return;
            }
            if (Peek() != '\\')
                text.Append(source[_at++]);
            else if (!ReadEscape(text))
                return;
        }
        _at++;
        _lexemes.Add(new(LexemeKind.Text, text.ToString(), start));
    }

    bool ReadEscape(StringBuilder text)
    {
        const string names = "abfnrtv\\'\"", meanings = "\a\b\f\n\r\t\v\\'\"";
        var (start, letter) = (_at, Peek(1));
        var digits = letter switch { 'x' => 2, 'u' => 4, 'U' => 8, _ => 0 };
        _at += 2;
        if (names.IndexOf(letter, StringComparison.Ordinal) is >= 0 and var known)
        {
            text.Append(meanings[known]);
            return true;
        }
        var code = source.AsSpan(Math.Min(_at, source.Length));
        code = code[..Math.Min(digits, code.Length)];
        if (digits == 0 || code.Length < digits || !int.TryParse(code, NumberStyles.AllowHexSpecifier, null, out var point)
            || point is < 0 or > 0x10FFFF)
        {
            Fail(start, "This is no escape.", "A backslash itself is written \\\\.");
            return false;
        }
        _at += digits;
        if (point > char.MaxValue)
            text.Append(char.ConvertFromUtf32(point));
        else
            text.Append((char)point);
        return true;
    }

    void ReadRawText()
    {
        var end = source.IndexOf('`', _at + 1);
        if (end < 0)
        {
            Fail(_at, "The text has no end.", "Close it with `.");
            return;
        }
        _lexemes.Add(new(LexemeKind.Text, source[(_at + 1)..end], _at));
        _at = end + 1;
    }

    string Rune(int at) => System.Text.Rune.TryGetRuneAt(source, at, out var rune) ? rune.ToString() : "half a character";
}
