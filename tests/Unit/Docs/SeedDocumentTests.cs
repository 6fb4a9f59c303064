using System.Text;
using System.Text.RegularExpressions;
using LlmGateway.Sessions;
using Xunit;

namespace LlmGateway.UnitTests.Docs;

/// <summary>What <c>docs/seed.md</c> shows can be copied, and has every member that a seed file can have for customers and plans.</summary>
public sealed partial class SeedDocumentTests
{
    static readonly string Text = File.ReadAllText(Path.Combine(ArchitectureTests.Repository, "docs/seed.md"));

    [Fact]
    public void The_example_is_a_whole_seed_file_that_is_understood()
    {
        var example = Encoding.UTF8.GetBytes(Example().Match(Text).Groups["json"].Value);

        var project = SeedReader.Read(example, name => $"value of {name}").Organizations[0].Projects![0];

        Assert.All(
            (System.Collections.ICollection?[])[project.SecretKeys?.ToArray(), project.Providers?.ToArray(), project.Models?.ToArray(),
                project.Plans?.ToArray()],
            part => Assert.NotEmpty(part!));
        Assert.Contains(project.Customers!, customer => customer.Plan is not null);
        Assert.Contains(project.Customers!, customer => customer is { Limits.Count: > 0, Rates: not null, Keys.Count: > 0 });
    }

    [Fact]
    public void Every_test_that_it_names_exists() => Assert.True(NamedTests.MustExist(Text) > 0);

    [GeneratedRegex("```json\n(?<json>.*?)```", RegexOptions.Singleline)]
    private static partial Regex Example();
}
