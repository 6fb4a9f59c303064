using LlmGateway.Proxy;
using Xunit;

namespace LlmGateway.UnitTests.Proxy;

public sealed class OutputDefaultTests
{
    [Theory]
    [InlineData(null, null, 128_000, 128_000)] // off: what the model can produce
    [InlineData(8_000, null, 128_000, 8_000)]
    [InlineData(8_000, 20_000, 128_000, 20_000)] // what the caller names counts
    [InlineData(8_000, 5, 128_000, 5)]
    [InlineData(8_000, null, 4_000, 4_000)]
    public void The_default_holds_only_where_the_caller_names_no_limit(int? tokens, int? asked, long modelMost, long limit) =>
        Assert.Equal(limit, new OutputDefault(tokens).LimitOf(asked, modelMost));
}
