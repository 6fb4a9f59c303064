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
    public void Every_deletion_of_a_bounded_number_of_rows_is_repeated_until_it_finds_fewer()
    {
        var bounded = ((string[])["services", "ServiceDefaults"])
            .Select(folder => Path.Combine(ArchitectureTests.Repository, folder))
            .SelectMany(folder => Directory.GetFiles(folder, "*.cs", SearchOption.AllDirectories))
            .Select(File.ReadAllText)
            .Where(text => BoundedDeletion().IsMatch(text))
            .ToArray();

        Assert.True(bounded.Length >= 2, "the pattern does not find what is known to be there");
        Assert.All(bounded, text => Assert.Contains(nameof(Rounds.UntilNotFullAsync), text, StringComparison.Ordinal));
    }

    [GeneratedRegex("\"(?=[^\"]*delete from)(?=[^\"]*limit \\$)[^\"]*\"")]
    private static partial Regex BoundedDeletion();
}
