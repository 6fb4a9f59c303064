namespace LlmGateway.Contracts;

/// <summary>Exact reading and writing of decimal numbers as scaled integers, without binary floating point.</summary>
public static class DecimalText
{
    /// <summary>Longer texts are refused without being parsed.</summary>
    public const int MaxLength = 64;

    /// <summary>
    /// Reads a JSON-style number (<c>-12.5</c>, <c>5e-7</c>) as an integer of 10^-<paramref name="scale"/> units. Fails when the text is no
    /// number, needs more decimals than the scale has, or does not fit. The reason can be shown to a caller.
    /// </summary>
    public static bool TryParse(ReadOnlySpan<char> text, int scale, out long value, out string reason)
    {
        value = 0;
        reason = "must be a decimal number";
        if (text.IsEmpty || text.Length > MaxLength)
            return false;
        var negative = text[0] == '-';
        var rest = negative ? text[1..] : text;

        var exponent = 0;
        var e = rest.IndexOfAny('e', 'E');
        if (e >= 0)
        {
            if (!TryParseExponent(rest[(e + 1)..], out exponent))
                return false;
            rest = rest[..e];
        }

        var point = rest.IndexOf('.');
        var whole = point < 0 ? rest : rest[..point];
        var fraction = point < 0 ? [] : rest[(point + 1)..];
        if (whole.IsEmpty || (point >= 0 && fraction.IsEmpty) || whole.ContainsAnyExceptInRange('0', '9')
            || fraction.ContainsAnyExceptInRange('0', '9'))
            return false;

        // Trailing zeros carry no value: 1.500000000000 is fine at scale 9.
        fraction = fraction.TrimEnd('0');
        var shift = scale + exponent - fraction.Length;
        Int128 digits = 0;
        foreach (var part in (ReadOnlySpan<string>)[whole.TrimStart('0').ToString(), fraction.ToString()])
        {
            foreach (var digit in part)
            {
                if (digits > Int128.MaxValue / 100)
                    return Fail(out reason, "is too large");
                digits = digits * 10 + (digit - '0');
            }
        }
        for (; shift < 0 && digits != 0; shift++)
        {
            if (digits % 10 != 0)
                return Fail(out reason, $"must have at most {scale} decimals");
            digits /= 10;
        }
        for (; shift > 0 && digits != 0; shift--)
        {
            digits *= 10;
            if (digits > long.MaxValue)
                return Fail(out reason, "is too large");
        }
        if (digits > long.MaxValue)
            return Fail(out reason, "is too large");
        value = (long)(negative ? -digits : digits);
        reason = "";
        return true;
    }

    /// <summary>Writes the shortest exact form: <c>8.333333333</c>, <c>10</c>, <c>-0.5</c>.</summary>
    public static string Format(Int128 value, int scale)
    {
        var negative = value < 0;
        var digits = (negative ? -value : value).ToString(System.Globalization.CultureInfo.InvariantCulture).PadLeft(scale + 1, '0');
        var fraction = digits[^scale..].TrimEnd('0');
        var text = fraction.Length == 0 ? digits[..^scale] : $"{digits[..^scale]}.{fraction}";
        return negative ? "-" + text : text;
    }

    static bool TryParseExponent(ReadOnlySpan<char> text, out int exponent)
    {
        exponent = 0;
        var sign = text is ['-', ..] ? -1 : 1;
        if (text is ['-' or '+', ..])
            text = text[1..];
        // Three digits reach far beyond any amount and cannot overflow the shift.
        if (text.IsEmpty || text.Length > 3 || text.ContainsAnyExceptInRange('0', '9'))
            return false;
        foreach (var digit in text)
            exponent = exponent * 10 + (digit - '0');
        exponent *= sign;
        return true;
    }

    static bool Fail(out string reason, string why)
    {
        reason = why;
        return false;
    }
}
