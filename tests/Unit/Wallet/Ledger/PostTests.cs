using LlmGateway.Contracts;
using LlmGateway.Wallet;
using Xunit;

namespace LlmGateway.UnitTests.Wallet;

/// <summary>Movements that are not usage, by the table of posting rules.</summary>
public sealed class PostTests
{
    static readonly DateTimeOffset Noon = new(2026, 11, 21, 12, 0, 0, TimeSpan.Zero);
    static readonly Guid Organization = Ids.New(), Project = Ids.New(), Wallet = Ids.New();

    readonly Book _book = new(Noon);

    public PostTests() =>
        Apply(new Open(new(Wallet, AccountKind.Wallet, Unit.Usd, Organization, Project, Organization, false, 100)));

    public static TheoryData<PostType> Types => [.. Enum.GetValues<PostType>()];

    [Theory, MemberData(nameof(Types))]
    public void Whatever_is_posted_sums_to_zero_and_is_what_its_result_says(PostType type)
    {
        Apply(Of(PostType.TopUp, 50, 20, 5));
        Apply(Of(PostType.Payout, 10));
        var before = _book.Accounts.Values.ToDictionary(account => account.Id, account => account.Posted);

        var moved = Assert.IsType<Answer.Done>(Apply(Of(type, [7, .. PostingRules.All[type].Legs.Skip(1).Select(_ => 3L)]))).Moved;

        Assert.NotEmpty(moved);
        Assert.Equal(0, _book.Accounts.Values.Sum(account => account.Posted));
        Assert.All(_book.Accounts.Values, account => Assert.Equal(
            before.GetValueOrDefault(account.Id) + moved.Sum(leg =>
                (leg.To == account.Id ? leg.Amount : 0) - (leg.From == account.Id ? leg.Amount : 0)),
            account.Posted));
    }

    [Fact]
    public void Another_input_under_an_id_is_refused_after_ten_years_too_and_the_same_gets_its_first_result()
    {
        var dispute = Of(PostType.Dispute, 130, 0, 0);
        var first = Assert.IsType<Answer.Done>(Apply(dispute)).Moved;
        var later = new Book(Noon.AddYears(10));
        foreach (var account in _book.Accounts.Values)
            later.Accounts.Add(account.Id, account);
        later.Moved.Add(dispute.Id, _book.Transfers.Single(transfer => transfer.Id == dispute.Id));

        var again = Ledger.Apply(later, dispute with { Actor = "somebody else" });

        Assert.Equal(new Answer.Done(Repeated: true), again);
        Assert.Equal(first, ((Answer.Done)again).Moved);
        Assert.Equal(new Answer.Differs(), Ledger.Apply(later, dispute with { Amounts = [129, 0, 0] }));
        Assert.Equal(new Answer.Differs(), Ledger.Apply(later, dispute with { Reference = "another" }));
        Assert.Equal(new Answer.Differs(), Ledger.Apply(later, Of(PostType.Debit, 130) with { Id = dispute.Id }));
        Assert.Empty(later.Entries);
    }

    [Fact]
    public void A_dispute_takes_what_is_there_the_rest_is_owed_and_the_next_top_up_pays_that_first()
    {
        Apply(Of(PostType.Dispute, 130, 0, 0));
        Assert.Equal((0, -30), (Posted(Party.Balance), Posted(Party.Receivable)));

        Apply(Of(PostType.TopUp, 50, 0, 0));
        Assert.Equal((20, 0), (Posted(Party.Balance), Posted(Party.Receivable)));

        Apply(Of(PostType.DisputeWon, 130, 0, 0));
        Assert.Equal((150, 0), (Posted(Party.Balance), Posted(Party.Receivable)));
    }

    [Fact]
    public void What_a_hold_needs_is_neither_debited_nor_refunded_nor_disputed_away()
    {
        Apply(new Extend(new(Ids.New(), 1, "proxy", [new(Wallet, 60, 60, 60, 60)])));

        Assert.Equal(new Answer.Refused(Wallet, RefusalReason.Exhausted, 40), Apply(Of(PostType.Debit, 41)));
        Assert.Equal(
            new Answer.Refused(Wallet, RefusalReason.Exhausted, 40), Apply(Of(PostType.Refund, 41, 0, 0) with { WithoutDebt = true }));
        Assert.IsType<Answer.Done>(Apply(Of(PostType.Refund, 40, 0, 0) with { WithoutDebt = true }));
        Apply(Of(PostType.Dispute, 5, 0, 0));

        Assert.Equal((60, 60, -5), (Posted(Party.Balance), _book.Accounts[Wallet].Reserved, Posted(Party.Receivable)));
    }

    [Fact]
    public void A_post_without_debt_that_was_refused_stays_refused_though_there_is_enough_later()
    {
        var refund = Of(PostType.Refund, 101, 0, 0) with { WithoutDebt = true };
        Assert.Equal(new Answer.Refused(Wallet, RefusalReason.Exhausted, 100), Apply(refund));

        Apply(Of(PostType.Grant, 50));

        Assert.Equal(new Answer.Refused(Wallet, RefusalReason.Exhausted, 0), Apply(refund));
        Assert.Equal(150, Posted(Party.Balance));
        Assert.IsType<Answer.Done>(Apply(refund with { Id = Ids.New() }));
    }

    [Fact]
    public void A_refund_takes_margin_and_fee_with_it_and_what_the_wallet_has_spent_is_owed()
    {
        Apply(Of(PostType.TopUp, 50, 20, 5));
        Apply(Of(PostType.Payout, 20));

        Apply(Of(PostType.Refund, 160, 20, 5));
        Assert.Equal((0, -10, -20, 0), (Posted(Party.Balance), Posted(Party.Receivable), Posted(Party.Margin), Posted(Party.Fees)));

        Apply(Of(PostType.RefundFailed, 160, 20, 5));
        Assert.Equal((150, 0, 0, 5), (Posted(Party.Balance), Posted(Party.Receivable), Posted(Party.Margin), Posted(Party.Fees)));
    }

    [Fact]
    public void No_more_is_paid_out_than_was_earned()
    {
        Apply(Of(PostType.TopUp, 50, 20, 5));

        Assert.Equal(20, Assert.IsType<Answer.Refused>(Apply(Of(PostType.Payout, 21))).Available);
        Assert.IsType<Answer.Done>(Apply(Of(PostType.Payout, 15)));
        Assert.Equal(15, Assert.IsType<Answer.Refused>(Apply(Of(PostType.PayoutPaid, 16))).Available);
        Assert.IsType<Answer.Done>(Apply(Of(PostType.PayoutFailed, 15)));

        Assert.Equal((20, 0), (Posted(Party.Margin), Posted(Party.Payouts)));
    }

    [Fact]
    public void What_is_paid_for_a_plan_is_margin_and_fee_and_goes_back_from_both_though_it_was_paid_out()
    {
        Apply(Of(PostType.PlanPaid, 40, 2));
        Apply(Of(PostType.Payout, 40));
        Apply(Of(PostType.PlanRefunded, 30, 1));
        Assert.Equal((100, -30, 1), (Posted(Party.Balance), Posted(Party.Margin), Posted(Party.Fees)));

        Apply(Of(PostType.PlanRestored, 30, 1));
        Assert.Equal((100, 0, 2), (Posted(Party.Balance), Posted(Party.Margin), Posted(Party.Fees)));
    }

    long Posted(Party party) =>
        _book.Accounts[party == Party.Balance ? Wallet : PostingRules.House(party, Posts.Of(Wallet, Organization, Project)).Id].Posted;

    static Post Of(PostType type, params long[] amounts) => new(Ids.New(), type, Posts.Of(Wallet, Organization, Project), amounts);

    Answer Apply(Command command)
    {
        foreach (var account in command.Ensures)
            if (_book.Accounts.TryAdd(account.Id, account))
                _book.Created.Add(account.Id);
        return Ledger.Apply(_book, command);
    }
}
