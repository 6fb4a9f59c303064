using System.Text;
using System.Text.Json.Nodes;
using LlmGateway.Sessions;
using Xunit;

namespace LlmGateway.UnitTests.Sessions;

/// <summary>What an export writes is read as it was.</summary>
public sealed class SeedDescriptionTests
{
    /// <summary>Also where it looks like a variable.</summary>
    [Theory]
    [InlineData("${NOT_SET}")]
    [InlineData("$${NOT_SET}")]
    [InlineData("$$${a}${b}$")]
    [InlineData("${}")]
    [InlineData("$ {x} ${x")]
    public void A_text_that_is_written_literally_is_read_as_it_is(string text)
    {
        var file = new JsonObject
        {
            ["organizations"] = new JsonArray(new JsonObject { ["name"] = SeedReader.Literal(text) }),
        };

        var read = SeedReader.Read(Encoding.UTF8.GetBytes(file.ToJsonString()), _ => null);

        Assert.Equal(text, read.Organizations[0].Name);
    }

    [Fact]
    public void Names_that_are_there_twice_get_numbers_that_nobody_has() => Assert.Equal(
        ["a", "a (3)", "a (2)", "b", "a (4)"], SeedDescription.Distinct(["a", "a", "a (2)", "b", "a"]));
}
