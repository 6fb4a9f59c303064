using LlmGateway.Contracts;
using LlmGateway.Wallet;
using Xunit;

namespace LlmGateway.UnitTests.Wallet;

public sealed class CommandTests
{
    public static TheoryData<Type> Kinds => [.. typeof(Command).Assembly.GetTypes().Where(type => type.IsSubclassOf(typeof(Command)))];

    /// <summary>A ledger that refuses a command logs it, and a command has what tenants wrote.</summary>
    [Theory, MemberData(nameof(Kinds))]
    public void No_kind_of_command_says_more_to_a_log_than_its_ids(Type kind) =>
        Assert.Equal(typeof(Command), kind.GetMethod(nameof(ToString), [])!.DeclaringType);

    [Fact]
    public void What_a_log_says_of_a_command_is_its_kind_and_an_id()
    {
        var id = Ids.New();

        Assert.Equal(
            $"Post of {id}",
            $"{new Post(id, PostType.Grant, Posts.Of(Ids.New(), Ids.New(), Ids.New()), [5]) { Text = "for jane@example.com" }}");
    }
}
