using System.Text;
using System.Text.Json;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Wallet;

/// <summary>A form that lines of the usage log are written in as a file.</summary>
/// <param name="End">Of how many lines there were, and what they come to.</param>
public sealed record UsageForm(
    string ContentType, string FileName, string Begin, string Between, Func<UsageLine, string> Line, Func<long, RollupSums, string> End)
{
    /// <summary>One document. Its last members say how many lines it has, and what they come to.</summary>
    public static readonly UsageForm Json = new(
        "application/json; charset=utf-8", "usage.json", "{\"requests\":[\n", ",\n",
        line => JsonSerializer.Serialize(line, Defaults.Json),
        (count, total) => $"\n],\"count\":{JsonSerializer.Serialize(count, Defaults.Json)},\"total\":{
            JsonSerializer.Serialize(UsageSummary.Show("", total), Defaults.Json)}}}\n");

    public static readonly UsageForm AsCsv = Table("usage.csv", UsageLine.Columns, line => line.Cells);

    /// <param name="project">Which is the account that is billed.</param>
    public static UsageForm AsFocus(Guid project) => Table("usage-focus.csv", Focus.Columns, line => Focus.Cells(project, line));

    static UsageForm Table(string name, string[] columns, Func<UsageLine, string?[]> cells) =>
        new($"{Csv.Type}; charset=utf-8", name, Csv.Line(columns), "", line => Csv.Line(cells(line)), (_, _) => "");
}

/// <summary>
/// Writes lines while they are read, some at a time. Whatever breaks off breaks the transfer: a file that ends as it should has all lines.
/// </summary>
public static class UsageExport
{
    public static async Task WriteAsync(
        HttpResponse response, UsageForm form, IAsyncEnumerable<UsageLine> lines, TimeProvider time, CancellationToken token)
    {
        var text = new StringBuilder(form.Begin);
        var (count, total) = (0L, default(RollupSums));
        await foreach (var line in lines.WithCancellation(token))
        {
            text.Append(count == 0 ? "" : form.Between).Append(form.Line(line));
            (count, total) = (count + 1, total + line.Sums);
            if (text.Length >= FileParts.AtOnce)
                await SendAsync();
        }
        text.Append(form.End(count, total));
        await SendAsync();

        Task SendAsync() => FileParts.SendAsync(response, form.ContentType, form.FileName, text, time, token);
    }
}
