using LlmGateway.Contracts;
using Xunit;

namespace LlmGateway.UnitTests.Docs;

/// <summary>What <c>docs/metering.md</c> says of events is so.</summary>
public sealed class MeteringDocumentTests
{
    static readonly string Text = File.ReadAllText(Path.Combine(ArchitectureTests.Repository, "docs/metering.md"));

    [Fact]
    public void Every_test_that_it_names_exists() => Assert.True(NamedTests.MustExist(Text) >= 7);

    [Fact]
    public void It_says_the_bounds()
    {
        Assert.Contains($"from 1 to {CustomRoute.MostUnits}.", Text, StringComparison.Ordinal);
        Assert.Contains($"than {MeteredEvent.MaxAtOnce}.", Text, StringComparison.Ordinal);
    }
}
