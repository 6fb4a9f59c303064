using LlmGateway.Billing;
using LlmGateway.Contracts;
using Stripe;
using Xunit;
using Payout = LlmGateway.Billing.Payout;

namespace LlmGateway.UnitTests.Billing;

/// <summary>What may be paid out, and to whom.</summary>
public sealed class PayoutRulesTests
{
    static readonly ConnectAccount Ready = new(
        Guid.NewGuid(), Guid.NewGuid(), Guid.NewGuid(), Test: false, Livemode: true, Country: null, Stripe: "acct_1",
        DetailsSubmitted: true, PayoutsEnabled: true, Transfers: "active", Due: [], DisabledReason: null, Paused: false,
        default, default, default);

    static readonly string[] Document = ["individual.verification.document"];

    [Theory]
    [InlineData("1.666666667", 166)]
    [InlineData("1", 100)]
    [InlineData("25.009999999", 2500)]
    [InlineData("1000000.01", 100_000_000)]
    public void All_that_was_earned_is_paid_out_in_whole_cents(string earned, long cents) =>
        Assert.Equal((cents, null), PayoutRules.Payable(Margin(earned), null));

    [Theory]
    [InlineData("0.999999999", null, "least")]
    [InlineData("0", null, "least")]
    [InlineData("2.5", "2.51", "2.5 USD can be paid out")]
    [InlineData("0.5", "1", "0.5 USD can be paid out")]
    [InlineData("-1.666666667", null, "1.666666667 USD that were paid out have gone back")]
    [InlineData("-0.000000001", "1", "have gone back")]
    public void What_was_not_earned_is_not_paid_out_and_the_reason_has_its_numbers(string earned, string? asked, string reason)
    {
        var (cents, problem) = PayoutRules.Payable(Margin(earned), asked is null ? null : Money.Parse(asked));

        Assert.Equal((0, 400, "amount"), (cents, problem!.Status, problem.Param));
        Assert.Contains(reason, problem.Message);
    }

    [Theory]
    [InlineData("0.99"), InlineData("0"), InlineData("-1"), InlineData("1.001"), InlineData("1000000.01")]
    public void An_amount_that_is_none_of_a_payout_is_refused_by_name(string amount) =>
        Assert.Equal((400, "threshold"), (PayoutRules.Refuse("threshold", Money.Parse(amount))!.Status,
            PayoutRules.Refuse("threshold", Money.Parse(amount))!.Param));

    [Fact]
    public void A_margin_is_either_there_or_owed_and_never_both()
    {
        Assert.Equal((new Money(5), Money.Zero), (PayoutRules.Shown(new(5, 0)), PayoutRules.Owed(new(5, 0))));
        Assert.Equal((Money.Zero, new Money(5)), (PayoutRules.Shown(new(-5, 0)), PayoutRules.Owed(new(-5, 0))));
    }

    [Theory]
    [InlineData("24.999999999", 0)]
    [InlineData("25", 2500)]
    [InlineData("30.5", 3050)]
    [InlineData("-30", 0)]
    public void By_itself_all_is_due_from_the_threshold_on(string earned, long cents) =>
        Assert.Equal(cents, PayoutRules.Due(Margin(earned), 2500));

    [Fact]
    public void Five_states_follow_from_what_Stripe_says_and_each_but_the_last_has_one_next_step()
    {
        (ConnectAccount? Account, AccountState State, string? Next)[] all =
        [
            (null, AccountState.NotBegun, "POST /v1/connect/onboard"),
            (Ready with { Stripe = null }, AccountState.NotBegun, "POST /v1/connect/onboard"),
            (Ready with { DetailsSubmitted = false, PayoutsEnabled = false, Transfers = "inactive", Due = Document },
                AccountState.Incomplete, "go on"),
            (Waiting("requirements.pending_verification"), AccountState.UnderReview, "do not begin anew"),
            (Waiting("under_review"), AccountState.UnderReview, "Wait"),
            (Waiting(null), AccountState.UnderReview, "Wait"),
            (Ready with { PayoutsEnabled = false, Due = Document, DisabledReason = "requirements.past_due" },
                AccountState.Paused, Document[0]),
            (Ready with { Transfers = "inactive", DisabledReason = "rejected.fraud" }, AccountState.Paused, "rejected.fraud"),
            (Ready with { Paused = true }, AccountState.Paused, "operator"),
            (Ready, AccountState.Ready, null),
        ];
        Assert.All(all, one =>
        {
            Assert.Equal(one.State, AccountStates.Of(one.Account));
            if (one.Next is null)
                Assert.Null(AccountStates.NextStep(one.Account));
            else
                Assert.Contains(one.Next, AccountStates.NextStep(one.Account)!);
            Assert.Equal(one.State == AccountState.Ready, StartPayout.NotReady(one.Account) is null);
        });
        Assert.Equal(Enum.GetValues<AccountState>(), all.Select(one => one.State).Distinct());

        static ConnectAccount Waiting(string? reason) =>
            Ready with { PayoutsEnabled = false, Transfers = "pending", DisabledReason = reason };
    }

    [Fact]
    public void Who_is_not_onboarded_is_told_so_and_who_waits_for_Stripe_learns_its_state()
    {
        var (none, waits) = (StartPayout.NotReady(null)!, StartPayout.NotReady(Ready with { PayoutsEnabled = false })!);

        Assert.Equal((400, "not_onboarded", "accountId"), (none.Status, none.Code, none.Param));
        Assert.Equal((409, "account_under_review", "accountId"), (waits.Status, waits.Code, waits.Param));
    }

    [Fact]
    public void A_transfer_that_is_another_in_anything_pays_no_payout()
    {
        Payouts.RequireSame(Ours, Transfer());

        Assert.All(
            (Action<Transfer>[])
            [
                one => one.Amount = 201, one => one.Currency = "eur", one => one.Livemode = false, one => one.DestinationId = "acct_2",
                one => one.Metadata = null, one => one.Metadata["llmgateway_payout"] = "pyo_01940000000070008000000000000002",
            ],
            change =>
            {
                var other = Transfer();
                change(other);
                Assert.Throws<NotOursException>(() => Payouts.RequireSame(Ours, other));
            });
    }

    static readonly Payout Ours = new(
        Guid.Parse("01940000-0000-7000-8000-000000000001"), default, default, Test: false, Livemode: true, "acct_1", 200, Payout.Reserved,
        Transfer: null, FailureCode: null, Failure: null, Settled: false, Automatic: false, default, Reversed: 0, IsYoung: true,
        IsOld: false);

    static Transfer Transfer() => new()
    {
        Id = "tr_1", Amount = 200, Currency = "usd", Livemode = true, DestinationId = "acct_1",
        Metadata = new() { ["llmgateway_payout"] = "pyo_01940000000070008000000000000001" },
    };

    static ProjectMargin Margin(string usd) => new(Money.Parse(usd).Nanos, 0);
}
