using LlmGateway.Billing;
using LlmGateway.Contracts;
using Xunit;

namespace LlmGateway.UnitTests.Billing;

/// <summary>Whom a project trusts with how much, and that each refusal says which rule it is.</summary>
public sealed class TopUpLimitsTests
{
    static readonly DateTimeOffset Noon = new(2026, 11, 21, 12, 0, 0, TimeSpan.Zero);

    static readonly TopUpRecord Known = new(0, 0, null, 0, null, IsNew: false, IsFrozen: false);

    static string? RuleOf(TopUpRecord record, decimal amount = 10, TopUpLimits? limits = null) =>
        (limits ?? TopUpLimits.Usual).Refuse(record, new((long)(amount * Money.NanosPerUsd)), Noon)?.Limit!.Id;

    [Fact]
    public void Nothing_stands_in_the_way_of_who_has_done_nothing() => Assert.Null(RuleOf(Known with { IsNew = true }));

    [Theory]
    [InlineData(19, null)]
    [InlineData(20, "top_ups_per_day")]
    [InlineData(21, "top_ups_per_day")]
    public void A_customer_tops_up_so_often_a_day(int today, string? rule) =>
        Assert.Equal(rule, RuleOf(Known with { Today = today, FirstToday = Noon.AddHours(-1) }));

    [Theory]
    [InlineData(9, null)]
    [InlineData(10, "top_ups_per_card_and_day")]
    public void A_card_pays_so_often_a_day_whoever_has_it(int today, string? rule) =>
        Assert.Equal(rule, RuleOf(Known with { TodayWithCard = today, FirstTodayWithCard = Noon.AddHours(-1) }));

    [Theory]
    [InlineData(59, null)]
    [InlineData(60, "top_ups_begun_per_hour")]
    public void A_customer_begins_so_many_purchases_an_hour_and_is_topped_up_by_itself_beside_them(int begun, string? rule)
    {
        var record = Known with { BegunThisHour = begun, FirstBegun = Noon.AddMinutes(-50) };
        var refusal = TopUpLimits.Usual.RefusePurchase(record, Money.Usd(10), Noon);

        Assert.Equal((rule, rule is null ? (int?)null : 600), (refusal?.Limit!.Id, refusal?.RetryAfterSeconds));
        Assert.Null(RuleOf(record));
        Assert.Null(TopUpLimits.None.RefusePurchase(record with { BegunThisHour = 1000 }, Money.Usd(10), Noon));
        Assert.Equal(
            "declined_cards", TopUpLimits.Usual.RefusePurchase(record with { IsFrozen = true }, Money.Usd(10), Noon)?.Limit!.Id);
    }

    [Theory]
    [InlineData(0, 500, null)]
    [InlineData(0, 500.01, "new_customer_amount")]
    [InlineData(495, 5, null)]
    [InlineData(495.01, 5, "new_customer_amount")]
    public void A_new_customer_begins_small(double before, double amount, string? rule)
    {
        var record = Known with { AmountToday = (long)(before * 100) * Quote.NanosPerCent, IsNew = true, FirstToday = Noon };

        Assert.Equal(rule, RuleOf(record, (decimal)amount));
        Assert.Null(RuleOf(record with { IsNew = false }, (decimal)amount));
        Assert.Equal(Math.Max(0, Money.Usd(500).Nanos - record.AmountToday), TopUpLimits.Usual.Room(record));
        Assert.Equal(long.MaxValue, TopUpLimits.Usual.Room(record with { IsNew = false }));
    }

    [Fact]
    public void Who_is_frozen_tops_up_nothing_and_is_told_of_an_operator()
    {
        var refusal = TopUpLimits.Usual.Refuse(Known with { IsFrozen = true }, Money.Usd(10), Noon)!;

        Assert.Equal((403, "top_ups_frozen", "declined_cards"), (refusal.Status, refusal.Code, refusal.Limit!.Id));
        Assert.Equal("declined_cards", RuleOf(Known with { IsFrozen = true }, limits: TopUpLimits.None));
    }

    [Fact]
    public void A_refusal_says_when_the_oldest_top_up_does_not_count_any_more()
    {
        var refusal = TopUpLimits.Usual.Refuse(Known with { Today = 20, FirstToday = Noon.AddHours(-23) }, Money.Usd(10), Noon)!;

        Assert.Equal((429, 3600), (refusal.Status, refusal.RetryAfterSeconds));
        Assert.Equal(("20", "20", Noon.AddHours(1)), (refusal.Limit!.Used, refusal.Limit.Limit, refusal.Limit.Resets));
    }

    [Fact]
    public void Where_no_money_is_real_nothing_is_limited_by_itself() =>
        Assert.Null(RuleOf(Known with { Today = 1000, TodayWithCard = 1000, AmountToday = long.MaxValue / 2, IsNew = true }, 5000,
            TopUpLimits.None));
}
