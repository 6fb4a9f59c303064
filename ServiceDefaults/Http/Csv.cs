using System.Buffers;
using System.Globalization;
using System.Text;
using Microsoft.AspNetCore.Http;

namespace LlmGateway.ServiceDefaults;

/// <summary>Lists as CSV, as RFC 4180 has it: the one writer of all.</summary>
public static class Csv
{
    public const string Type = "text/csv";

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

    /// <summary>A file to be kept, however long it is. It is sent when this ends.</summary>
    /// <param name="project">Whose place it takes.</param>
    /// <param name="name">Of the file, without its ending.</param>
    /// <exception cref="ProblemException">429 when too many files are sent.</exception>
    public static async Task<IResult> FileAsync(
        HttpContext http, ExportSlots slots, Guid project, string name, IReadOnlyList<string> columns,
        IAsyncEnumerable<IReadOnlyList<string?>> rows, TimeProvider time)
    {
        using var slot = slots.Take(project);
        var token = http.RequestAborted;
        var text = new StringBuilder().Append(Line(columns));
        await foreach (var row in rows.WithCancellation(token))
        {
            text.Append(Line(row));
            if (text.Length >= FileParts.AtOnce)
                await SendAsync();
        }
        await SendAsync();
        return Results.Empty;

        Task SendAsync() => FileParts.SendAsync(http.Response, $"{Type}; charset=utf-8", $"{name}.csv", text, time, token);
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
