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

    /// <summary>A new area, and a role that may do more, are said there before they are there.</summary>
    [Fact]
    public void It_says_what_every_role_may_do() => Assert.Equal(
        Permissions.All.Select(permission => permission.Split(':')[0]).Distinct().Select(area =>
            $"| {area} | {string.Join(" | ", Roles.All.Values.Select(granted => Mark(granted, area)))} |"),
        RoleRow().Matches(Text).Select(match => match.Value));

    static string Mark(IReadOnlyList<string>? granted, string area) =>
        (granted?.Contains($"{area}:read") ?? true, granted?.Contains($"{area}:write") ?? true) switch
        {
            (true, true) => "rw",
            (true, false) => "r",
            (false, true) => "w",
            _ => "–",
        };

    [Fact]
    public void Every_test_that_it_names_exists() => Assert.True(NamedTests.MustExist(Text) > 0);

    [GeneratedRegex(@"^\| [a-z-]+ \|( (rw|r|w|–) \|){6}", RegexOptions.Multiline)]
    private static partial Regex RoleRow();

    [GeneratedRegex(@"^\| `([a-z-]+)` \|", RegexOptions.Multiline)]
    private static partial Regex Area();
}
