using LlmGateway.Wallet;
using Xunit;

namespace LlmGateway.UnitTests.Docs;

/// <summary>What <c>docs/usage.md</c> says of usage and its exports is so.</summary>
public sealed class UsageDocumentTests
{
    static readonly string Text = File.ReadAllText(Path.Combine(ArchitectureTests.Repository, "docs/usage.md"));

    [Fact]
    public void Every_test_that_it_names_exists() => Assert.True(NamedTests.MustExist(Text) > 15);

    [Fact]
    public void It_names_every_member_of_a_line() =>
        Assert.Contains($"{{{string.Join(", ", UsageLine.Columns)}}}", Text.ReplaceLineEndings(" "), StringComparison.Ordinal);
}
