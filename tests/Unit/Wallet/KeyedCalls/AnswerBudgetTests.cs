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

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(100_000)]
    public async Task A_settlement_and_its_answer_are_held_once(int answerBytes)
    {
        byte[] record = [3, 0, 0, 0, 7, 8, 9], answer = new byte[answerBytes];
        Array.Fill(answer, (byte)5);

        var read = await EndCall.ReadAsync(
            new MemoryStream([.. record, .. answer]), record.Length + answerBytes, TestContext.Current.CancellationToken);

        Assert.Equal(record, read.Record);
        Assert.Equal(answer, read.Answer);
    }

    [Theory]
    [InlineData(new byte[] { 1, 0, 0 })]
    [InlineData(new byte[] { 9, 0, 0, 0, 7, 8, 9 })] // longer than the body
    [InlineData(new byte[] { 0, 0, 0, 0, 7, 8, 9 })]
    [InlineData(new byte[] { 255, 255, 255, 255, 7 })]
    public async Task A_body_that_has_no_settlement_is_none(byte[] body)
    {
        var read = await EndCall.ReadAsync(new MemoryStream(body), body.Length, TestContext.Current.CancellationToken);

        Assert.Empty(read.Record);
    }
}
