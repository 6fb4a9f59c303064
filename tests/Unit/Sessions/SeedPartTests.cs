using LlmGateway.Sessions;
using Xunit;

namespace LlmGateway.UnitTests.Sessions;

/// <summary>Parts of seed files as calls have them.</summary>
public sealed class SeedPartTests
{
    [Theory]
    [InlineData(".path must begin with a slash", "path", "'path' must begin with a slash.")]
    [InlineData(".request.setHeaders.A must have values", "request.setHeaders.A", "'request.setHeaders.A' must have values.")]
    [InlineData(".meter: line 1, column 1: Unknown 'a'. Did you mean 'b'?", "meter",
        "'meter': line 1, column 1: Unknown 'a'. Did you mean 'b'?")]
    [InlineData(".meter: line 1, column 1: An operand is missing.", "meter", "'meter': line 1, column 1: An operand is missing.")]
    public void A_mistake_of_a_file_is_a_sentence_that_names_the_bodys_field(string mistake, string field, string message)
    {
        var problem = SeedPart.Refused(mistake).Problem;

        Assert.Equal((400, field, message), (problem.Status, problem.Param, problem.Message));
    }

    [Theory]
    [InlineData("small", "small")]
    [InlineData("vendor%2Fmodel", "vendor/model")]
    [InlineData("%2fv1%2Fweather%2f{city}", "/v1/weather/{city}")]
    public void A_name_with_slashes_has_them_escaped_in_its_address(string address, string name) =>
        Assert.Equal(name, SeedPart.NameIn(address));
}
