using FsCheck;
using FsCheck.Fluent;
using LlmGateway.Billing;
using LlmGateway.Contracts;
using Xunit;

namespace LlmGateway.UnitTests.Billing;

/// <summary>What of an invoice's taxes goes back with a part of it.</summary>
public sealed class TaxPartsTests
{
    static readonly Gen<(long[] Taxes, long[] Sums)> Invoices =
        from cents in Gen.Choose(100, 20_000)
        from weights in Gen.Choose(0, 1_000).ListOf(4)
        from cuts in Gen.Choose(0, 20_000).ListOf(8)
        let taxes = weights.Select(weight => (long)cents * weight / 4_000).ToArray()
        select (taxes, cuts.Select(cut => (long)cents * cut / 20_000).Append(cents).ToArray());

    [Fact]
    public void Of_whatever_parts_go_back_taxes_sum_up_to_the_invoice_s_and_each_is_within_its_part() =>
        Prop.ForAll(Invoices.ToArbitrary(), one =>
        {
            var (before, total, sums) = (0L, Nanos(one.Sums[^1]), new long[one.Taxes.Length]);
            foreach (var sum in one.Sums.Order())
            {
                var parts = TaxParts.Between(Lines(one.Taxes), total, before, Nanos(sum));
                Assert.All(parts, part => Assert.True(part.Amount.Nanos >= 0 && part.Amount.Nanos % Quote.NanosPerCent == 0));
                Assert.True(parts.Sum(part => part.Amount.Nanos) <= Nanos(sum) - before);
                sums = [.. sums.Zip(parts, (sofar, part) => sofar + part.Amount.Nanos)];
                before = Nanos(sum);
            }
            Assert.Equal(one.Taxes.Select(Nanos), sums);
        }).QuickCheckThrowOnFailure();

    [Theory]
    [InlineData(1050, 0, 315, "0.5")] // 1.68 × 3.15 / 10.50 = 0.504
    [InlineData(1050, 315, 316, "0")]
    [InlineData(1050, 316, 1050, "1.18")]
    [InlineData(1050, 0, 1050, "1.68")]
    public void One_tax_goes_back_in_proportion(int total, int from, int to, string amount)
    {
        var tax = Assert.Single(TaxParts.Between(Lines(168), Nanos(total), Nanos(from), Nanos(to)));

        Assert.Equal(("VAT DE", "19", amount, "standard_rated"), (tax.Name, tax.Percent, tax.Amount.ToString(), tax.Reason));
    }

    /// <summary>Three taxes of one cent's part are not three cents.</summary>
    [Fact]
    public void A_part_of_one_cent_has_one_cent_of_tax_at_most() => Assert.All(Enumerable.Range(0, 300), cent =>
    {
        var taxes = TaxParts.Between(Lines(9, 9, 9), Nanos(300), Nanos(cent), Nanos(cent + 1));
        Assert.InRange(taxes.Sum(tax => tax.Amount.Nanos), 0, Nanos(1));
    });

    static TaxLine[] Lines(params long[] cents) =>
        [.. cents.Select(amount => new TaxLine("VAT DE", "19", new(Nanos(amount)), "standard_rated"))];

    static long Nanos(long cents) => cents * Quote.NanosPerCent;
}
