using LlmGateway.ServiceDefaults;
using LlmGateway.Sessions;
using Xunit;

namespace LlmGateway.UnitTests.Docs;

/// <summary>What <c>docs/telegram.md</c> says of bots is so.</summary>
public sealed class TelegramDocumentTests
{
    static readonly string Text = File.ReadAllText(Path.Combine(ArchitectureTests.Repository, "docs/telegram.md"));

    [Fact]
    public void Every_test_that_it_names_exists() => Assert.True(NamedTests.MustExist(Text) > 10);

    [Fact]
    public void It_names_every_member_of_a_bot_and_every_refusal()
    {
        foreach (var member in typeof(SeedTelegramBot).GetProperties().Where(property => property.CanWrite))
            Assert.Contains($"| `{char.ToLowerInvariant(member.Name[0])}{member.Name[1..]}` |", Text, StringComparison.Ordinal);
        foreach (var problem in (Problem[])
            [InitData.WithoutHash, InitData.NotOfBot, InitData.Expired, InitData.InFuture, InitData.Replayed])
            Assert.Contains($"| {problem.Status} `{problem.Code}` |", Text, StringComparison.Ordinal);
    }
}
