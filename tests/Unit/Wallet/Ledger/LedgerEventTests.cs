using LlmGateway.Contracts;
using LlmGateway.Wallet;
using Xunit;

namespace LlmGateway.UnitTests.Wallet;

/// <summary>What the ledger tells: once for each crossing, and never of what is only held.</summary>
public sealed class LedgerEventTests
{
    const long Mark = 100;

    static readonly DateTimeOffset Noon = new(2026, 11, 21, 12, 0, 0, TimeSpan.Zero);
    static readonly Guid Organization = Ids.New(), Project = Ids.New(), Wallet = Ids.New(), Counter = Ids.New();

    readonly MemoryStore _store = new();
    readonly Guid _lease = Ids.New(), _other = Ids.New();
    DateTimeOffset _now = Noon;
    EventData? _last;

    public LedgerEventTests() => Run(new Open(
        new(Wallet, AccountKind.Wallet, Unit.Usd, Organization, Project, Organization, false, 1_000) { LowMark = Mark }));

    [Fact]
    public void A_low_balance_is_told_once_for_each_fall_below_its_mark_and_armed_again_above_it()
    {
        Assert.Equal([], Spend(900)); // at the mark
        Assert.Equal(["wallet.low_balance 99"], Spend(1));
        for (var i = 0; i < 9; i++)
            Assert.Equal([], Spend(1));
        Assert.Equal(["wallet.credited 104"], Credit(14)); // above the mark, and not enough
        Assert.Equal([], Spend(10));
        Assert.Equal(["wallet.credited 105"], Credit(11));
        Assert.Equal(["wallet.low_balance 99"], Spend(6));
    }

    [Fact]
    public void Of_a_thousand_debits_below_the_mark_none_tells_it_again()
    {
        Assert.Equal(["wallet.credited 11000"], Credit(10_000));
        Run(Hold(_lease, 1, 1, mark: 5_000));
        Assert.Equal(["wallet.low_balance 4999"], Spend(6_001));
        for (var i = 0; i < 1_000; i++)
            Assert.Equal([], Spend(1));
        Assert.Equal(["wallet.credited 5250"], Credit(1_251));
        Assert.Equal(["wallet.low_balance 4999"], Spend(251));
    }

    [Fact]
    public void A_hold_that_dips_below_the_mark_tells_nothing()
    {
        Assert.Equal([], Run(Hold(_lease, 1, 950)));
        Assert.Equal([], Run(new GiveBack(new(_lease, 1, [new(Wallet, 950)]))));
        Assert.Equal([], Run(Hold(_lease, 2, 1_000)));
        _now = _now.AddMinutes(2);
        Assert.Equal([], Run(new Expire(_lease, [Wallet])));
    }

    [Fact]
    public void A_mark_that_moves_past_the_balance_tells_nothing_and_is_the_one_that_counts_from_then_on()
    {
        Assert.Equal([], Run(Hold(_lease, 1, 10, mark: 5_000)));
        Assert.Equal([], Spend(100));
        Assert.Equal([], Run(Hold(_lease, 2, 10, mark: 800)));
        Assert.Equal(["wallet.low_balance 799"], Spend(101));
        Assert.Equal([], Run(Hold(_lease, 3, 10, mark: null)));
        Assert.Equal(["wallet.credited 1799"], Credit(1_000));
        Assert.Equal([], Spend(1_700));
    }

    [Fact]
    public void A_wallet_is_exhausted_once_until_something_comes_in()
    {
        Assert.Equal(["wallet.low_balance 0", "wallet.exhausted 0"], Spend(1_000));
        Assert.Equal([], Run(Hold(_lease, 1, 1)));
        Assert.Equal(["wallet.credited 3"], Credit(3));
        // Not empty, and not enough for anything.
        Assert.Equal(["wallet.exhausted 3"], Run(Hold(_lease, 1, 4)));
        Assert.Equal([], Run(Hold(_lease, 1, 4)));
        Assert.Equal([], Spend(3));
    }

    [Fact]
    public void A_refusal_for_what_others_hold_exhausts_nothing()
    {
        Run(Hold(_other, 1, 990));

        Assert.Equal([], Run(Hold(_lease, 1, 11) with { Final = true }));

        Assert.Equal(["wallet.exhausted 1000"], Run(Hold(_lease, 1, 1_001) with { Final = true }));
    }

    [Fact]
    public void Each_threshold_is_told_once_in_a_cycle_whatever_becomes_of_the_ceiling()
    {
        Assert.Equal([], Run(Claim(1, ceiling: 100)));
        Assert.Equal([], Use(49));
        Assert.Equal(["limit.threshold 50% 50 of 100"], Use(1));
        Assert.Equal([], Use(29));
        // One request crosses two of them.
        Assert.Equal(["limit.threshold 80% 100 of 100", "limit.threshold 100% 100 of 100"], Use(21));
        Run(Claim(2, ceiling: 1_000));
        Assert.Equal([], Use(800));
    }

    [Fact]
    public void A_limit_that_is_lowered_tells_what_its_use_has_passed_with_the_next_use()
    {
        Run(Claim(1, ceiling: 1_000));
        Assert.Equal([], Use(90));
        Assert.Equal([], Run(Claim(2, ceiling: 100)));
        Assert.Equal(["limit.threshold 50% 91 of 100", "limit.threshold 80% 91 of 100"], Use(1));
    }

    [Fact]
    public void A_project_has_thresholds_of_its_own()
    {
        Run(Claim(1, ceiling: 100, thresholds: [10, 90]));

        Assert.Equal(["limit.threshold 10% 50 of 100"], Use(50));
        Assert.Equal(["limit.threshold 90% 100 of 100"], Use(50));
    }

    [Fact]
    public void A_session_s_cap_is_told_when_it_is_used_up_and_when_its_rest_covers_nothing_more()
    {
        Run(Claim(1, ceiling: 100, AccountKind.Cap, Unit.UsdLimit));
        Assert.Equal([], Use(97));

        Assert.Equal(["session.cap_reached 0.000000097 of 0.0000001"], Run(Claim(2, ceiling: 100, AccountKind.Cap, Unit.UsdLimit, 5)));

        Assert.Equal([], Run(Claim(3, ceiling: 100, AccountKind.Cap, Unit.UsdLimit, 5)));
        Assert.Equal([], Use(3));
    }

    [Theory]
    [InlineData(AccountKind.Limit, Unit.Tokens, true)]
    [InlineData(AccountKind.Cap, Unit.UsdLimit, false)]
    public void A_limit_says_when_its_cycle_ends_and_a_cap_never_begins_anew(AccountKind kind, Unit unit, bool beginsAnew)
    {
        Run(Claim(1, ceiling: 1, kind, unit));
        Use(1);
        Assert.Equal(beginsAnew ? Noon.AddDays(1) : null, _last!.Resets);
    }

    [Fact]
    public void What_comes_back_and_expires_at_once_has_crossed_no_mark()
    {
        var promotion = Post(PostType.Promotion, 200, _now.AddHours(1));
        Run(promotion);
        var request = Ids.New();
        Run(Settlement(request, 200));
        _now = _now.AddHours(2);
        Run(new Post(Ids.New(), PostType.Debit, Scope, [910]));
        Assert.Equal(90, _store.Accounts[Wallet].Posted);

        var told = Run(new Rerate(Ids.New(), request, Wallet, Organization, Project, false, Ids.New(), 0));

        Assert.Equal(["wallet.credits_expired 90"], told);
    }

    [Fact]
    public void What_is_posted_frozen_and_expired_is_told_with_it()
    {
        Assert.Equal(["wallet.credited 1070"], Credit(70));
        var topUp = new Post(Ids.New(), PostType.TopUp, Scope, [30, 0, 0]) { Reference = "pi_1" };
        Assert.Equal(["wallet.credited 1100"], Run(topUp));
        Assert.Equal([], Run(topUp));
        Assert.Equal(
            ["wallet.refunded 1080"], Run(new Post(Ids.New(), PostType.Refund, Scope, [20, 0, 0]) { Reference = "re_1", Lot = topUp.Id }));
        Assert.Equal(["wallet.frozen 1080"], Run(new Freeze(Wallet, true)));
        Assert.Equal([], Run(new Freeze(Wallet, true)));
        Assert.Equal(["wallet.unfrozen 1080"], Run(new Freeze(Wallet, false)));
        Run(Post(PostType.Promotion, 5, _now.AddHours(1)));
        _now = _now.AddHours(1);
        Assert.Equal(["wallet.credits_expired 1080"], Run(new BookExpiry(Wallet)));
    }

    /// <summary>Owners' systems are told only what changes whether it is frozen; the audit is told who else has frozen it, too.</summary>
    [Fact]
    public void Who_has_frozen_a_wallet_and_who_has_let_it_go_is_told_the_audit_once()
    {
        var told = new List<FreezeChange>();
        foreach (var (frozen, by) in ((bool, Freezer)[])
        [
            (true, Freezer.Owner), (true, Freezer.Owner), (true, Freezer.Billing), (false, Freezer.Billing), (false, Freezer.Billing),
            (false, Freezer.Owner),
        ])
        {
            var freeze = new Freeze(Wallet, frozen, by) { Actor = $"{by}", RequestId = "req_1" };
            var book = _store.Lock([freeze], _now);
            Ledger.Apply(book, freeze);
            _store.Write(book);
            told.AddRange(book.Freezes);
        }

        const Freezer both = Freezer.Owner | Freezer.Billing;
        Assert.Equal(
            [(true, Freezer.Nobody, Freezer.Owner, "Owner"), (true, Freezer.Owner, both, "Billing"),
                (false, both, Freezer.Owner, "Billing"), (false, Freezer.Owner, Freezer.Nobody, "Owner")],
            told.Select(one => (one.Frozen, one.Before, one.After, one.Actor)));
        Assert.All(told, one => Assert.Equal((Wallet, "req_1"), (one.Of.Id, one.RequestId)));
    }

    /// <summary>While proxies are updated, one that says no mark asks beside one that does.</summary>
    [Fact]
    public void A_claim_of_a_proxy_that_knows_no_marks_leaves_the_mark_as_it_is()
    {
        Run(Hold(_lease, 1, 10));
        Run(Hold(Ids.New(), 1, 10, mark: null, saysMarks: false));
        Assert.Equal(["wallet.low_balance 50"], Run(Settlement(Ids.New(), 950)));
    }

    [Fact]
    public void What_is_refused_or_comes_again_or_is_put_aside_tells_nothing()
    {
        var settlement = Settlement(Ids.New(), 950);
        Assert.Equal(["wallet.low_balance 50"], Run(settlement));
        Assert.Equal([], Run(settlement));
        Assert.Equal([], Run(new Post(Ids.New(), PostType.Debit, Scope, [51])));
        Assert.Equal([], Run(new Post(Ids.New(), PostType.Grant, Scope, [1]) { ExpiresAt = _now }));
        var closed = new MemoryStore { Month = new(Ids.FirstAt(Noon.AddYears(1)), Guid.AllBitsSet, true) };
        var book = closed.Lock([settlement], _now);
        Assert.IsType<Answer.Stale>(Ledger.Apply(book, settlement));
        Assert.Empty(book.Events);
    }

    [Fact]
    public void A_window_that_opens_is_told_once_with_what_its_counters_count()
    {
        var term = new CounterTerm(AccountKind.Windows, Unit.Windows, null, 2, Noon.AddHours(-1), Noon.AddDays(9));
        var open = new OpenWindows(new(
            new(Organization, Project, Organization, false), [new(Ids.New(), [new(Counter, term)])]));

        Assert.Equal(["limit.threshold 50% 1 of 2", "window.opened until 2026-11-22 12:00:00Z"], Run(open));
        _now = _now.AddHours(24).AddTicks(-1);
        Assert.Equal([], Run(open));
        _now = _now.AddTicks(1);
        Assert.Equal(
            ["limit.threshold 80% 2 of 2", "limit.threshold 100% 2 of 2", "window.opened until 2026-11-23 12:00:00Z"], Run(open));
    }

    static PostScope Scope => Posts.Of(Wallet, Organization, Project);

    static Post Post(PostType type, long amount, DateTimeOffset? until = null) =>
        new(Ids.New(), type, Scope, [amount]) { ExpiresAt = until };

    List<string> Credit(long amount) => Run(Post(PostType.Grant, amount));

    List<string> Spend(long amount) => Run(Settlement(Ids.New(), amount));

    static Settle Settlement(Guid request, long amount) =>
        new(new(request, null, [new(Wallet, amount)], UsageRecords.Of(amount, Organization, Project, Noon)));

    List<string> Use(long amount) => Run(new Settle(
        new(Ids.New(), null, [new(Counter, amount)], UsageRecords.Of(0, Organization, Project, Noon))));

    static Extend Hold(Guid lease, long fence, long amount, long? mark = Mark, bool saysMarks = true) =>
        new(new(lease, fence, "proxy", [new(Wallet, amount, amount, amount, amount) { LowMark = mark }])
        {
            FirstSource = 0, SaysMarks = saysMarks,
        });

    Extend Claim(
        long fence, long ceiling, AccountKind kind = AccountKind.Limit, Unit unit = Unit.Tokens, long amount = 0,
        byte[]? thresholds = null) =>
        new(new(_lease, fence, "proxy", [new(Counter, amount, amount, amount, amount)
        {
            Counter = new(kind, unit, null, ceiling, Noon.AddHours(-1), Noon.AddDays(1)) { Thresholds = thresholds, Name = "lim" },
        }])
        {
            FirstSource = 1, Scope = new(Organization, Project, Organization, false),
        });

    List<string> Run(Command command)
    {
        var book = _store.Lock([command], _now);
        Ledger.Apply(book, command);
        _store.Write(book);
        _last = book.Events.LastOrDefault()?.Data;
        return book.Events.ConvertAll(told => string.Join(' ', ((string?[])
        [
            told.Type,
            told.Data.Percent is { } percent ? $"{percent}%" : null,
            told.Data.Limit is { } limit ? $"{told.Data.Used} of {limit}" : null,
            told.Data.Balance is { } balance ? $"{balance.Nanos}" : null,
            told.Data.ClosesAt is { } end ? $"until {end:u}" : null,
        ]).OfType<string>()));
    }
}
