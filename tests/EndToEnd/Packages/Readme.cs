using System.Text.RegularExpressions;

namespace LlmGateway.EndToEnd;

/// <summary>What the repository's README tells people to write.</summary>
static partial class Readme
{
    static readonly string Text = File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "..", "..", "..", "..", "README.md"));

    /// <summary>The commands of its blocks that begin with curl.</summary>
    public static string[] Curls => [.. Curl().Matches(Text).Select(match => match.Groups["command"].Value)];

    /// <summary>The table of clients: what each row says of its client's address and key.</summary>
    public static IReadOnlyDictionary<string, string> Clients { get; } = Table("| Client |");

    /// <summary>The table of agents: how each is started.</summary>
    public static IReadOnlyDictionary<string, string> Agents { get; } = Table("| Agent |");

    static Dictionary<string, string> Table(string header)
    {
        var start = Text.IndexOf(header, StringComparison.Ordinal);
        return Row().Matches(Text[start..Text.IndexOf("\n\n", start, StringComparison.Ordinal)] + "\n")
            .ToDictionary(match => match.Groups["client"].Value, match => match.Groups["line"].Value);
    }

    [GeneratedRegex("```bash\n(?<command>curl .*?)```", RegexOptions.Singleline)]
    private static partial Regex Curl();

    [GeneratedRegex(@"(?<=\|---\|---\|\n(\|.*\n)*)\| (?<client>.+?) \| (?<line>.+) \|\n")]
    private static partial Regex Row();
}
