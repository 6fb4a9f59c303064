using System.Buffers;
using System.Globalization;
using System.Text;
using Microsoft.AspNetCore.Http;

namespace LlmGateway.ServiceDefaults;

/// <summary>Lists as CSV, as RFC 4180 has it: the one writer of all.</summary>
public static class Csv
{
    public const string Type = "text/csv";

    /// <summary>So many characters are sent at once.</summary>
    const int AtOnce = 64 * 1024;

    static readonly SearchValues<char> Quoted = SearchValues.Create(",\"\r\n\t");

    /// <summary>What begins a formula, also as wide as a Chinese character, which some spreadsheets read alike.</summary>
    static readonly SearchValues<char> OfFormulas = SearchValues.Create("=+-@＝＋－＠");

    /// <summary>
    /// Asked for by <c>?format=csv</c>, or, where the query has no <c>format</c>, by <c>Accept: text/csv</c>. Throws a 400 for another
    /// form.
    /// </summary>
    public static bool WantsCsv(this HttpContext http) => new ListQuery(http.Request.Query).Text("format") switch
    {
        "csv" => true,
        "json" => false,
        null => http.Request.Headers.Accept.ToString().Contains(Type, StringComparison.OrdinalIgnoreCase),
        _ => throw ListQuery.Invalid("format", "must be json or csv"),
    };

    /// <summary>A file to be kept, however long it is.</summary>
    /// <param name="name">Of the file, without its ending.</param>
    public static IResult File(
        string name, IReadOnlyList<string> columns, IAsyncEnumerable<IReadOnlyList<string?>> rows, CancellationToken token) =>
        Results.Stream(to => WriteAsync(to, columns, rows, token), $"{Type}; charset=utf-8", $"{name}.csv");

    static async Task WriteAsync(
        Stream to, IReadOnlyList<string> columns, IAsyncEnumerable<IReadOnlyList<string?>> rows, CancellationToken token)
    {
        var text = new StringBuilder().Append(Line(columns));
        await foreach (var row in rows.WithCancellation(token))
        {
            text.Append(Line(row));
            if (text.Length >= AtOnce)
                await SendAsync();
        }
        await SendAsync();

        async Task SendAsync()
        {
            await to.WriteAsync(Encoding.UTF8.GetBytes(text.ToString()), token);
            text.Clear();
        }
    }

    public static string Line(IReadOnlyList<string?> cells) => $"{string.Join(',', cells.Select(Cell))}\n";

    /// <summary>As a time is written.</summary>
    public static string Of(DateTimeOffset time) => time.ToString("O", CultureInfo.InvariantCulture);

    /// <summary>
    /// An apostrophe is before anything that a spreadsheet would run as a formula, and before an apostrophe: who reads the file takes one
    /// away from each cell that begins with it. Numbers are numbers.
    /// </summary>
    static string Cell(string? text)
    {
        if (string.IsNullOrEmpty(text))
            return "";
        var safe = MayRun(text) && !IsNumber(text) ? $"'{text}" : text;
        return safe.AsSpan().IndexOfAny(Quoted) < 0 ? safe : $"\"{safe.Replace("\"", "\"\"", StringComparison.Ordinal)}\"";
    }

    /// <summary>Blanks before a formula are left out by some.</summary>
    static bool MayRun(string text) =>
        text[0] is '\t' or '\r' or '\'' || (text.AsSpan().TrimStart() is [var first, ..] && OfFormulas.Contains(first));

    static bool IsNumber(string text) => decimal.TryParse(
        text, NumberStyles.AllowLeadingSign | NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out _);
}
