using LlmGateway.Wallet;
using Xunit;

namespace LlmGateway.UnitTests.Wallet;

public sealed class AnswerBudgetTests
{
    [Fact]
    public void Answers_that_wait_have_no_more_bytes_than_there_is_room_for()
    {
        var budget = new AnswerBudget(most: 10);
        Assert.True(budget.TryTake(6));
        Assert.False(budget.TryTake(5));
        Assert.True(budget.TryTake(4));
        Assert.False(budget.TryTake(1));
        budget.Give(6);
        Assert.True(budget.TryTake(6));
    }
}
