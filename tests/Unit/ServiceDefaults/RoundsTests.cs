using System.Text.RegularExpressions;
using LlmGateway.ServiceDefaults;
using LlmGateway.UnitTests.Docs;
using Xunit;

namespace LlmGateway.UnitTests;

/// <summary>What is deleted in rounds must keep up with what is written, whatever the table.</summary>
public sealed partial class RoundsTests
{
    [Fact]
    public async Task Rounds_end_with_the_first_that_is_not_full()
    {
        var rows = 25;
        var rounds = 0;

        await Rounds.UntilNotFullAsync(10, () =>
        {
            rounds++;
            var taken = Math.Min(10, rows);
            rows -= taken;
            return Task.FromResult(taken);
        });

        Assert.Equal((0, 3), (rows, rounds));
    }

    [Fact]
    public void Every_deletion_of_a_bounded_number_of_rows_takes_the_oldest_and_is_repeated()
    {
        var bounded = ((string[])["services", "ServiceDefaults"])
            .Select(folder => Path.Combine(ArchitectureTests.Repository, folder))
            .SelectMany(folder => Directory.GetFiles(folder, "*.cs", SearchOption.AllDirectories))
            .Select(File.ReadAllText)
            .Where(text => BoundedDeletion().IsMatch(text))
            .ToArray();

        Assert.True(bounded.Length >= 1, "the pattern finds nothing");
        Assert.All(bounded, text =>
        {
            Assert.Contains(nameof(Rounds.UntilNotFullAsync), text, StringComparison.Ordinal);
            Assert.All(BoundedDeletion().Matches(text), found => Assert.Contains("order by", found.Value, StringComparison.Ordinal));
        });
    }

    [GeneratedRegex("\"\"\"(?=[^\"]*delete from)(?=[^\"]*limit \\$)[^\"]*\"\"\"")]
    private static partial Regex BoundedDeletion();
}
