using System.Text.RegularExpressions;
using Xunit;

namespace LlmGateway.UnitTests.Docs;

/// <summary>Tests that a document names, as <c>`ClassTests.Method`</c>: a promise that each of them exists.</summary>
static partial class NamedTests
{
    public static readonly string Folder = Path.Combine(ArchitectureTests.Repository, "tests");

    static readonly ILookup<string, string> Sources =
        Directory.EnumerateFiles(Folder, "*Tests*.cs", SearchOption.AllDirectories).ToLookup(
            file => Path.GetFileName(file).Split('.')[0],
            File.ReadAllText);

    /// <summary>Fails when a test that the text names does not exist; returns how many it names.</summary>
    public static int MustExist(string text)
    {
        var named = Named().Matches(text);
        Assert.All(
            named,
            test => Assert.Contains(
                Sources[test.Groups["class"].Value],
                source => source.Contains($" {test.Groups["method"].Value}(", StringComparison.Ordinal)));
        return named.Count;
    }

    [GeneratedRegex(@"`(?<class>\w+Tests)\.(?<method>\w+)`")]
    private static partial Regex Named();
}
