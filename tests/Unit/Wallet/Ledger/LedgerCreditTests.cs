using LlmGateway.Contracts;
using LlmGateway.Wallet;
using Xunit;

namespace LlmGateway.UnitTests.Wallet;

/// <summary>Call credits as balances that pay: one credit for one call, whatever the call costs.</summary>
public sealed class LedgerCreditTests
{
    static readonly DateTimeOffset Noon = new(2026, 11, 21, 12, 0, 0, TimeSpan.Zero);
    static readonly Guid Organization = Ids.New(), Project = Ids.New(), Customer = Ids.New(), Wallet = Ids.New(), Lease = Ids.New();

    static readonly Guid
        Standard = CallCredits.BalanceOf(Customer, "standard"), OfStandard = CallCredits.Denomination(Project, "standard"),
        Premium = CallCredits.BalanceOf(Customer, "premium"), OfPremium = CallCredits.Denomination(Project, "premium");

    readonly MemoryStore _store = new();
    DateTimeOffset _now = Noon;

    public LedgerCreditTests()
    {
        Run(new Open(new(Wallet, AccountKind.Wallet, Unit.Usd, Organization, Project, Customer, false, 1_000)));
        Run(Opening(Standard, OfStandard, 5));
        Run(Opening(Premium, OfPremium, 2));
    }

    [Fact]
    public void A_call_credit_pays_a_request_whatever_it_costs_and_its_cost_is_covered()
    {
        Assert.Equal([1, 0], Granted(Claim(Lease, 1, Credits(Standard, 1), Money(800))));
        Settle(Lease, cost: 700, due: 0, Spent(Standard, OfStandard));

        Assert.Equal((4, 0), Of(Standard));
        Assert.Equal((1_000, 0), Of(Wallet));
        Assert.Equal((1, 1), (PostedOf(HouseAccounts.UsedCredits(OfStandard, false)), _store.Accounts[Standard].Spent));
        Assert.Equal((0, 0, 700), (_store.Charged, _store.Absorbed, _store.Covered));
        Assert.Equal(700, PostedOf(HouseAccounts.ProviderCost(Project, false)));
        Assert.Equal(1, _store.Spent[Standard]);
    }

    [Fact]
    public void A_credit_that_is_given_back_pays_another_request()
    {
        Claim(Lease, 1, Credits(Standard, 5), Money(800));
        Assert.Equal(
            new Answer.Refused(Standard, RefusalReason.Exhausted, 0) { Held = 5 },
            Claim(Ids.New(), 1, final: true, Credits(Standard, 1)));
        Run(new GiveBack(new(Lease, 1, [new(Standard, 1)])));
        Assert.Equal([1], Granted(Claim(Ids.New(), 1, Credits(Standard, 1))));
    }

    /// <summary>Three requests wait and two credits are left: two are paid by them, and the wallet is held for the third.</summary>
    [Fact]
    public void Requests_that_wait_together_get_the_credits_that_are_there_and_the_wallet_for_the_rest()
    {
        var answer = Granted(Claim(
            Lease, 1, new LeaseDemand(Premium, 1, 1, 3, 3) { Whole = true }, new LeaseDemand(Wallet, 100, 100, 300, 300)));
        Assert.Equal([2, 100], answer);
    }

    [Fact]
    public void The_wallet_pays_where_credits_are_empty_and_not_before_others_have_given_back_what_is_idle()
    {
        Claim(Lease, 1, Credits(Premium, 2));
        var other = Ids.New();
        Assert.Equal(new Answer.Shortage([Premium]), Claim(other, 1, Credits(Premium, 1), Money(100)));
        Assert.Equal([0, 100], Granted(Claim(other, 1, final: true, Credits(Premium, 1), Money(100))));
    }

    [Fact]
    public void A_credit_that_is_gone_is_forgiven_and_counted()
    {
        Claim(Lease, 1, Credits(Premium, 2));
        _now = Noon.AddMinutes(2);
        Run(new Expire(Lease, [Premium]));
        Run(new Post(Ids.New(), PostType.Debit, Scope(Premium, OfPremium), [2]));

        Settle(Lease, cost: 700, due: 0, Spent(Premium, OfPremium));

        Assert.Equal((0, 0), Of(Premium));
        Assert.Equal((0, 0, 700), (_store.Charged, _store.Absorbed, _store.Covered));
        Assert.Equal((1, false), (_store.Forgiven, _store.Spent.ContainsKey(Premium)));
    }

    [Fact]
    public void Credits_of_two_types_never_mix()
    {
        Assert.Throws<InvalidOperationException>(() => Settle(Lease, cost: 10, due: 0, Spent(Standard, OfPremium)));
        Assert.Throws<InvalidOperationException>(() => Run(new Post(Ids.New(), PostType.Grant, Scope(Standard, OfPremium), [3])));
        Assert.Throws<InvalidOperationException>(() => Settle(Lease, cost: 10, due: 0, Spent(Wallet, OfPremium)));
        Assert.Throws<InvalidOperationException>(
            () => PostingRules.House(Party.Clearing, Scope(Standard, OfStandard)));
        Assert.Equal(((5, 0), (2, 0)), (Of(Standard), Of(Premium)));
    }

    [Fact]
    public void Credits_are_granted_and_taken_between_a_balance_and_its_type()
    {
        Run(new Post(Ids.New(), PostType.Grant, Scope(Standard, OfStandard), [10]));
        Run(new Post(Ids.New(), PostType.Debit, Scope(Standard, OfStandard), [4]));
        Assert.Equal(
            new Answer.Refused(Standard, RefusalReason.Exhausted, 11),
            Run(new Post(Ids.New(), PostType.Debit, Scope(Standard, OfStandard), [12])));

        Assert.Equal((11, -11), (Of(Standard).Posted, PostedOf(HouseAccounts.GrantedCredits(OfStandard, false))));
        Assert.Equal(-2, PostedOf(HouseAccounts.GrantedCredits(OfPremium, false)));
    }

    /// <summary>Also a credit that was gone, which is forgiven.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void What_cost_nothing_and_took_a_credit_is_never_charged_to_the_wallet_when_its_price_is_corrected(bool isGone)
    {
        Claim(Lease, 1, Credits(Standard, 1), Money(800));
        if (isGone)
        {
            _now = Noon.AddMinutes(2);
            Run(new Expire(Lease, [Standard, Wallet]));
            Run(new Post(Ids.New(), PostType.Debit, Scope(Standard, OfStandard), [5]));
        }
        var request = Settle(Lease, cost: 0, due: null, Spent(Standard, OfStandard));

        Run(new Rerate(Ids.New(), request, Wallet, Organization, Project, false, Ids.New(), 90));

        Assert.Equal((0, 0, 90), (_store.Charged, _store.Absorbed, _store.Covered));
        Assert.Equal((1_000, 0), Of(Wallet));
    }

    [Fact]
    public void What_expires_first_is_spent_first_and_is_gone_at_its_end()
    {
        Run(new Post(Ids.New(), PostType.Promotion, Scope(Standard, OfStandard), [2]) { ExpiresAt = Noon.AddHours(1) });
        Settle(null, cost: 10, due: 0, Spent(Standard, OfStandard));
        Assert.Equal((6, 5), (_store.Shown(Standard, _now), _store.LeftOf(Standard, Standard)));

        _now = Noon.AddHours(1);
        Assert.Equal(5, _store.Shown(Standard, _now));
        Settle(null, cost: 10, due: 0, Spent(Standard, OfStandard));
        Assert.Equal((4, 0), Of(Standard));
        Assert.Equal(1, PostedOf(HouseAccounts.Expired(Standard, Unit.Credits, false)));
    }

    static Open Opening(Guid balance, Guid type, long amount) =>
        new(new(balance, AccountKind.Credits, Unit.Credits, Organization, Project, Customer, false, amount) { Denomination = type });

    static PostScope Scope(Guid balance, Guid type) => Posts.OfCredits(balance, type, Organization, Project);

    static LeaseDemand Credits(Guid balance, long amount) => new(balance, amount, amount, amount, amount) { Whole = true };

    static LeaseDemand Money(long amount) => new(Wallet, amount, amount, amount, amount);

    static Charge Spent(Guid balance, Guid type) => new(balance, 1) { Denomination = type };

    Answer Claim(Guid lease, long fence, params LeaseDemand[] sources) => Claim(lease, fence, final: false, sources);

    Answer Claim(Guid lease, long fence, bool final, params LeaseDemand[] sources) =>
        Run(new Extend(new(lease, fence, "proxy", sources) { FirstSource = 0 }, final));

    Guid Settle(Guid? lease, long cost, long? due, params Charge[] charges)
    {
        var request = Ids.New();
        Run(new Settle(new(request, lease, charges, UsageRecords.Of(cost, Organization, Project, _now)) { Due = due }));
        return request;
    }

    (long Posted, long Reserved) Of(Guid register) => (_store.Accounts[register].Posted, _store.Accounts[register].Reserved);

    long PostedOf(Guid house) => _store.Accounts[house].Posted;

    Answer Run(Command command)
    {
        var answer = _store.Apply(command, _now);
        Assert.All(_store.SumsOfUnits.Values, sum => Assert.Equal(0, sum));
        return answer;
    }

    static IReadOnlyList<long> Granted(Answer answer) => Assert.IsType<Answer.Granted>(answer).Amounts;
}
