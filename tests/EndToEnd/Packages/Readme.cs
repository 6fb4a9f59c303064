using System.Text.RegularExpressions;

namespace LlmGateway.EndToEnd;

/// <summary>What the repository's README tells people to write.</summary>
static partial class Readme
{
    static readonly string Text = File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "..", "..", "..", "..", "README.md"));

    /// <summary>The commands of its blocks that begin with curl.</summary>
    public static string[] Curls => [.. Curl().Matches(Text).Select(match => match.Groups["command"].Value)];

    /// <summary>The table of clients: what each row says of its client's address and key.</summary>
    public static IReadOnlyDictionary<string, string> Clients { get; } =
        Row().Matches(Text[Text.IndexOf("| Client |", StringComparison.Ordinal)..Text.IndexOf("## What it is", StringComparison.Ordinal)])
            .ToDictionary(match => match.Groups["client"].Value, match => match.Groups["line"].Value);

    [GeneratedRegex("```bash\n(?<command>curl .*?)```", RegexOptions.Singleline)]
    private static partial Regex Curl();

    [GeneratedRegex(@"(?<=\|---\|---\|\n(\|.*\n)*)\| (?<client>.+?) \| (?<line>.+) \|\n")]
    private static partial Regex Row();
}
