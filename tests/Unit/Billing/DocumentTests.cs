using FsCheck;
using FsCheck.Fluent;
using LlmGateway.Billing;
using LlmGateway.Contracts;
using Xunit;

namespace LlmGateway.UnitTests.Billing;

/// <summary>What documents say follows from what the ledger has booked, and sums up to it.</summary>
public sealed class DocumentTests
{
    static readonly Gen<(Quote Quote, long[] Steps)> Payments =
        from cents in Gen.Choose(500, 500_000)
        from markup in Gen.Choose(0, 500_000)
        from fee in Gen.Choose(0, 300_000)
        from cuts in Gen.Choose(0, 1_000_000).ListOf(5)
        let quote = Quote.Of(new(cents * Quote.NanosPerCent), markup, fee)
        select (quote, cuts.Select(cut => quote.Cents * cut / 1_000_000).Append(quote.Cents).Order().ToArray());

    [Fact]
    public void Lines_have_whole_cents_and_sum_up_to_what_the_ledger_has_booked_also_of_every_part_that_goes_back() =>
        Prop.ForAll(Payments.ToArbitrary(), one =>
        {
            Assert.Equal(one.Quote.Parts.Sum, SumOf(PaymentPost.TopUp, one.Quote.Parts));
            var (before, back) = (default(Parts), 0L);
            foreach (var cents in one.Steps)
            {
                var step = one.Quote.Parts.Of(cents * Quote.NanosPerCent) - before;
                back += SumOf(PaymentPost.Refund, step, before.Fee);
                before += step;
            }
            Assert.Equal(one.Quote.Parts.Sum, back);
        }).QuickCheckThrowOnFailure();

    [Theory]
    [InlineData(105, 10)]
    [InlineData(3, 350)]
    [InlineData(1050, 1)]
    public void All_credit_notes_of_an_invoice_credit_what_each_of_its_lines_has_and_never_more(int count, int cents)
    {
        var parts = new Parts(8_333_333_333, 1_666_666_667, 500_000_000); // 10 and a fee of 0.50
        var (before, fees) = (default(Parts), 0L);
        for (var i = 1; i <= count; i++)
        {
            var step = parts.Of((long)i * cents * Quote.NanosPerCent) - before;
            fees += Document.LinesOf(PaymentPost.Refund, step, before.Fee).Where(line => line.Description.StartsWith("Service fee"))
                .Sum(line => line.Amount.Nanos);
            before += step;
            Assert.InRange(fees, 0, parts.Fee);
        }
        Assert.Equal(parts.Fee, fees);
    }

    static long SumOf(PaymentPost reason, Parts parts, long feeGoneBack = 0)
    {
        var lines = Document.LinesOf(reason, parts, feeGoneBack);
        Assert.All(lines, line => Assert.True(line.Amount.Nanos > 0 && line.Amount.Nanos % Quote.NanosPerCent == 0));
        return lines.Sum(line => line.Amount.Nanos);
    }

    [Fact]
    public void A_buyer_reads_what_it_has_paid_and_for_what_and_not_the_developer_s_margin() => Assert.Equal(
        [new DocumentLine("Credit", Money.Parse("10")), new DocumentLine("Service fee", Money.Parse("0.5"))],
        Document.LinesOf(PaymentPost.TopUp, new(8_333_333_333, 1_666_666_667, 500_000_000)));

    [Fact]
    public void What_goes_back_is_a_credit_note_and_what_comes_again_an_invoice()
    {
        Assert.All((PaymentPost[])[PaymentPost.Refund, PaymentPost.Dispute, PaymentPost.PlanRefunded], back =>
            Assert.Equal(DocumentKind.CreditNote, Document.KindOf(back)));
        Assert.All((PaymentPost[])[PaymentPost.TopUp, PaymentPost.RefundFailed, PaymentPost.DisputeWon], paid =>
            Assert.Equal(DocumentKind.Invoice, Document.KindOf(paid)));
        // What a promotion gives nobody has paid for.
        Assert.All(Enum.GetValues<PaymentPost>().Except([PaymentPost.Promotion]), reason =>
            Assert.Equal(reason, Document.ReasonOf(Document.NameOf(reason))));
    }

    [Theory]
    [InlineData(DocumentKind.Invoice, 1, false, "INV-000001")]
    [InlineData(DocumentKind.CreditNote, 42, false, "CN-000042")]
    [InlineData(DocumentKind.Invoice, 1_234_567, true, "TEST-INV-1234567")]
    public void A_number_says_its_series_and_its_world(DocumentKind kind, long number, bool test, string shown) =>
        Assert.Equal(shown, Document.Show(kind, number, test));

    [Theory]
    [InlineData("2026-12-31T23:30:00Z", "Europe/Berlin", null, "2027-01-01")]
    [InlineData("2027-01-01T04:30:00Z", "America/New_York", null, "2026-12-31")]
    [InlineData("2027-01-01T04:30:00Z", "America/New_York", "2027-01-01", "2027-01-01")]
    [InlineData("2027-01-02T12:00:00Z", "America/New_York", "2027-01-01", "2027-01-02")]
    public void A_date_is_the_seller_s_and_never_before_that_of_the_number_before(string at, string zone, string? before, string date) =>
        Assert.Equal(
            DateOnly.ParseExact(date, "yyyy-MM-dd"),
            Invoicing.DateOf(DateTimeOffset.Parse(at), zone, before is null ? null : DateOnly.ParseExact(before, "yyyy-MM-dd")));

    [Theory]
    [InlineData("name", "", "Street 1", null, null, null)]
    [InlineData("name", "A\u0000", "Street 1", null, null, null)]
    [InlineData("address", "A", " \n ", null, null, null)]
    [InlineData("address", "A", "1\n2\n3\n4\n5\n6\n7\n8\n9", null, null, null)]
    [InlineData("taxId", "A", "Street 1", "", null, null)]
    [InlineData("email", "A", "Street 1", null, "a@b, c@d", null)]
    [InlineData("email", "A", "Street 1", null, "A <a@example.com>", null)]
    [InlineData("email", "A", "Street 1", null, "a..b@example.com", null)]
    [InlineData("email", "A", "Street 1", null, "a.@example.com", null)]
    [InlineData("email", "A", "Street 1", null, "nobody", null)]
    [InlineData("timeZone", "A", "Street 1", null, null, "Berlin")]
    [InlineData(null, "A", "Street 1\n10115 Berlin", "DE123456789", "billing@example.com", "Europe/Berlin")]
    public void A_seller_that_cannot_be_printed_is_refused_by_name(
        string? param, string name, string address, string? taxId, string? email, string? zone) =>
        Assert.Equal(param, PutSeller.Refuse(new(name, address, taxId, email, zone))?.Param);
}
