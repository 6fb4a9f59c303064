using System.Text.RegularExpressions;
using Xunit;

namespace LlmGateway.UnitTests.Docs;

/// <summary>
/// The table of failures in tests/Faults/README.md is a promise: each row has a test that exists, or says why there is none.
/// </summary>
public sealed partial class FaultRowsTests
{
    const int Rows = 26;

    static readonly (int Number, string HeldBy)[] Table =
        [.. Row().Matches(File.ReadAllText(Path.Combine(NamedTests.Folder, "Faults", "README.md"))).Select(row =>
            (int.Parse(row.Groups["number"].Value), row.Groups["by"].Value))];

    [Fact]
    public void Every_failure_has_its_row() => Assert.Equal(Enumerable.Range(1, Rows), Table.Select(row => row.Number));

    [Fact]
    public void Every_test_that_a_row_names_exists()
    {
        foreach (var (number, by) in Table)
            Assert.True(
                NamedTests.MustExist(by) > 0 || by.StartsWith("No test: ", StringComparison.Ordinal),
                $"row {number} names no test and gives no reason");
    }

    [GeneratedRegex(@"^\| (?<number>\d+) \|[^|]*\| (?<by>[^|]*) \|$", RegexOptions.Multiline)]
    private static partial Regex Row();
}
