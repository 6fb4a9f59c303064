using LlmGateway.Contracts;
using LlmGateway.Wallet;
using Xunit;

namespace LlmGateway.UnitTests.Wallet;

/// <summary>Claims of several lines: limits that count, and sources that pay in their order.</summary>
public sealed class LedgerClaimTests
{
    static readonly DateTimeOffset Noon = new(2026, 11, 21, 12, 0, 0, TimeSpan.Zero);
    static readonly Guid Organization = Ids.New(), Project = Ids.New(), Wallet = Ids.New(), Quota = Ids.New(), Limit = Ids.New(),
        Slots = Ids.New();

    readonly MemoryStore _store = new();
    readonly Guid _lease = Ids.New();
    DateTimeOffset _now = Noon;

    public LedgerClaimTests() =>
        Apply(new Open(new(Wallet, AccountKind.Wallet, Unit.Usd, Organization, Project, Organization, false, 1_000)));

    [Fact]
    public void A_counter_is_opened_by_the_first_claim_and_gives_up_to_the_ceiling_of_each()
    {
        Assert.Equal([60], Granted(Claim(1, Counting(Limit, 60, ceiling: 100))));
        Assert.Equal(new Answer.Refused(Limit, RefusalReason.Exhausted, 40), Claim(2, Counting(Limit, 60, ceiling: 100)));
        Assert.Equal([60], Granted(Claim(2, Counting(Limit, 60, ceiling: 120))));
        // Lowered below what is held: nothing more is given, and what is held stays.
        Assert.Equal(
            new Answer.Refused(Limit, RefusalReason.Exhausted, 0) { Over = 70 }, Claim(3, Counting(Limit, 1, ceiling: 50)));
        Assert.Equal(120, _store.Accounts[Limit].Reserved);
    }

    /// <summary>It is deleted some time after that. In its cycle a raise has ended, and all that is left of the limit is used.</summary>
    [Fact]
    public void A_counter_lasts_until_the_latest_end_that_a_claim_has_said_a_refused_one_included()
    {
        Granted(Claim(1, Counting(Limit, 100, ceiling: 100)));
        Assert.Equal(Noon.AddHours(1), _store.Accounts[Limit].EndsAt);

        var year = Counting(Limit, 1, ceiling: 100);
        Assert.IsType<Answer.Refused>(Claim(2, year with { Counter = year.Counter! with { CycleTo = Noon.AddDays(300) } }));
        Assert.Equal(Noon.AddDays(300), _store.Accounts[Limit].EndsAt);

        Granted(Claim(2, Counting(Limit, 1, ceiling: 200))); // of a proxy that knows the term alone
        Assert.Equal(Noon.AddDays(300), _store.Accounts[Limit].EndsAt);
    }

    [Fact]
    public void Of_several_limits_that_refuse_the_one_that_resets_last_is_named()
    {
        var (other, held) = (Ids.New(), Ids.New());
        Assert.Equal(other, Named(1, Until(Limit, 1, 0), Until(other, 9, 0)));
        Assert.Equal(other, Named(1, Until(other, 9, 0), Until(Limit, 1, 0)));

        // What is only held may be free in a moment.
        Granted(Claim(1, Until(held, 20, ceiling: 100)));
        Assert.Equal(Limit, Named(2, Until(held, 20, 100), Until(Limit, 1, 0)));
        Assert.Equal(held, Named(2, Until(held, 20, 100), Until(Limit, 9, 100)));

        // A quota is a limit that pays. A wallet never resets.
        var quota = Until(Quota, 9, 0);
        quota = quota with { Counter = quota.Counter! with { Kind = AccountKind.Quota } };
        Assert.Equal(Quota, Refused(Claim(2, firstSource: 1, Until(Limit, 1, 0), quota)));
        Assert.Equal(Limit, Refused(Claim(2, firstSource: 1, Until(Limit, 10, 0), quota)));
        Assert.Equal(Limit, Refused(Claim(2, firstSource: 1, Until(Limit, 1, 0), new(Wallet, 2_000, 2_000, 2_000, 2_000))));

        Guid Named(long fence, params LeaseDemand[] lines) => Refused(Claim(fence, lines.Length, lines));

        static Guid Refused(Answer answer) => Assert.IsType<Answer.Refused>(answer).Register;

        static LeaseDemand Until(Guid register, int hours, long ceiling) => new(register, 60, 60, 60, 60)
        {
            Counter = new(AccountKind.Limit, Unit.Tokens, null, ceiling, Noon.AddHours(-1), Noon.AddHours(hours)),
        };
    }

    [Theory]
    [InlineData(-3_601, false)]
    [InlineData(-3_600, true)]
    [InlineData(3_600, true)]
    [InlineData(3_601, false)]
    public void A_claim_belongs_to_the_cycle_that_the_ledgers_clock_says(int seconds, bool isAccepted)
    {
        // The cycle is from 11:00:01 to 13:00:00.
        _now = Noon.AddSeconds(seconds);
        var line = Counting(Limit, 1, ceiling: 100) with
        {
            Counter = new(AccountKind.Limit, Unit.Tokens, null, 100, Noon.AddSeconds(-3_599), Noon.AddHours(1)),
        };
        var answer = Claim(1, line);
        if (isAccepted)
            Assert.Equal([1], Granted(answer));
        else
            Assert.Equal(new Answer.Refused(Limit, RefusalReason.CycleOver, 0), answer);
    }

    [Theory]
    [InlineData(91, 0)] // metered, charged to nobody
    [InlineData(89, 7)] // money that nobody has
    public void A_counter_that_is_deleted_is_counted_in_the_usage_record_alone_and_is_no_money(int days, long absorbed)
    {
        var id = Ids.New(Noon.AddDays(-days));

        Apply(new Settle(new(id, null, [new(Limit, 30)], UsageRecords.Of(7, Organization, Project, _now))));

        Assert.False(_store.Accounts.ContainsKey(Limit));
        Assert.Equal((0L, absorbed), (_store.Charged, _store.Absorbed));
    }

    [Fact]
    public void A_counter_counts_what_was_used_even_above_its_ceiling()
    {
        Claim(1, Counting(Limit, 60, ceiling: 100));
        // 50 were held, and the provider used 80 more.
        Settle(cost: 0, due: null, new Charge(Limit, 130, Beyond: 80));
        Assert.Equal((130, 10), (_store.Accounts[Limit].Posted, _store.Accounts[Limit].Reserved));
        Assert.Equal(new Answer.Refused(Limit, RefusalReason.Exhausted, 0), Claim(2, Counting(Limit, 1, ceiling: 100)));
        Assert.Equal(130, _store.Counted[Limit]);
    }

    [Fact]
    public void A_request_that_only_limits_count_is_charged_to_nobody()
    {
        Claim(1, Counting(Limit, 60, ceiling: 100));
        Settle(cost: 40, due: null, new Charge(Limit, 10));
        Assert.Equal((0, 0, 0), (_store.Charged, _store.Absorbed, _store.Covered));
    }

    [Fact]
    public void Sources_give_in_their_order_what_covers_the_payment_together()
    {
        // A hundred tokens are left, and the request may have 400, or cost 800 nano-dollars.
        var answer = Claim(1, firstSource: 0, Source(Quota, 400, ceiling: 100), Money(800));
        Assert.Equal([100, 600], Granted(answer));
        // Nothing is left of the quota for anybody.
        Assert.Equal(0b01UL, ((Answer.Granted)answer).UsedUp);
    }

    [Fact]
    public void A_frozen_source_refuses_the_claim_and_is_never_passed()
    {
        Apply(new Freeze(Wallet, true));
        var answer = Claim(1, firstSource: 0, Source(Quota, 10, ceiling: 100), Money(20));
        Assert.Equal(RefusalReason.Frozen, Assert.IsType<Answer.Refused>(answer).Reason);
        Assert.Equal(0, _store.Accounts[Quota].Reserved);
    }

    [Fact]
    public void A_source_is_passed_only_when_what_others_hold_of_it_was_called_back()
    {
        Claim(1, firstSource: 0, Source(Quota, 60, ceiling: 100), Money(120));
        var request = new LeaseRequest(Ids.New(), 1, "other", [Source(Quota, 80, ceiling: 100), Money(160)])
        {
            FirstSource = 0, Scope = Scope,
        };

        Assert.Equal(new Answer.Shortage([Quota]), Apply(new Extend(request)));
        Assert.Equal([40, 80], Granted(Apply(new Extend(request) { InUse = new HashSet<Guid> { Quota } })));
    }

    /// <summary>A request that runs holds the whole quota, and the wallet has nothing.</summary>
    [Fact]
    public void A_refusal_says_what_other_leases_hold_and_whether_sources_would_suffice_without_that()
    {
        Claim(1, Counting(Limit, 60, ceiling: 100));
        Assert.Equal(
            new Answer.Refused(Limit, RefusalReason.Exhausted, 40) { Held = 60 }, Other(1, Counting(Limit, 70, ceiling: 100)));

        Claim(2, firstSource: 0, Source(Quota, 100, ceiling: 100), Money(200));
        Apply(new Post(Ids.New(), PostType.Debit, Posts.Of(Wallet, Organization, Project), [1_000]));
        Assert.Equal(
            new Answer.Refused(Wallet, RefusalReason.Exhausted, 0) { Busy = true },
            Other(0, Source(Quota, 80, ceiling: 100), Money(160)));
        Assert.Equal(
            new Answer.Refused(Wallet, RefusalReason.Exhausted, 0), Other(0, Source(Quota, 101, ceiling: 100), Money(202)));
    }

    [Fact]
    public void A_limit_that_others_are_known_to_use_is_refused_without_calling_anything_back()
    {
        Claim(1, Counting(Limit, 60, ceiling: 100));
        var extend = new Extend(new(Ids.New(), 1, "other", [Counting(Limit, 70, ceiling: 100)]) { FirstSource = 1, Scope = Scope });

        Assert.IsType<Answer.Shortage>(Apply(extend));
        Assert.Equal(
            new Answer.Refused(Limit, RefusalReason.Exhausted, 40) { Held = 60 },
            Apply(extend with { InUse = new HashSet<Guid> { Limit } }));
    }

    [Fact]
    public void What_a_quota_has_paid_is_covered_and_the_wallet_pays_what_is_due()
    {
        Claim(1, firstSource: 0, Source(Quota, 400, ceiling: 100), Money(800));
        Settle(cost: 500, due: 300, new Charge(Quota, 100), new Charge(Wallet, 300));
        Assert.Equal((300, 0, 200), (_store.Charged, _store.Absorbed, _store.Covered));
        Assert.Equal(700, _store.Accounts[Wallet].Posted);
        Assert.Equal(500, _store.Accounts[HouseAccounts.ProviderCost(Project, false)].Posted);
        Assert.Equal(-200, _store.Accounts[HouseAccounts.Covered(Project, false)].Posted);
    }

    [Theory]
    [InlineData(0, null)]
    [InlineData(500, 0L)]
    public void What_a_quota_has_paid_is_covered_whatever_it_cost_when_prices_change(long cost, long? due)
    {
        Claim(1, firstSource: 0, Source(Quota, 100, ceiling: 100), Money(800));
        var request = Settle(cost, due, new Charge(Quota, 100));

        foreach (var newCost in (long[])[700, 300])
        {
            Apply(new Rerate(Ids.New(), request, Wallet, Organization, Project, false, Ids.New(), newCost));
            Assert.Equal((0, 0, newCost), (_store.Charged, _store.Absorbed, _store.Covered));
            Assert.Equal(1_000, _store.Accounts[Wallet].Posted);
        }
    }

    [Fact]
    public void What_was_free_is_covered_whatever_it_costs_by_another_price()
    {
        var request = Settle(cost: 0, due: 0);

        foreach (var newCost in (long[])[300, 100])
        {
            Apply(new Rerate(Ids.New(), request, Wallet, Organization, Project, false, Ids.New(), newCost));
            Assert.Equal((0, 0, newCost), (_store.Charged, _store.Absorbed, _store.Covered));
        }
        Assert.Equal(1_000, _store.Accounts[Wallet].Posted);
    }

    [Fact]
    public void A_request_that_a_limit_counted_and_nothing_paid_is_the_wallets_when_it_gets_a_price()
    {
        Claim(1, firstSource: 1, Counting(Limit, 100, ceiling: 100), Money(500));
        var request = Settle(cost: 0, due: null, new Charge(Limit, 100));

        Apply(new Rerate(Ids.New(), request, Wallet, Organization, Project, false, Ids.New(), 300));

        Assert.Equal((300, 0, 0), (_store.Charged, _store.Absorbed, _store.Covered));
    }

    [Fact]
    public void Overage_above_the_cost_is_the_developers()
    {
        Claim(1, firstSource: 0, Money(800));
        Settle(cost: 100, due: 250, new Charge(Wallet, 250));
        Assert.Equal((250, 0, -150), (_store.Charged, _store.Absorbed, _store.Covered));
        Assert.Equal(150, _store.Accounts[HouseAccounts.Covered(Project, false)].Posted);
    }

    [Fact]
    public void Slots_are_held_while_requests_run_and_never_used_up()
    {
        Assert.Equal([2, 40], Granted(Claim(1, firstSource: 1, Running(2, ceiling: 3), Money(40))));
        Assert.Equal(new Answer.Refused(Slots, RefusalReason.Exhausted, 1), Claim(2, Running(2, ceiling: 3)));

        Settle(cost: 20, due: null, new Charge(Wallet, 20));
        GiveBack(1, 1);
        Assert.Equal([2], Granted(Claim(2, Running(2, ceiling: 3))));
        Assert.Equal((0, 3), (_store.Accounts[Slots].Posted, _store.Accounts[Slots].Reserved));
    }

    [Fact]
    public void A_silent_holder_loses_its_slots_and_nothing_else()
    {
        Claim(1, firstSource: 1, Running(2, ceiling: 2), Money(40));
        Assert.Equal(new Answer.Done(), Apply(new FreeSlots(_lease, [Slots, Wallet])));
        Assert.Equal(new Answer.Done(Repeated: true), Apply(new FreeSlots(_lease, [Slots, Wallet])));
        Assert.Equal((0, 40), (_store.Accounts[Slots].Reserved, _store.Accounts[Wallet].Reserved));

        // Another holder runs two requests; the first one was only paused and ends what it ran.
        var other = new LeaseRequest(Ids.New(), 1, "other", [Running(2, ceiling: 2)]) { FirstSource = 1, Scope = Scope };
        Assert.Equal([2], Granted(Apply(new Extend(other))));
        GiveBack(1, 2);
        Assert.Equal(new Answer.Refused(Slots, RefusalReason.SlotsFreed, 0), Claim(1, Running(1, ceiling: 2)));
        Assert.Equal(2, _store.Accounts[Slots].Reserved);
        Settle(cost: 20, due: null, new Charge(Wallet, 20));
        Assert.Equal((20, 0), (_store.Charged, _store.Absorbed));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void What_a_return_renounces_is_free_although_a_call_for_it_is_under_way(bool arrivesFirst)
    {
        if (arrivesFirst)
            Claim(1, Running(2, ceiling: 2));
        Apply(new GiveBack(new(_lease, 1, [new(Slots, 0)]) { RenouncesSlots = true }));
        var late = Assert.IsType<Answer.Refused>(Claim(1, Running(2, ceiling: 2)));
        Assert.Equal(arrivesFirst ? RefusalReason.SlotsFreed : RefusalReason.LeaseClosed, late.Reason);
        Assert.Equal(0, _store.Accounts[Slots].Reserved);
    }

    [Fact]
    public void A_frozen_wallet_of_which_nothing_is_asked_refuses_and_an_empty_one_does_not()
    {
        Apply(new Freeze(Wallet, true));
        Assert.Equal(RefusalReason.Frozen, Assert.IsType<Answer.Refused>(Claim(1, firstSource: 1, Money(0))).Reason);
        Apply(new Freeze(Wallet, false));
        Assert.Equal([0], Granted(Claim(1, firstSource: 1, Money(0))));
    }

    /// <summary>What another lease is told at last.</summary>
    Answer Other(int firstSource, params LeaseDemand[] lines) => Apply(new Extend(
        new(Ids.New(), 1, "other", lines) { FirstSource = firstSource, Scope = Scope }, Final: true));

    static CounterScope Scope => new(Organization, Project, Organization, false);

    static LeaseDemand Counting(Guid register, long amount, long ceiling) => new(register, amount, amount, amount, amount)
    {
        Counter = new(AccountKind.Limit, Unit.Tokens, null, ceiling, Noon.AddHours(-1), Noon.AddHours(1)),
    };

    static LeaseDemand Running(long amount, long ceiling) => new(Slots, amount, amount, amount, amount)
    {
        Counter = new(AccountKind.Slots, Unit.Slots, null, ceiling, DateTimeOffset.UnixEpoch, Term.Ever),
    };

    static LeaseDemand Source(Guid register, long amount, long ceiling) => Counting(register, amount, ceiling) with
    {
        Counter = new(AccountKind.Quota, Unit.Tokens, null, ceiling, Noon.AddHours(-1), Noon.AddHours(1)),
    };

    static LeaseDemand Money(long amount) => new(Wallet, amount, amount, amount, amount);

    Answer Claim(long fence, LeaseDemand line) => Claim(fence, firstSource: 1, line);

    Answer Claim(long fence, int firstSource, params LeaseDemand[] lines) =>
        Apply(new Extend(new(_lease, fence, "proxy", lines) { FirstSource = firstSource, Scope = Scope }));

    void GiveBack(long fence, long slots) => Apply(new GiveBack(new(_lease, fence, [new(Slots, slots)])));

    /// <summary>The request.</summary>
    Guid Settle(long cost, long? due, params Charge[] charges)
    {
        var request = Ids.New();
        Apply(new Settle(new(request, _lease, charges, UsageRecords.Of(cost, Organization, Project, _now)) { Due = due }));
        return request;
    }

    Answer Apply(Command command)
    {
        var answer = _store.Apply(command, _now);
        Assert.All(_store.SumsOfUnits.Values, sum => Assert.Equal(0, sum));
        return answer;
    }

    static IReadOnlyList<long> Granted(Answer answer) => Assert.IsType<Answer.Granted>(answer).Amounts;
}
