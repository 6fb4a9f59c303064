using System.Text;
using LlmGateway.Billing;
using LlmGateway.Contracts;
using UglyToad.PdfPig;
using Xunit;

namespace LlmGateway.UnitTests.Billing;

/// <summary>A document's page, read by another library than that which wrote it.</summary>
public sealed class InvoicePdfTests
{
    static readonly Seller Acme = new("Müller & Söhne Łódź", "Straße 1\n10115 Berlin", "DE123456789", "billing@example.com", "Etc/UTC");

    static readonly Buyer Ada = new("cus_1", "client-1", "Ада Ελλάδα", "Analytical Engines Ltd", "ada@example.com");

    [Fact]
    public void It_says_number_date_seller_buyer_lines_taxes_and_total()
    {
        var text = TextOf(Invoice(Acme, Ada) with
        {
            Content = new(Acme, Ada, Lines, [new("VAT DE", "19", Money.Parse("1.68"), "standard_rated")]),
        });

        Assert.All(
            [
                "Invoice INV-000007", "2026-11-27", "Müller & Söhne Łódź", "Straße 1", "10115 Berlin", "Tax id DE123456789",
                "billing@example.com", "Analytical Engines Ltd", "Ада Ελλάδα", "ada@example.com", "client-1", "cus_1", "Credit",
                "10.00 USD", "Service fee", "0.50 USD", "Included: VAT DE 19 % (standard rated)", "1.68 USD", "Total, paid", "10.50 USD",
            ],
            said => Assert.Contains(said, text));
        Assert.DoesNotContain("No money was moved", text);
    }

    [Fact]
    public void One_that_is_void_says_so_and_the_one_in_its_place_which_it_replaces()
    {
        Assert.Contains("In its place: INV-000009", TextOf(Invoice(Acme, Ada) with
        {
            Voided = new("wrong address", DateTimeOffset.UnixEpoch, (Guid.NewGuid(), 9)),
        }));
        Assert.Contains("Replaces", TextOf(Invoice(Acme, Ada) with { Replaces = (Guid.NewGuid(), 5) }));
        Assert.Contains("INV-000005", TextOf(Invoice(Acme, Ada) with { Replaces = (Guid.NewGuid(), 5) }));
    }

    [Fact]
    public void A_credit_note_says_what_it_corrects_and_one_of_the_test_world_that_it_is_one()
    {
        var text = TextOf(Invoice(Acme, Ada) with
        {
            Kind = DocumentKind.CreditNote, Reason = PaymentPost.Refund, Corrects = (Guid.NewGuid(), 3), Test = true,
        });

        Assert.All(
            ["Credit note TEST-CN-000007", "TEST-INV-000003", "No money was moved", "Total credited"], said => Assert.Contains(said, text));
    }

    [Fact]
    public void What_is_long_is_broken_into_lines_and_what_has_no_letters_in_the_font_does_not_break_the_page()
    {
        var seller = Acme with
        {
            Name = new('W', 200), Address = string.Join('\n', Enumerable.Repeat($"A street that is long {new string('x', 40)}", 8)),
        };
        var buyer = Ada with { Name = "日本語 😀 \ud83d", Company = string.Join(' ', Enumerable.Repeat("Company", 25)), Email = null };

        var bytes = InvoicePdf.Of(Invoice(seller, buyer));

        using var pdf = PdfDocument.Open(bytes);
        var page = pdf.GetPage(1);
        Assert.Equal(200, page.Letters.Count(letter => letter.Value == "W"));
        Assert.All(page.Letters, letter => Assert.InRange(letter.BoundingBox.Right, 0, page.Width));
        Assert.All(page.Letters, letter => Assert.InRange(letter.BoundingBox.Bottom, 0, page.Height));
    }

    [Fact]
    public void Many_pages_at_once_are_each_their_own()
    {
        var texts = new string[64];
        Parallel.For(0, texts.Length, i => texts[i] = TextOf(Invoice(Acme, Ada) with { Number = i + 1 }));

        Assert.All(texts.Index(), text => Assert.Contains($"Invoice INV-{text.Index + 1:D6}", text.Item));
    }

    static readonly DocumentLine[] Lines = [new("Credit", Money.Parse("10")), new("Service fee", Money.Parse("0.5"))];

    static Document Invoice(Seller seller, Buyer buyer) => new(
        Guid.NewGuid(), DocumentKind.Invoice, 7, PaymentPost.TopUp, false, Guid.NewGuid(), Guid.NewGuid(), null,
        new(2026, 11, 27, 12, 0, 0, TimeSpan.Zero), new(2026, 11, 27), new(8_333_333_333, 1_666_666_667, 500_000_000),
        new(seller, buyer, Lines, []));

    static string TextOf(Document document)
    {
        using var pdf = PdfDocument.Open(InvoicePdf.Of(document));
        var text = new StringBuilder();
        foreach (var word in pdf.GetPage(1).GetWords())
            text.Append(word.Text).Append(' ');
        return text.ToString();
    }
}
