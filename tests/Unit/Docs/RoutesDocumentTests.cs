using System.Text.RegularExpressions;
using LlmGateway.Contracts;
using Xunit;

namespace LlmGateway.UnitTests.Docs;

/// <summary>What <c>docs/routes.md</c> says of raw calls and routes is so.</summary>
public sealed class RoutesDocumentTests
{
    static readonly string Text = File.ReadAllText(Path.Combine(ArchitectureTests.Repository, "docs/routes.md"));

    [Fact]
    public void Every_test_that_it_names_exists() => Assert.True(NamedTests.MustExist(Text) > 25);

    [Fact]
    public void It_names_every_member_of_a_route()
    {
        var members = typeof(CustomRoute).GetProperties().Concat(typeof(MessageChanges).GetProperties())
            .Where(property => property.CanWrite).Select(property => char.ToLowerInvariant(property.Name[0]) + property.Name[1..]);

        Assert.All(members, member => Assert.Matches(new Regex($"`{member}`"), Text));
    }
}
