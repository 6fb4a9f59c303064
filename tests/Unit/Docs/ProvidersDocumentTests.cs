using System.Text;
using System.Text.RegularExpressions;
using LlmGateway.Sessions;
using Xunit;

namespace LlmGateway.UnitTests.Docs;

/// <summary>What <c>docs/providers.md</c> shows can be copied.</summary>
public sealed partial class ProvidersDocumentTests
{
    static readonly string Text = File.ReadAllText(Path.Combine(ArchitectureTests.Repository, "docs/providers.md"));

    [Fact]
    public void Every_example_is_a_seed_file_that_is_understood()
    {
        var examples = Example().Matches(Text).Select(match => match.Groups["json"].Value).ToArray();

        Assert.NotEmpty(examples);
        Assert.All(
            examples,
            json => Assert.NotEmpty(SeedReader.Read(Encoding.UTF8.GetBytes(json), name => $"value of {name}").Organizations[0].Projects!));
    }

    [Fact]
    public void Every_wire_has_its_row() =>
        Assert.All(LlmGateway.Contracts.ProviderWire.All, wire => Assert.Contains($"\n| `{wire}` |", Text, StringComparison.Ordinal));

    [Fact]
    public void Every_test_that_it_names_exists() => Assert.True(NamedTests.MustExist(Text) > 0);

    [GeneratedRegex("```json\n(?<json>.*?)```", RegexOptions.Singleline)]
    private static partial Regex Example();
}
