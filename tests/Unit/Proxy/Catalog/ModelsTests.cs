using LlmGateway.Proxy;
using Xunit;

namespace LlmGateway.UnitTests.Proxy;

public sealed class ModelsTests
{
    [Theory]
    [InlineData("azure%2Fgpt-4o", "azure/gpt-4o"), InlineData("azure%2fgpt-4o", "azure/gpt-4o"), InlineData("azure/gpt-4o", "azure/gpt-4o")]
    [InlineData("gpt-4o", "gpt-4o")]
    public void The_slash_in_a_name_may_be_escaped(string address, string name) => Assert.Equal(name, Models.NameIn(address));
}
