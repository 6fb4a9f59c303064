using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace LlmGateway.Contracts.Expressions;

/// <summary>Functions of texts.</summary>
static class Texts
{
    /// <param name="scalar">Of a kind in <see cref="Kinds.Scalar"/>.</param>
    public static string Of(Value scalar) => scalar.Kind switch
    {
        Kinds.Text => scalar.Text,
        Kinds.Number => Value.TextOf(scalar.Number),
        Kinds.Truth => scalar.Truth ? "true" : "false",
        _ => "",
    };

    public static ReadOnlyMemory<byte> BytesOf(Value scalar) =>
        scalar.Kind == Kinds.Text ? scalar.Utf8 : Encoding.UTF8.GetBytes(Of(scalar));

    public static Value ToText(Evaluation run, Node at, Value[] given) =>
        Value.Of((given[0].Kind & Kinds.Scalar) != 0 ? Of(given[0]) : JsonValues.Write(given[0], run, at));

    public static Value Lower(Evaluation run, Node at, Value[] given) => Made(run, at, Of(given[0]).ToLowerInvariant());

    public static Value Upper(Evaluation run, Node at, Value[] given) => Made(run, at, Of(given[0]).ToUpperInvariant());

    public static string WithoutPrefix(string text, string prefix) =>
        text.StartsWith(prefix, StringComparison.Ordinal) ? text[prefix.Length..] : text;

    public static string WithoutSuffix(string text, string suffix) =>
        text.EndsWith(suffix, StringComparison.Ordinal) ? text[..^suffix.Length] : text;

    public static bool StartsWith(Value text, Value prefix) => Of(text).StartsWith(Of(prefix), StringComparison.Ordinal);

    public static bool EndsWith(Value text, Value suffix) => Of(text).EndsWith(Of(suffix), StringComparison.Ordinal);

    /// <summary>An empty text replaces nothing.</summary>
    public static Value Replace(Evaluation run, Node at, Value[] given)
    {
        var (text, old, with) = (Of(given[0]), Of(given[1]), Of(given[2]));
        if (old.Length == 0)
            return given[0];
        if (!run.SpendSearch(text.Length, old.Length, at))
            return Value.Null;
        var found = (long)text.AsSpan().Count(old);
        return run.Keep(text.Length + (found * Math.Max(0, with.Length - old.Length)), at)
            ? Value.Of(text.Replace(old, with, StringComparison.Ordinal))
            : Value.Null;
    }

    /// <summary>An empty separator stands between any two characters.</summary>
    public static Value Split(Evaluation run, Node at, Value[] given)
    {
        var (text, separator) = (Of(given[0]), Of(given[1]));
        if (!run.SpendSearch(text.Length, separator.Length, at))
            return Value.Null;
        var count = separator.Length == 0 ? text.Length : text.AsSpan().Count(separator) + 1;
        if (!run.Spend(count, at) || !run.Keep(text.Length, at))
            return Value.Null;
        return Value.Of(separator.Length == 0
            ? [.. text.EnumerateRunes().Select(rune => Value.Of(rune.ToString()))]
            : Array.ConvertAll(text.Split(separator), Value.Of));
    }

    public static Value Join(Evaluation run, Node at, Value[] given)
    {
        var separator = given.Length > 1 ? Of(given[1]) : "";
        var text = new StringBuilder();
        foreach (var item in given[0].Items)
        {
            if (run.Expect(item, Kinds.Scalar, at, "join") is null)
                return Value.Null;
            var next = Of(item);
            if (!run.Keep(next.Length + separator.Length, at) || !run.Spend(1, at))
                return Value.Null;
            text.Append(next).Append(separator);
        }
        return Value.Of(text.ToString(0, Math.Max(0, text.Length - separator.Length)));
    }

    public static Value ToBase64(Evaluation run, Node at, Value[] given) => Made(run, at, Convert.ToBase64String(BytesOf(given[0]).Span));

    public static Value FromBase64(Evaluation run, Node at, Value[] given)
    {
        var text = Of(given[0]);
        var bytes = new byte[text.Length];
        return Convert.TryFromBase64String(text, bytes, out var length)
            ? Made(run, at, Encoding.UTF8.GetString(bytes, 0, length))
            : run.Fail(Failure.WrongKind, at, "The text is no base64.");
    }

    public static Value ToUrl(Evaluation run, Node at, Value[] given) =>
        run.Keep(9L * Of(given[0]).Length, at)
            ? Value.Of(Uri.EscapeDataString(WithoutHalves(Of(given[0]))).Replace("%20", "+", StringComparison.Ordinal))
            : Value.Null;

    public static Value FromUrl(Evaluation run, Node at, Value[] given) =>
        Made(run, at, Uri.UnescapeDataString(Of(given[0]).Replace('+', ' ')));

    public static Value Sha256(Evaluation run, Node at, Value[] given) =>
        Made(run, at, Convert.ToHexStringLower(SHA256.HashData(BytesOf(given[0]).Span)));

    public static Value HmacSha256(Evaluation run, Node at, Value[] given) =>
        Made(run, at, Convert.ToHexStringLower(HMACSHA256.HashData(BytesOf(given[1]).Span, BytesOf(given[0]).Span)));

    /// <summary>Null for an empty text.</summary>
    public static Value FromJson(Evaluation run, Node at, Value[] given)
    {
        var bytes = BytesOf(given[0]);
        if (bytes.IsEmpty)
            return Value.Null;
        return JsonValues.TryRead(bytes.Span, run, at, out var value)
            ? value
            : run.Fail(Failure.NotJson, at, $"What '{Evaluation.Shown(at)}' reads is no JSON, or has a number beyond 28 digits.");
    }

    public static Value ToJson(Evaluation run, Node at, Value[] given) => Value.Of(JsonValues.Write(given[0], run, at));

    /// <summary>An empty text has no line. Lines end in LF, CR or both.</summary>
    public static Value Lines(Evaluation run, Node at, Value given, bool isFilled)
    {
        var text = Of(given);
        if (text.Length == 0)
            return Value.Of(Array.Empty<Value>());
        if (!run.Keep(text.Length, at) || !run.Spend(LinesIn(text.AsSpan(), '\n', '\r'), at))
            return Value.Null;
        var lines = text.Replace("\r\n", "\n", StringComparison.Ordinal).Replace('\r', '\n').Split('\n');
        return Value.Of([.. lines.Where(line => !isFilled || line.Length > 0).Select(Value.Of)]);
    }

    /// <summary>How many lines there are, none of which is made.</summary>
    public static Value CountLines(Evaluation run, LineCount at, Value given)
    {
        if (run.Expect(given, Kinds.Scalar, at.Text, at.IsFilled ? "linesNonEmpty" : "lines") is not { } text
            || !run.SpendText(text.Kind == Kinds.Text ? text.StoredLength : 0, at))
            return Value.Null;
        var bytes = BytesOf(text).Span;
        return Value.Of((decimal)(at.IsFilled ? FilledLinesIn(bytes) : LinesIn(bytes, (byte)'\n', (byte)'\r')));
    }

    /// <summary>What follows the last end is a line, too.</summary>
    static int LinesIn<T>(ReadOnlySpan<T> text, T feed, T back)
        where T : IEquatable<T>
    {
        ReadOnlySpan<T> both = [back, feed];
        return text.IsEmpty ? 0 : text.Count(feed) + text.Count(back) - text.Count(both) + 1;
    }

    static int FilledLinesIn(ReadOnlySpan<byte> text)
    {
        var count = 0;
        for (int at; (at = text.IndexOfAnyExcept((byte)'\n', (byte)'\r')) >= 0; count++)
        {
            text = text[at..];
            var end = text.IndexOfAny((byte)'\n', (byte)'\r');
            text = end < 0 ? default : text[end..];
        }
        return count;
    }

    /// <summary>The number that a text begins with; 0 for one that begins with none, and for what is neither number nor text.</summary>
    public static decimal LeadingNumber(Value value)
    {
        if (value.Kind != Kinds.Text)
            return value.Kind == Kinds.Number ? value.Number : 0;
        var text = value.Text.AsSpan().TrimStart();
        var length = text is ['-' or '+', ..] ? 1 : 0;
        for (var points = 0; length < text.Length && length < Value.MaxNumberLength; length++)
            if (!char.IsAsciiDigit(text[length]) && !(text[length] == '.' && points++ == 0))
                break;
        return decimal.TryParse(text[..length], NumberStyles.Float, CultureInfo.InvariantCulture, out var number) ? number : 0;
    }

    public static string Rfc3339(DateTimeOffset time) =>
        time.ToUniversalTime().ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture);

    static Value Made(Evaluation run, Node at, string text) => run.Keep(text.Length, at) ? Value.Of(text) : Value.Null;

    static string WithoutHalves(string text) => Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(text));
}
