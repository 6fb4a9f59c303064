using Xunit;

namespace LlmGateway.UnitTests.Docs;

/// <summary>What docs/subscriptions.md promises is held by tests that exist.</summary>
public sealed class SubscriptionsDocumentTests
{
    static readonly string Text = File.ReadAllText(Path.Combine(ArchitectureTests.Repository, "docs/subscriptions.md"));

    [Fact]
    public void Every_test_that_it_names_exists() => Assert.True(NamedTests.MustExist(Text) > 15);
}
