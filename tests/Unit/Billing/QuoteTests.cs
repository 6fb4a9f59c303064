using FsCheck;
using FsCheck.Fluent;
using LlmGateway.Billing;
using LlmGateway.Contracts;
using Xunit;

namespace LlmGateway.UnitTests.Billing;

/// <summary>What a top-up costs and brings, and how a part of it is divided.</summary>
public sealed class QuoteTests
{
    const int Million = 1_000_000;

    /// <summary>Whole cents of what may be bought, a markup and a fee.</summary>
    static readonly Arbitrary<(Money Amount, long Markup, long Fee)> Purchases = Arb.From(
        from cents in Gen.Choose(500, 500_000)
        from markup in Gen.OneOf(Gen.Choose(0, 10 * Million), Gen.Elements(0, 1, 200_000, 333_333, Million))
        from fee in Gen.OneOf(Gen.Choose(0, Million), Gen.Elements(0, 1, 50_000, 25_000))
        select (new Money(cents * Quote.NanosPerCent), (long)markup, (long)fee));

    [Theory]
    [InlineData("10", 200_000, 50_000, "10.5", "8.333333333", "1.666666667", "0.5")]
    [InlineData("10", 0, 50_000, "10.5", "10", "0", "0.5")]
    [InlineData("5000", 200_000, 50_000, "5250", "4166.666666666", "833.333333334", "250")]
    [InlineData("5.01", 0, 50_000, "5.26", "5.01", "0", "0.25")] // 5.2605
    [InlineData("5.1", 0, 50_000, "5.36", "5.1", "0", "0.26")]  // 5.355: half a cent goes up
    [InlineData("10", 200_000, 0, "10", "8.333333333", "1.666666667", "0")]
    public void The_card_pays_amount_and_fee_the_wallet_gets_the_amount_without_markup(
        string amount, long markup, long fee, string total, string net, string margin, string platform)
    {
        var quote = Quote.Of(Money.Parse(amount), markup, fee);

        Assert.Equal(
            (total, net, margin, platform),
            (new Money(quote.Parts.Sum).ToString(), new Money(quote.Parts.Net).ToString(), new Money(quote.Parts.Margin).ToString(),
                new Money(quote.Parts.Fee).ToString()));
    }

    [Fact]
    public void Whatever_is_bought_is_divided_to_the_nano() => Check.One(Config.QuickThrowOnFailure, Prop.ForAll(Purchases, purchase =>
    {
        var (amount, markup, fee) = purchase;
        var (asked, parts) = Quote.Of(amount, markup, fee);

        Assert.Equal(amount.Nanos, asked);
        Assert.Equal(amount.Nanos, parts.Net + parts.Margin);
        // The greatest net of which the markup is not more than the rest.
        Assert.True((Int128)parts.Net * (Million + markup) <= (Int128)amount.Nanos * Million);
        Assert.True((Int128)(parts.Net + 1) * (Million + markup) > (Int128)amount.Nanos * Million);
        Assert.Equal(0, parts.Sum % Quote.NanosPerCent);
        // Within half a cent of the exact fee.
        Assert.InRange((Int128)2 * ((Int128)parts.Fee * Million - (Int128)amount.Nanos * fee),
            -(Int128)Quote.NanosPerCent * Million, (Int128)Quote.NanosPerCent * Million);
    }));

    [Fact]
    public void Parts_sum_up_to_what_is_divided_grow_with_each_cent_and_are_the_whole_at_the_end() =>
        Check.One(Config.QuickThrowOnFailure, Prop.ForAll(Purchases, purchase =>
    {
        var (amount, markup, fee) = purchase;
        var quote = Quote.Of(amount, markup, fee);
        var before = default(Parts);
        for (long cents = 0; cents <= quote.Cents; cents += Math.Max(1, quote.Cents / 300))
        {
            var part = quote.Parts.Of(cents * Quote.NanosPerCent);
            Assert.Equal(cents * Quote.NanosPerCent, part.Sum);
            Assert.True(part.Net >= before.Net && part.Margin >= before.Margin && part.Fee >= before.Fee);
            Assert.True(cents == 0 || part.Net > before.Net, "no cent is below what moves the wallet");
            before = part;
        }
        Assert.Equal(quote.Parts, quote.Parts.Of(quote.Parts.Sum));
    }));

    [Theory]
    [InlineData("5", null)]
    [InlineData("5000", null)]
    [InlineData("12.34", null)]
    [InlineData("4.99", "'amount' must be from 5 to 5000 USD.")]
    [InlineData("5000.01", "'amount' must be from 5 to 5000 USD.")]
    [InlineData("0", "'amount' must be from 5 to 5000 USD.")]
    [InlineData("-10", "'amount' must be from 5 to 5000 USD.")]
    [InlineData("10.001", "'amount' must have at most two decimals.")]
    [InlineData("10.000000001", "'amount' must have at most two decimals.")]
    public void Amounts_that_cannot_be_bought_are_refused_by_name(string amount, string? message)
    {
        var problem = Quote.Refuse(Money.Parse(amount));

        Assert.Equal((message, message is null ? null : "amount"), (problem?.Message, problem?.Param));
    }
}
