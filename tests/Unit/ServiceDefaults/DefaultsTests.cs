using System.Text.Json;
using LlmGateway.ServiceDefaults;
using Xunit;

namespace LlmGateway.UnitTests.ServiceDefaults;

/// <summary>The JSON of our answers.</summary>
public sealed class DefaultsTests
{
    [Fact]
    public void What_is_shown_to_be_copied_is_escaped_no_more_than_JSON_needs() => Assert.Equal(
        """{"secret":"whsec_a+b/c=","note":"<a href='x'>&</a> ü € \" \\ \n"}""",
        JsonSerializer.Serialize(
            new { secret = "whsec_a+b/c=", note = "<a href='x'>&</a> ü € \" \\ \n" }, Defaults.Json));
}
