using System.Globalization;
using PdfSharp;
using PdfSharp.Drawing;
using PdfSharp.Fonts;
using PdfSharp.Pdf;
using PdfSharp.WPFonts;

namespace LlmGateway.Billing;

/// <summary>
/// A document as a page of paper. The fonts come with the package, so a machine without fonts prints the same. They have Latin, Greek and
/// Cyrillic letters; others are left out, and the document as JSON has them.
/// </summary>
public static class InvoicePdf
{
    const double Left = 56, Right = 539, Top = 64, Middle = 310, Small = 9, Normal = 10, Large = 20, LineHeight = 14;

    /// <summary>Seller and buyer end here, however much they say: below them stands the total.</summary>
    const double Lowest = 600;

    const string Family = "Invoice";

    /// <summary>The library has one resolver for the process, and looks fonts up while it draws.</summary>
    static InvoicePdf() => GlobalFontSettings.FontResolver = new PackageFonts();

    public static byte[] Of(Document document)
    {
        using var pdf = new PdfDocument();
        pdf.Info.Title = TitleOf(document);
        pdf.Info.Author = document.Content.Seller.Name;
        pdf.Info.CreationDate = document.IssuedAt.UtcDateTime;
        var sheet = pdf.AddPage();
        sheet.Size = PageSize.A4;
        using (var graphics = XGraphics.FromPdfPage(sheet))
            new Page(graphics).Draw(document);
        using var bytes = new MemoryStream();
        pdf.Save(bytes, closeStream: false);
        return bytes.ToArray();
    }

    static string TitleOf(Document document) =>
        $"{(document.Kind == DocumentKind.Invoice ? "Invoice" : "Credit note")} {document.ShownNumber}";

    /// <summary>Writes from top to bottom.</summary>
    sealed class Page(XGraphics graphics)
    {
        readonly XFont _small = new(Family, Small), _normal = new(Family, Normal), _bold = new(Family, Normal, XFontStyleEx.Bold),
            _large = new(Family, Large, XFontStyleEx.Bold);

        double _y = Top;

        public void Draw(Document document)
        {
            Write(TitleOf(document), _large, Left, Right);
            _y += LineHeight;
            Row("Date", document.Date.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture));
            if (document.Corrects is { } corrected)
                Row("Invoice", Document.Show(DocumentKind.Invoice, corrected.Number, document.Test));
            if (document.Voided is { } gone)
                Row("Void", $"In its place: {Document.Show(document.Kind, gone.By.Number, document.Test)}");
            if (document.Replaces is { } wrong)
                Row("Replaces", Document.Show(document.Kind, wrong.Number, document.Test));
            if (document.Test)
                Row("Test", "No money was moved.");
            _y += LineHeight;
            Parties(document.Content);
            Lines(document);
        }

        void Row(string name, string value)
        {
            Put(name, _small, Left, _y);
            Put(value, _normal, Left + 70, _y);
            _y += LineHeight;
        }

        void Parties(DocumentContent content)
        {
            var start = _y;
            Put("Seller", _small, Left, _y);
            _y += LineHeight;
            Write(content.Seller.Name, _bold, Left, Middle - 20);
            foreach (var line in content.Seller.Address.Split('\n'))
                Write(line, _normal, Left, Middle - 20);
            foreach (var line in new[] { content.Seller.TaxId is { } id ? $"Tax id {id}" : null, content.Seller.Email }.OfType<string>())
                Write(line, _normal, Left, Middle - 20);
            var end = _y;
            _y = start;
            Put("Buyer", _small, Middle, _y);
            _y += LineHeight;
            var buyer = content.Buyer;
            foreach (var line in new[] { buyer.Company, buyer.Name, buyer.Email, buyer.ExternalId, buyer.Id }.OfType<string>().Distinct())
                Write(line, _normal, Middle, Right);
            _y = Math.Max(end, _y) + 2 * LineHeight;
        }

        void Lines(Document document)
        {
            foreach (var line in document.Content.Lines)
                Amount(line.Description, line.Amount.Nanos, _normal);
            graphics.DrawLine(XPens.Gray, Left, _y - LineHeight + 3, Right, _y - LineHeight + 3);
            _y += 4;
            foreach (var tax in document.Content.Taxes)
                Amount($"Included: {tax.Name} {tax.Percent} % ({tax.Reason?.Replace('_', ' ')})", tax.Amount.Nanos, _normal);
            Amount(document.Kind == DocumentKind.Invoice ? "Total, paid" : "Total credited", document.Parts.Sum, _bold);
        }

        void Amount(string what, long nanos, XFont font)
        {
            Put(what, font, Left, _y);
            var text = $"{Cents(nanos)} USD";
            Put(text, font, Right - graphics.MeasureString(text, font).Width, _y);
            _y += LineHeight + 2;
        }

        /// <summary>As many lines as it needs and the page has, broken at blanks, and a word that is too long anywhere.</summary>
        void Write(string text, XFont font, double from, double to)
        {
            var line = "";
            foreach (var word in text.Split(' ').SelectMany(word => Pieces(word, font, to - from)))
            {
                var longer = line.Length == 0 ? word : $"{line} {word}";
                if (line.Length > 0 && graphics.MeasureString(longer, font).Width > to - from)
                {
                    PutLine();
                    longer = word;
                }
                line = longer;
            }
            PutLine();

            void PutLine()
            {
                if (_y > Lowest)
                    return;
                Put(line, font, from, _y);
                _y += LineHeight;
            }
        }

        IEnumerable<string> Pieces(string word, XFont font, double width)
        {
            while (word.Length > 1 && graphics.MeasureString(word, font).Width > width)
            {
                var fits = word.Length - 1;
                while (fits > 1 && graphics.MeasureString(word[..fits], font).Width > width)
                    fits--;
                yield return word[..fits];
                word = word[fits..];
            }
            yield return word;
        }

        void Put(string text, XFont font, double x, double y)
        {
            if (text.Length > 0)
                graphics.DrawString(text, font, XBrushes.Black, x, y);
        }
    }

    static string Cents(long nanos)
    {
        var cents = nanos / Quote.NanosPerCent;
        return string.Create(CultureInfo.InvariantCulture, $"{cents / 100}.{cents % 100:D2}");
    }

    sealed class PackageFonts : IFontResolver
    {
        const string Regular = "regular", Bold = "bold";

        public FontResolverInfo ResolveTypeface(string familyName, bool isBold, bool isItalic) => new(isBold ? Bold : Regular);

        public byte[] GetFont(string faceName) => faceName == Bold ? FontDataHelper.SegoeWPBold : FontDataHelper.SegoeWP;
    }
}
