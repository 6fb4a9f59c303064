using LlmGateway.Contracts;
using LlmGateway.Wallet;
using Xunit;

namespace LlmGateway.UnitTests.Wallet;

/// <summary>Lots of a wallet, with a clock and without any job.</summary>
public sealed class LotTests
{
    static readonly DateTimeOffset Noon = new(2026, 11, 21, 12, 0, 0, TimeSpan.Zero), Evening = Noon.AddHours(6);
    static readonly Guid Organization = Ids.New(), Project = Ids.New(), Wallet = Ids.New();
    static readonly Guid Lease = Ids.New(), Another = Ids.New();

    readonly MemoryStore _store = new();
    DateTimeOffset _now = Noon;

    public LotTests() => Run(new Open(new(Wallet, AccountKind.Wallet, Unit.Usd, Organization, Project, Organization, false, 0)));

    [Fact]
    public void What_expires_first_is_spent_first_then_what_cost_nothing_then_the_oldest()
    {
        var first = Credit(PostType.TopUp, 10);
        var second = Credit(PostType.TopUp, 20);
        Credit(PostType.Grant, 30);
        var gift = Credit(PostType.Promotion, 60);
        var promotion = Credit(PostType.Promotion, 40, Evening.AddHours(1));
        var soon = Credit(PostType.Grant, 50, Evening);

        var order = new List<Guid>();
        for (var left = 210; left > 0; left -= 10)
        {
            Settle(null, 10);
            order.Add(_store.LastLot);
        }

        Assert.Equal([soon, promotion, Wallet, gift, first, second], order.Distinct());
    }

    [Fact]
    public void At_the_moment_of_its_end_nothing_more_can_be_taken_from_a_lot_and_the_balance_is_lower()
    {
        Credit(PostType.Grant, 100);
        Credit(PostType.Grant, 30, Evening);
        Assert.Equal(130, _store.Shown(Wallet, Evening.AddTicks(-1)));

        _now = Evening;

        Assert.Equal(100, _store.Shown(Wallet, _now));
        Assert.Equal(new Answer.Refused(Wallet, RefusalReason.Exhausted, 100), Extend(Lease, 1, 101));
        Assert.Equal(new Answer.Refused(Wallet, RefusalReason.Exhausted, 100), Run(Of(PostType.Debit, 101)));
        Assert.Equal((100, 30), (_store.Accounts[Wallet].Posted, Expired));
    }

    [Fact]
    public void What_is_held_at_the_end_of_a_lot_is_paid_from_it_and_the_rest_expires_when_it_is_given_back()
    {
        Credit(PostType.Grant, 100);
        var lot = Credit(PostType.Grant, 30, Evening);
        Extend(Lease, 1, 25);
        _now = Evening;

        Settle(Lease, 10);
        Assert.Equal((lot, 5), (_store.LastLot, Expired));
        Run(new GiveBack(new(Lease, 1, [new(Wallet, 15)])));

        Assert.Equal((100, 20), (_store.Accounts[Wallet].Posted, Expired));
    }

    [Fact]
    public void Who_comes_after_the_end_of_a_lot_neither_spends_it_nor_keeps_it_alive()
    {
        Credit(PostType.Grant, 100);
        Credit(PostType.Grant, 30, Evening);
        Extend(Lease, 1, 30);
        _now = Evening;

        Assert.Equal(RefusalReason.LotExpired, Assert.IsType<Answer.Refused>(Extend(Lease, 2, 1)).Reason);
        Assert.IsType<Answer.Granted>(Extend(Another, 1, 100));
        Settle(Another, 60);
        Assert.Equal(Wallet, _store.LastLot);
        Run(new GiveBack(new(Lease, 1, [new(Wallet, 30)])));

        Assert.Equal((40, 40, 30), (_store.Accounts[Wallet].Posted, _store.Accounts[Wallet].Reserved, Expired));
    }

    [Fact]
    public void A_lease_is_told_when_the_first_of_what_it_was_granted_from_expires()
    {
        Credit(PostType.Grant, 100);
        Assert.Null(Assert.IsType<Answer.Granted>(Extend(Lease, 1, 1)).LotsExpireAt);
        Credit(PostType.Grant, 30, Evening.AddHours(1));
        Credit(PostType.Grant, 30, Evening);

        Assert.Equal(Evening, Assert.IsType<Answer.Granted>(Extend(Lease, 2, 1)).LotsExpireAt);
        Assert.Equal(Evening, Assert.IsType<Answer.Granted>(Extend(Lease, 2, 1)).LotsExpireAt);
    }

    [Fact]
    public void What_a_corrected_request_gets_back_goes_to_the_lots_that_paid_and_is_gone_when_they_are_over()
    {
        Credit(PostType.TopUp, 50);
        var lot = Credit(PostType.Grant, 30, Evening);
        var request = Settle(null, 40);
        Assert.Equal((0, 40), (_store.LeftOf(Wallet, lot), _store.Accounts[Wallet].Posted));

        Rerate(request, 25);
        Assert.Equal((5, 55), (_store.LeftOf(Wallet, lot), _store.Accounts[Wallet].Posted));
        _now = Evening;
        Rerate(request, 20);

        Assert.Equal((0, 50, 10), (_store.LeftOf(Wallet, lot), _store.Accounts[Wallet].Posted, Expired));
    }

    [Fact]
    public void A_top_up_is_refunded_up_to_what_is_left_of_it_and_no_hold_needs_and_the_rest_is_owed_or_refused()
    {
        var first = Credit(PostType.TopUp, 40);
        Credit(PostType.TopUp, 60);
        Settle(null, 15);
        Extend(Lease, 1, 80);

        var refund = Of(PostType.Refund, 6, 0, 0) with { Lot = first, WithoutDebt = true };
        Assert.Equal(5, Assert.IsType<Answer.Refused>(Run(refund)).Available);
        Run(new GiveBack(new(Lease, 1, [new(Wallet, 80)])));
        Assert.Equal(25, Assert.IsType<Answer.Refused>(Run(refund with { Id = Ids.New(), Amounts = [26, 0, 0] })).Available);
        Assert.Equal(25, Refund(first, 40));

        Assert.Equal((60, 0, -15), (_store.Accounts[Wallet].Posted, _store.LeftOf(Wallet, first), Owed));
    }

    [Fact]
    public void What_comes_back_of_a_refund_or_a_dispute_is_in_its_lot_again_and_what_does_not_fit_is_the_balance_s_own()
    {
        Credit(PostType.Grant, 10);
        var lot = Credit(PostType.TopUp, 40);
        Credit(PostType.TopUp, 60);
        Settle(null, 20); // the grant, and 10 of the lot
        Run(Of(PostType.Refund, 30, 0, 0) with { Lot = lot });
        Run(Of(PostType.Dispute, 10, 0, 0) with { Lot = lot }); // of the other lot, because this one is empty
        Assert.Equal((50, 0), (_store.Accounts[Wallet].Posted, _store.LeftOf(Wallet, lot)));

        Run(Of(PostType.RefundFailed, 30, 0, 0) with { Lot = lot });
        Assert.Equal((80, 30), (_store.Accounts[Wallet].Posted, _store.LeftOf(Wallet, lot)));
        Run(Of(PostType.DisputeWon, 15, 0, 0) with { Lot = lot });
        Assert.Equal((95, 40, 5), (_store.Accounts[Wallet].Posted, _store.LeftOf(Wallet, lot), _store.LeftOf(Wallet, Wallet)));
        Assert.Equal(40, Refund(lot, 40));
    }

    [Fact]
    public void What_a_dispute_took_of_promotions_is_a_promotion_again_when_it_is_won_and_gone_where_that_is_over()
    {
        var soon = Credit(PostType.Promotion, 5, Evening);
        var promotion = Credit(PostType.Promotion, 20, Evening.AddHours(1));
        var lot = Credit(PostType.TopUp, 40);
        var dispute = Of(PostType.Dispute, 60, 0, 0) with { Lot = lot };
        Settle(null, 3); // of the one that ends first
        Run(dispute); // 40 of the lot, 2 and 18 of the promotions
        Assert.Equal((2, 0), (_store.Accounts[Wallet].Posted, _store.LeftOf(Wallet, lot)));
        _now = Evening;

        var first = Of(PostType.DisputeWon, 45, 0, 0) with { Lot = lot, Undoes = [dispute.Id] };
        Run(first);
        Assert.Equal((40, 7), (_store.LeftOf(Wallet, lot), _store.LeftOf(Wallet, promotion)));
        Run(Of(PostType.DisputeWon, 15, 0, 0) with { Lot = lot, Undoes = [dispute.Id, first.Id] });

        Assert.Equal(
            (60, 40, 20, 0),
            (_store.Accounts[Wallet].Posted, _store.LeftOf(Wallet, lot), _store.LeftOf(Wallet, promotion), _store.LeftOf(Wallet, soon)));
        Assert.Equal((0, 2), (_store.LeftOf(Wallet, Wallet), Expired));
        Assert.Equal(40, Refund(lot, 45));
    }

    [Fact]
    public void What_a_dispute_found_spent_and_a_later_top_up_has_paid_is_in_its_lot_again_when_it_is_won()
    {
        var lot = Credit(PostType.TopUp, 10);
        Settle(null, 6);
        var dispute = Of(PostType.Dispute, 10, 0, 0) with { Lot = lot };
        Run(dispute); // 4 of the lot; 6 are owed
        var later = Credit(PostType.TopUp, 10); // of which 6 pay what is owed

        Run(Of(PostType.DisputeWon, 10, 0, 0) with { Lot = lot, Undoes = [dispute.Id] });

        Assert.Equal(
            (14, 10, 4), (_store.Accounts[Wallet].Posted, _store.LeftOf(Wallet, lot), _store.LeftOf(Wallet, later)));
        Assert.Equal(10, Refund(lot, 10));
    }

    [Fact]
    public void Of_what_was_paid_a_part_that_repays_a_debt_is_no_lot()
    {
        Run(Of(PostType.Dispute, 10, 0, 0));
        var post = Of(PostType.TopUp, 40, 7, 3);
        Run(post);

        var lot = Assert.Single(_store.Lots(Wallet), lot => lot.Id == post.Id);
        Assert.Equal((30, 37), (lot.Amount, lot.Paid)); // ⌊50 × 30 / 40⌋
    }

    /// <summary>The plain wallet must not pay for lots that it does not have.</summary>
    [Theory]
    [InlineData(PostType.Grant)]
    [InlineData(PostType.TopUp)]
    public void A_wallet_with_one_lot_that_never_expires_reads_and_writes_no_lot(PostType type)
    {
        Credit(type, 100);
        Extend(Lease, 1, 30);

        var settle = Settlement(Lease, 10);
        var book = _store.Lock([settle], _now);
        Ledger.Apply(book, settle);

        Assert.False(book.HasLots);
        Assert.Empty(book.Accounts[Wallet].Parts);
    }

    [Fact]
    public void A_lot_that_would_be_over_already_or_be_one_too_many_is_refused_and_changes_nothing()
    {
        Assert.Equal(new Answer.NoLot(Expired: true), Run(Of(PostType.Grant, 5) with { ExpiresAt = _now }));
        for (var i = 0; i < Ledger.MaxLots; i++)
            Credit(PostType.Grant, 1, Evening.AddSeconds(i));

        Assert.Equal(new Answer.NoLot(Expired: false), Run(Of(PostType.Promotion, 1)));
        Credit(PostType.Grant, 1);

        Assert.Equal(Ledger.MaxLots + 1, _store.Accounts[Wallet].Posted);
    }

    [Fact]
    public void A_freeze_moves_nothing_and_whatever_is_booked_meanwhile_is_there_after_the_thaw()
    {
        var bought = Credit(PostType.TopUp, 40);
        Credit(PostType.Grant, 30, Evening);
        var request = Settle(null, 20);
        var before = Figures();

        Run(new Freeze(Wallet, true));
        Assert.Equal(before, Figures());
        Assert.Equal(10, Refund(bought, 10));
        Credit(PostType.TopUp, 5);
        Rerate(request, 12);
        Run(Of(PostType.Debit, 3));
        _now = Evening;
        Run(new BookExpiry(Wallet)); // 10 were left of the lot, 8 came back to it, and a debit took 3 of them
        Assert.Equal(RefusalReason.Frozen, Assert.IsType<Answer.Refused>(Extend(Lease, 1, 1)).Reason);
        var frozen = Figures();
        Run(new Freeze(Wallet, false));

        Assert.Equal(frozen, Figures());
        Assert.Equal((35, 15), (_store.Accounts[Wallet].Posted, Expired));
        Assert.Equal(before.Version + 5, frozen.Version);
        Assert.Equal(0, _store.SumsOfUnits[(Unit.Usd, null)]);
        Assert.IsType<Answer.Granted>(Extend(Lease, 1, 35));

        (long Posted, long Reserved, long Version) Figures() =>
            (_store.Accounts[Wallet].Posted, _store.Accounts[Wallet].Reserved, _store.Accounts[Wallet].Version);
    }

    [Fact]
    public void The_same_credit_again_after_its_lot_is_over_gets_its_first_result()
    {
        var credit = Of(PostType.Grant, 30) with { ExpiresAt = Evening };
        Run(credit);
        _now = Evening;

        Assert.Equal(new Answer.Done(Repeated: true), Run(credit));
        Assert.Equal(new Answer.Differs(), Run(credit with { ExpiresAt = Evening.AddHours(1) }));
        Assert.Equal(30, Expired);
    }

    long Owed => _store.Accounts[PostingRules.House(Party.Receivable, Posts.Of(Wallet, Organization, Project)).Id].Posted;

    long Expired => _store.Accounts.GetValueOrDefault(HouseAccounts.Expired(Wallet, Unit.Usd, false))?.Posted ?? 0;

    static Post Of(PostType type, params long[] amounts) => new(Ids.New(), type, Posts.Of(Wallet, Organization, Project), amounts);

    Guid Credit(PostType type, long amount, DateTimeOffset? expiresAt = null)
    {
        var post = Of(type, type == PostType.TopUp ? [amount, 0, 0] : [amount]) with { ExpiresAt = expiresAt };
        Assert.IsType<Answer.Done>(Run(post));
        return post.Id;
    }

    long Refund(Guid lot, long amount) =>
        Assert.IsType<Answer.Done>(Run(Of(PostType.Refund, amount, 0, 0) with { Lot = lot })).Moved[0].Amount;

    Answer Extend(Guid lease, long fence, long amount) =>
        Run(new Extend(new(lease, fence, "proxy", [new(Wallet, amount, amount, amount, amount)]), Final: true));

    Settle Settlement(Guid? lease, long cost) =>
        new(new(Ids.New(), lease, [new(Wallet, cost)], UsageRecords.Of(cost, Organization, Project, _now)));

    Guid Settle(Guid? lease, long cost)
    {
        var settle = Settlement(lease, cost);
        Run(settle);
        return settle.Settlement.RequestId;
    }

    void Rerate(Guid request, long cost) => Run(new Rerate(Ids.New(), request, Wallet, Organization, Project, false, Ids.New(), cost));

    Answer Run(Command command) => _store.Apply(command, _now);
}
