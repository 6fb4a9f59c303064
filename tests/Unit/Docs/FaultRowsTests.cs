using System.Text.RegularExpressions;
using Xunit;

namespace LlmGateway.UnitTests.Docs;

/// <summary>The table of failures in tests/Faults/README.md is a promise: each row has a test that exists, or says why there is none.</summary>
public sealed partial class FaultRowsTests
{
    const int Rows = 26;

    static readonly string Tests = Path.Combine(ArchitectureTests.Repository, "tests");

    static readonly (int Number, string HeldBy)[] Table =
        [.. Row().Matches(File.ReadAllText(Path.Combine(Tests, "Faults", "README.md"))).Select(row => (int.Parse(row.Groups["number"].Value), row.Groups["by"].Value))];

    [Fact]
    public void Every_failure_has_its_row() => Assert.Equal(Enumerable.Range(1, Rows), Table.Select(row => row.Number));

    [Fact]
    public void Every_test_that_a_row_names_exists()
    {
        var sources = Directory.EnumerateFiles(Tests, "*Tests.cs", SearchOption.AllDirectories).ToLookup(file => Path.GetFileNameWithoutExtension(file), File.ReadAllText);
        foreach (var (number, by) in Table)
        {
            var named = Named().Matches(by).ToList();
            Assert.True(named.Count > 0 || by.StartsWith("No test: ", StringComparison.Ordinal), $"row {number} names no test and gives no reason");
            Assert.All(named, test => Assert.Contains(sources[test.Groups["class"].Value], source => source.Contains($" {test.Groups["method"].Value}(", StringComparison.Ordinal)));
        }
    }

    [GeneratedRegex(@"^\| (?<number>\d+) \|[^|]*\| (?<by>[^|]*) \|$", RegexOptions.Multiline)]
    private static partial Regex Row();

    [GeneratedRegex(@"`(?<class>\w+Tests)\.(?<method>\w+)`")]
    private static partial Regex Named();
}
