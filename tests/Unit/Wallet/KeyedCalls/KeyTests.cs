using LlmGateway.Contracts;
using LlmGateway.Wallet;
using Xunit;

namespace LlmGateway.UnitTests.Wallet;

/// <summary>What a repetition meets under its key, and what a settlement makes of the key.</summary>
public sealed class KeyTests
{
    static readonly byte[] Asked = [1, 2, 3], AskedOtherwise = [1, 2, 4], Kept = [9];

    [Theory]
    [InlineData(CallState.Running, Repetition.Running)]
    [InlineData(CallState.Doubted, Repetition.Running)]
    [InlineData(CallState.Free, Repetition.Running)]
    [InlineData(CallState.Charged, Repetition.NoAnswer)]
    [InlineData(CallState.Answered, Repetition.Answer)]
    public void A_repetition_meets_what_has_become_of_the_call_and_another_input_is_refused_in_any_case(
        CallState state, Repetition met)
    {
        var call = new StoredCall(Asked, state, Overdue: false, Kept);
        Assert.Equal((met, Repetition.OtherInput), (call.MetBy(Asked), call.MetBy(AskedOtherwise)));
    }

    [Theory]
    [InlineData(CallState.Running, true, true)]
    [InlineData(CallState.Running, false, false)]
    [InlineData(CallState.Doubted, true, false)]
    [InlineData(CallState.Answered, true, false)]
    public void Only_a_running_call_that_is_overdue_is_to_be_doubted(CallState state, bool overdue, bool doubted) =>
        Assert.Equal(doubted, new StoredCall(Asked, state, overdue, null).IsToBeDoubted);

    [Theory]
    [InlineData(KeyEnd.Used, true, CallState.Answered)]
    [InlineData(KeyEnd.Used, false, CallState.Charged)]
    [InlineData(KeyEnd.Free, false, CallState.Free)]
    public void A_settlement_leaves_its_key_answered_charged_or_free(KeyEnd end, bool hasAnswer, CallState state) =>
        Assert.Equal(state, StoredCall.After(end, hasAnswer));

    [Fact]
    public void A_settlement_is_booked_with_its_answer_and_its_repetition_changes_nothing()
    {
        var book = NewBook(UsageMonth.Always);
        var settle = NewSettle(KeyEnd.Used) with { Answer = Kept };

        Assert.Equal(new Answer.Done(), Ledger.Apply(book, settle));
        Assert.Equal(new Answer.Done(Repeated: true), Ledger.Apply(book, settle with { Answer = null }));

        var ended = Assert.Single(book.EndedCalls);
        Assert.Equal((settle.Settlement.RequestId, KeyEnd.Used, Kept), (ended.Request, ended.Key, ended.Answer));
    }

    [Fact]
    public void A_settlement_without_a_key_decides_about_none_and_one_without_a_month_about_its_own()
    {
        var book = NewBook(UsageMonth.Always);
        Ledger.Apply(book, NewSettle(KeyEnd.None));
        Assert.Empty(book.EndedCalls);

        var closed = NewBook(UsageMonth.Always with { To = Guid.Empty });
        Assert.Equal(new Answer.Stale(), Ledger.Apply(closed, NewSettle(KeyEnd.Used)));
        Assert.Equal(KeyEnd.Used, Assert.Single(closed.EndedCalls).Key);
    }

    static Book NewBook(UsageMonth month) => new(DateTimeOffset.UnixEpoch) { Months = [month] };

    static Settle NewSettle(KeyEnd key) =>
        new(new Settlement(Ids.New(), null, [], UsageRecords.Of(5, Ids.New(), Ids.New())) { Key = key });
}
