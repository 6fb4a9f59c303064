using LlmGateway.Contracts;
using LlmGateway.Wallet;
using Xunit;

namespace LlmGateway.UnitTests.Wallet;

/// <summary>What a request really cost, and who pays it.</summary>
public sealed partial class LedgerTests
{
    [Fact]
    public void A_settlement_takes_from_the_hold_and_repeats_without_effect()
    {
        Open(Wallet, AccountKind.Wallet, 100);
        Lease(fence: 1, new LeaseDemand(Wallet, 40, 40, 40, 40));
        var request = Ids.New();

        Settle(request, cost: 25);
        Settle(request, cost: 25);

        Assert.Equal((75, 15), (_book.Accounts[Wallet].Posted, _book.Accounts[Wallet].Reserved));
        Assert.Equal(25, _book.Accounts[HouseAccounts.ProviderCost(Project, false)].Posted);
        Assert.Equal((25, 0), (Assert.Single(_book.Usages).Charged, _book.Usages[0].Absorbed));
    }

    [Fact]
    public void A_settlement_after_the_lease_expired_is_paid_from_what_is_free_and_the_rest_is_absorbed()
    {
        Open(Wallet, AccountKind.Wallet, 40);
        Lease(fence: 1, new LeaseDemand(Wallet, 40, 40, 40, 40));
        _book.Leases[LeaseId].ExpiresAt = Noon.AddSeconds(-1);
        Apply(new Expire(LeaseId, [Wallet]));
        Adjust(Ids.New(), -30);

        Settle(Ids.New(), cost: 25);

        Assert.Equal(0, _book.Accounts[Wallet].Posted);
        Assert.Equal((10, 15), (_book.Usages[0].Charged, _book.Usages[0].Absorbed));
        Assert.Equal(-15, _book.Accounts[HouseAccounts.Absorbed(Project, false)].Posted);
        Assert.Equal(25, _book.Accounts[HouseAccounts.ProviderCost(Project, false)].Posted);
    }

    [Fact]
    public void What_a_request_cost_beyond_its_hold_is_absorbed()
    {
        Open(Wallet, AccountKind.Wallet, 100);
        Lease(fence: 1, new LeaseDemand(Wallet, 10, 10, 10, 10));

        Settle(Ids.New(), cost: 25, charge: 10);

        Assert.Equal(90, _book.Accounts[Wallet].Posted);
        Assert.Equal((10, 15), (_book.Usages[0].Charged, _book.Usages[0].Absorbed));
    }

    [Fact]
    public void Two_wallets_pay_one_cost_together_and_what_neither_can_is_absorbed_once() =>
        Assert.Equal((0, 14, 11), PayTogether(second: 10));

    [Fact]
    public void The_second_of_two_wallets_pays_only_what_the_first_has_left_of_the_cost() =>
        Assert.Equal((79, 25, 0), PayTogether(second: 100));

    /// <summary>A cost of 25 by a wallet with 4 and another one.</summary>
    /// <returns>What the second has left, and what was charged and absorbed.</returns>
    (long Left, long Charged, long Absorbed) PayTogether(long second)
    {
        Open(Bonus, AccountKind.Wallet, 4);
        Open(Wallet, AccountKind.Wallet, second);

        Settle(Ids.New(), cost: 25, charge: 25, Bonus, Wallet);

        Assert.Equal(0, _book.Accounts[Bonus].Posted);
        return (_book.Accounts[Wallet].Posted, _book.Usages[0].Charged, _book.Usages[0].Absorbed);
    }

    [Fact]
    public void Two_wallets_that_nobody_knows_absorb_the_cost_once()
    {
        Settle(Ids.New(), cost: 25, charge: 25, Ids.New(), Ids.New());

        Assert.Equal((0, 25), (_book.Usages[0].Charged, _book.Usages[0].Absorbed));
    }

    [Fact]
    public void Two_instances_that_get_one_settlement_meet_at_a_lock_even_when_it_charges_nobody() =>
        Assert.NotEmpty(new Settle(new(Ids.New(), null, [], UsageOf(0))).Ensures);
}
