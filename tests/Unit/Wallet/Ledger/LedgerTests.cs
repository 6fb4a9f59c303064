using LlmGateway.Contracts;
using LlmGateway.Wallet;
using Xunit;

namespace LlmGateway.UnitTests.Wallet;

/// <summary>The ledger core, command by command. Every test ends with the invariants that no command may break.</summary>
public sealed partial class LedgerTests : IDisposable
{
    static readonly DateTimeOffset Noon = new(2026, 11, 21, 12, 0, 0, TimeSpan.Zero);
    static readonly Guid Organization = Ids.New(), Project = Ids.New(), Wallet = Ids.New(), Bonus = Ids.New(), Cap = Ids.New();
    static readonly Guid LeaseId = Ids.New();

    readonly Book _book = new(Noon);

    [Fact]
    public void Opening_a_wallet_moves_its_first_amount_out_of_the_grant_account_once()
    {
        Open(Wallet, AccountKind.Wallet, 500);
        Open(Wallet, AccountKind.Wallet, 500);

        Assert.Equal(500, _book.Accounts[Wallet].Posted);
        Assert.Equal(-500, _book.Accounts[HouseAccounts.Id(Organization, AccountKind.Grant, Unit.Usd, test: false)].Posted);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(5)]
    public void What_is_open_stays_as_it_is_whatever_amount_another_opening_names(long first)
    {
        Open(Wallet, AccountKind.Wallet, first);

        Assert.Equal(new Answer.Done(Repeated: true), Open(Wallet, AccountKind.Wallet, 10));
        Assert.Equal(first, _book.Accounts[Wallet].Posted);
    }

    [Fact]
    public void A_register_is_unknown_until_the_command_that_opens_it()
    {
        _book.Accounts.Add(
            Wallet, new() { Id = Wallet, Kind = AccountKind.Wallet, Unit = Unit.Usd, Organization = Organization, Project = Project });
        _book.Created.Add(Wallet); // the batch that opens it has locked it already

        Assert.Equal(new Answer.Refused(Wallet, RefusalReason.Unknown, 0), Adjust(Ids.New(), 70));
        Assert.Equal(RefusalReason.Unknown, Refused(Lease(fence: 1, new LeaseDemand(Wallet, 0, 0, 0, 0))));

        Open(Wallet, AccountKind.Wallet, 5);

        Assert.Equal(5, _book.Accounts[Wallet].Posted);
    }

    [Theory]
    [InlineData(71, null)]
    [InlineData(-70, null)]
    [InlineData(70, "another reason")]
    public void The_id_of_a_movement_is_refused_for_another_one(long amount, string? reason)
    {
        Open(Wallet, AccountKind.Wallet, 100);
        var id = Ids.New();
        Adjust(id, 70);

        var answer = Apply(Adjustment(id, amount, reason));

        Assert.Equal(new Answer.Differs(), answer);
        Assert.Equal(170, _book.Accounts[Wallet].Posted);
    }

    [Theory]
    [InlineData(-400, "too old")]
    [InlineData(+100, "too new")]
    public void A_request_without_an_open_month_is_put_aside_and_moves_nothing(int days, string reason)
    {
        Open(Wallet, AccountKind.Wallet, 100);
        _book.Months = [new(Ids.FirstAt(Noon.AddDays(-100)), Ids.FirstAt(Noon.AddDays(+100)), KeepsRaw: true)];
        var (request, record) = (Ids.FirstAt(Noon.AddDays(days)), new byte[] { 1, 2, 3 });
        var settle = new Settle(new(request, null, [new(Wallet, 5)], UsageOf(5)) { Key = KeyEnd.Used }) { Record = record, Answer = [4] };

        Assert.Equal(new Answer.Stale(), Apply(settle));
        Assert.Equal(new Answer.Stale(), Apply(settle));

        Assert.Equal(100, _book.Accounts[Wallet].Posted);
        Assert.Empty(_book.Usages);
        Assert.All(_book.EndedCalls, ended => Assert.Equal((request, KeyEnd.Used, 1), (ended.Request, ended.Key, ended.Answer!.Length)));
        Assert.Equal(2, _book.EndedCalls.Count);
        Assert.All(_book.Stale, stale => Assert.Equal((request, reason, 3), (stale.RequestId, stale.Reason, stale.Record.Length)));
    }

    [Fact]
    public void An_erased_reason_is_compared_with_nothing_and_all_else_is()
    {
        Open(Wallet, AccountKind.Wallet, 100);
        var id = Ids.New();
        _book.Moved.Add(id, new(id, EntryType.Grant, null) { Erased = true, InputHash = Adjustment(id, 70).InputHash() });

        Assert.Equal(new Answer.Done(Repeated: true), Apply(Adjustment(id, 70, "gone")));
        Assert.Equal(new Answer.Differs(), Apply(Adjustment(id, 71, "gone")));
        Assert.Equal(100, _book.Accounts[Wallet].Posted);
    }

    [Fact]
    public void A_request_whose_record_is_gone_is_not_priced_anew()
    {
        Open(Wallet, AccountKind.Wallet, 100);

        Assert.Equal(
            RefusalReason.Unknown,
            Refused(Apply(new Rerate(Ids.New(), Ids.New(), Wallet, Organization, Project, false, Ids.New(), 5))));
        Assert.Equal(100, _book.Accounts[Wallet].Posted);
    }

    [Fact]
    public void A_credit_repeated_under_its_id_counts_once()
    {
        Open(Wallet, AccountKind.Wallet, 0);
        var id = Ids.New();

        Adjust(id, 70);
        Assert.Equal(new Answer.Done(Repeated: true), Adjust(id, 70));
        Assert.Equal(70, _book.Accounts[Wallet].Posted);
    }

    [Fact]
    public void A_debit_beyond_what_is_available_is_refused_and_changes_nothing()
    {
        Open(Wallet, AccountKind.Wallet, 100);
        Lease(fence: 1, new LeaseDemand(Wallet, 60, 60, 60, 60));

        Assert.Equal(new Answer.Refused(Wallet, RefusalReason.Exhausted, 40), Adjust(Ids.New(), -41));
        Assert.Equal(100, _book.Accounts[Wallet].Posted);
    }

    [Fact]
    public void A_lease_reserves_and_a_repeated_call_reserves_once()
    {
        Open(Wallet, AccountKind.Wallet, 100);

        var first = Lease(fence: 1, new LeaseDemand(Wallet, 10, 30, 30, 30));
        var repeated = Lease(fence: 1, new LeaseDemand(Wallet, 10, 30, 30, 30));

        Assert.Equal([30], Granted(first));
        Assert.Equal([30], Granted(repeated));
        Assert.Equal(30, _book.Accounts[Wallet].Reserved);
    }

    [Fact]
    public void A_vector_is_leased_from_all_of_its_registers_or_from_none()
    {
        Open(Wallet, AccountKind.Wallet, 100);
        Open(Cap, AccountKind.SessionCap, 5);

        var answer = Lease(fence: 1, new LeaseDemand(Wallet, 10, 10, 10, 10), new LeaseDemand(Cap, 10, 10, 10, 10));

        Assert.Equal(new Answer.Refused(Cap, RefusalReason.Exhausted, 5), answer);
        Assert.Equal(0, _book.Accounts[Wallet].Reserved);
        Assert.Empty(_book.Leases);
    }

    [Fact]
    public void A_nearly_empty_register_gives_what_it_has_down_to_the_minimum()
    {
        Open(Wallet, AccountKind.Wallet, 25);

        Assert.Equal([25], Granted(Lease(fence: 1, new LeaseDemand(Wallet, 10, 30, 30, 300))));
        Assert.IsType<Answer.Refused>(Lease(fence: 2, new LeaseDemand(Wallet, 1, 30, 30, 300)));
    }

    [Fact]
    public void A_shortage_that_other_holders_could_mend_is_reported_before_it_is_decided()
    {
        Open(Wallet, AccountKind.Wallet, 50);
        Lease(fence: 1, new LeaseDemand(Wallet, 30, 30, 30, 30));
        var request = new LeaseRequest(Ids.New(), 1, "another proxy", [new(Wallet, 10, 30, 30, 30)]);

        Assert.Equal(new Answer.Shortage([Wallet]), Apply(new Extend(request)));
        Assert.Equal([20], Granted(Apply(new Extend(request, Final: true))));
    }

    [Fact]
    public void Extensions_and_returns_of_a_lease_may_cross_on_the_way()
    {
        Open(Wallet, AccountKind.Wallet, 100);
        Lease(fence: 1, new LeaseDemand(Wallet, 40, 40, 40, 40));

        GiveBack(fence: 1, 30);
        Lease(fence: 2, new LeaseDemand(Wallet, 5, 5, 5, 5));

        Assert.Equal(15, _book.Accounts[Wallet].Reserved);
    }

    [Fact]
    public void More_than_is_needed_comes_only_from_plenty()
    {
        Open(Wallet, AccountKind.Wallet, 1_010);

        Assert.Equal([10 + 1_000 / 16], Granted(Lease(fence: 1, new LeaseDemand(Wallet, 10, 10, 10, 900))));
    }

    [Fact]
    public void A_frozen_wallet_leases_nothing_but_still_pays_for_what_runs()
    {
        Open(Wallet, AccountKind.Wallet, 100);
        Lease(fence: 1, new LeaseDemand(Wallet, 40, 40, 40, 40));
        Apply(new Freeze(Wallet, true));

        Assert.Equal(RefusalReason.Frozen, Refused(Lease(fence: 2, new LeaseDemand(Wallet, 1, 1, 1, 1))));
        Settle(Ids.New(), cost: 25);

        Assert.Equal(75, _book.Accounts[Wallet].Posted);
    }

    [Fact]
    public void What_its_owner_has_frozen_Billing_does_not_let_go_and_its_owner_lets_go_whoever_has_frozen_it()
    {
        Open(Wallet, AccountKind.Wallet, 100);
        foreach (var (first, then) in ((Freezer, Freezer)[])[(Freezer.Billing, Freezer.Owner), (Freezer.Owner, Freezer.Billing)])
        {
            Apply(new Freeze(Wallet, true, first));
            Apply(new Freeze(Wallet, true, then));
            Apply(new Freeze(Wallet, false, Freezer.Billing));
            Assert.True(_book.Accounts[Wallet].Frozen);

            Apply(new Freeze(Wallet, true, Freezer.Billing));
            Apply(new Freeze(Wallet, false, Freezer.Owner));
            Assert.False(_book.Accounts[Wallet].Frozen);
        }
        Apply(new Freeze(Wallet, true, Freezer.Billing));
        Apply(new Freeze(Wallet, false, Freezer.Billing));
        Assert.False(_book.Accounts[Wallet].Frozen);
    }

    [Fact]
    public void A_frozen_wallet_can_be_credited_and_debited()
    {
        Open(Wallet, AccountKind.Wallet, 100);
        Apply(new Freeze(Wallet, true));

        Adjust(Ids.New(), 50);
        Adjust(Ids.New(), -120);

        Assert.Equal(30, _book.Accounts[Wallet].Posted);
    }

    [Fact]
    public void A_lease_gives_back_exactly_what_it_is_told_and_ignores_an_old_fence()
    {
        Open(Wallet, AccountKind.Wallet, 100);
        Lease(fence: 1, new LeaseDemand(Wallet, 40, 40, 40, 40));

        GiveBack(fence: 2, 15);
        GiveBack(fence: 2, 15);

        Assert.Equal(25, _book.Accounts[Wallet].Reserved);
    }

    [Fact]
    public void Giving_back_more_than_is_held_is_a_broken_invariant()
    {
        Open(Wallet, AccountKind.Wallet, 100);
        Lease(fence: 1, new LeaseDemand(Wallet, 40, 40, 40, 40));

        Assert.Throws<InvalidOperationException>(() => GiveBack(fence: 2, 41));
    }

    [Fact]
    public void A_repeated_extension_renews_the_lease_and_is_refused_when_the_lease_has_ended()
    {
        Open(Wallet, AccountKind.Wallet, 100);
        var demand = new LeaseDemand(Wallet, 40, 40, 40, 40);
        Lease(fence: 1, demand);
        _book.Leases[LeaseId].ExpiresAt = Noon.AddSeconds(1);

        Assert.Equal([40], Granted(Lease(fence: 1, demand)));
        Assert.Equal(Noon.AddSeconds(LeaseRequest.TtlSeconds), _book.Leases[LeaseId].ExpiresAt);

        _book.Leases[LeaseId].ExpiresAt = Noon.AddSeconds(-1);
        Apply(new Expire(LeaseId, [Wallet]));
        Assert.Equal(RefusalReason.LeaseClosed, Refused(Lease(fence: 1, demand)));
    }

    [Fact]
    public void A_lease_that_the_ledger_has_forgotten_cannot_be_extended()
    {
        Open(Wallet, AccountKind.Wallet, 100);

        Assert.Equal(RefusalReason.LeaseClosed, Refused(Lease(fence: 2, new LeaseDemand(Wallet, 1, 1, 1, 1))));
        Assert.Equal(0, _book.Accounts[Wallet].Reserved);
    }

    [Fact]
    public void An_expired_lease_frees_what_it_held_and_cannot_be_extended()
    {
        Open(Wallet, AccountKind.Wallet, 100);
        Lease(fence: 1, new LeaseDemand(Wallet, 40, 40, 40, 40));
        Apply(new Expire(LeaseId, [Wallet]));
        Assert.Equal(40, _book.Accounts[Wallet].Reserved);

        _book.Leases[LeaseId].ExpiresAt = Noon;
        Apply(new Expire(LeaseId, [Wallet]));

        Assert.Equal(0, _book.Accounts[Wallet].Reserved);
        Assert.Equal(RefusalReason.LeaseClosed, Refused(Lease(fence: 2, new LeaseDemand(Wallet, 1, 1, 1, 1))));
    }

    [Fact]
    public void A_session_cap_is_spent_beside_the_wallet_in_its_own_unit()
    {
        Open(Wallet, AccountKind.Wallet, 100);
        Open(Cap, AccountKind.SessionCap, 30);
        Lease(fence: 1, new LeaseDemand(Wallet, 20, 20, 20, 20), new LeaseDemand(Cap, 20, 20, 20, 20));

        Settle(Ids.New(), cost: 12, charge: 12, Wallet, Cap);

        Assert.Equal((88, 18), (_book.Accounts[Wallet].Posted, _book.Accounts[Cap].Posted));
        Assert.Equal(12, _book.Usages[0].Charged);
    }

    [Theory]
    // Of 40 that were charged, 25 go back.
    [InlineData(15, 85, 0)]
    [InlineData(0, 100, 0)]
    // The customer does not pay for cost beyond the bound, however much the wallet has.
    [InlineData(50, 60, 10)]
    public void A_batch_gets_back_what_it_did_not_cost_and_never_costs_its_wallet_more_than_its_bound(long cost, long left, long borne)
    {
        Open(Wallet, AccountKind.Wallet, 100);
        Lease(fence: 1, new LeaseDemand(Wallet, 40, 40, 40, 40));
        var request = Ids.New();
        Settle(request, cost: 40);
        _book.Rated[request] = new(40, 40, 0);
        var correction = new Rerate(Ids.New(), request, Wallet, Organization, Project, false, Ids.New(), cost) { OfBatch = true };

        Apply(correction);
        var again = Apply(correction with { Cost = 1 });

        Assert.Equal(new Answer.Done(Repeated: true), again);
        Assert.Equal((left, -borne), (_book.Accounts[Wallet].Posted, _book.Accounts[HouseAccounts.Absorbed(Project, false)].Posted));
        Assert.Equal(cost, _book.Accounts[HouseAccounts.ProviderCost(Project, false)].Posted);
    }

    public void Dispose()
    {
        var unit = _book.Accounts.ToDictionary(pair => pair.Key, pair => pair.Value.Unit);
        Assert.All(
            _book.Entries.GroupBy(entry => (entry.Transfer, unit[entry.Account])),
            movement => Assert.Equal(0, movement.Sum(entry => entry.Amount)));
        Assert.All(_book.Accounts.Values, account =>
        {
            Assert.Equal(_book.Entries.Where(entry => entry.Account == account.Id).Sum(entry => entry.Amount), account.Posted);
            Assert.Equal(_book.Leases.Values.Sum(lease => lease.Lines.GetValueOrDefault(account.Id)?.Outstanding ?? 0), account.Reserved);
            Assert.True(!account.IsRegister || account.Available >= 0);
        });
    }

    Answer Apply(Command command)
    {
        foreach (var account in command.Ensures)
            if (_book.Accounts.TryAdd(account.Id, account))
                _book.Created.Add(account.Id);
        return Ledger.Apply(_book, command);
    }

    Answer Open(Guid id, AccountKind kind, long initial) => Apply(new Open(
        new(id, kind, kind == AccountKind.Wallet ? Unit.Usd : Unit.UsdLimit, Organization, Project, Ids.New(), false, initial)));

    Answer Adjust(Guid id, long amount) => Apply(Adjustment(id, amount));

    static Post Adjustment(Guid id, long amount, string? reason = null) =>
        new(id, amount > 0 ? PostType.Grant : PostType.Debit, Posts.Of(Wallet, Organization, Project), [Math.Abs(amount)])
        {
            Text = reason,
        };

    Answer Lease(long fence, params LeaseDemand[] lines) => Apply(new Extend(new(LeaseId, fence, "proxy", lines)));

    void GiveBack(long fence, long amount) => Apply(new GiveBack(new(LeaseId, fence, [new(Wallet, amount)])));

    void Settle(Guid request, long cost, long? charge = null, params Guid[] registers) => Apply(new Settle(new(
        request, LeaseId, [.. (registers.Length == 0 ? [Wallet] : registers).Select(register => new Charge(register, charge ?? cost))],
        UsageOf(cost))));

    static UsageRecord UsageOf(long cost) => UsageRecords.Of(cost, Organization, Project, Noon);

    static IReadOnlyList<long> Granted(Answer answer) => Assert.IsType<Answer.Granted>(answer).Amounts;

    static RefusalReason Refused(Answer answer) => Assert.IsType<Answer.Refused>(answer).Reason;
}
