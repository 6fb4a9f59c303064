using System.Text.RegularExpressions;
using LlmGateway.ServiceDefaults;
using Xunit;

namespace LlmGateway.UnitTests.Docs;

/// <summary><c>docs/management.md</c> has every permission, and names tests that exist.</summary>
public sealed partial class ManagementDocumentTests
{
    static readonly string Text = File.ReadAllText(Path.Combine(ArchitectureTests.Repository, "docs/management.md"));

    [Fact]
    public void It_has_every_area_of_permissions() => Assert.Equal(
        Permissions.All.Select(permission => permission.Split(':')[0]).Distinct(),
        Area().Matches(Text[Text.IndexOf("| Area |", StringComparison.Ordinal)..]).Select(match => match.Groups[1].Value));

    [Fact]
    public void Every_test_that_it_names_exists() => Assert.True(NamedTests.MustExist(Text) > 0);

    [GeneratedRegex(@"^\| `([a-z-]+)` \|", RegexOptions.Multiline)]
    private static partial Regex Area();
}
