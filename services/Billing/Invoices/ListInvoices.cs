using System.Globalization;
using System.Runtime.CompilerServices;
using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using Npgsql;

namespace LlmGateway.Billing;

/// <summary>
/// <c>GET /v1/invoices?cursor=&amp;limit=&amp;customer=&amp;from=&amp;to=</c>: the documents of a backend's project, of an end user its
/// own, newest first, a page as JSON or, with <c>Accept: text/csv</c> or <c>?format=csv</c>, all of them as a file. <c>GET
/// /v1/invoices/{id}</c>: one, as JSON, or as PDF with <c>Accept: application/pdf</c> or <c>?format=pdf</c>.
/// </summary>
public static class ListInvoices
{
    const int DefaultPage = 20, MaxPage = 100, MaxDrafts = 1000, CsvPage = 100;

    const string PdfType = "application/pdf";

    /// <param name="Drafts">Movements that have no document yet, at most a thousand: the seller has not said who it is.</param>
    sealed record Answer(IReadOnlyList<DocumentView> Invoices, string? NextCursor, long Drafts);

    static readonly string[] Columns =
    [
        "id", "number", "kind", "reason", "date", "issuedAt", "customerId", "externalId", "buyerName", "buyerCompany", "buyerEmail",
        "paymentId", "correctsNumber", "replacesNumber", "voidedAt", "currency", "tax", "total",
    ];

    public static void MapInvoices(this WebApplication app)
    {
        app.MapGet("/v1/invoices", ListAsync).WithQuery("cursor", "limit", "customer", "from", "to", "format");
        app.MapGet("/v1/invoices/{id}", GetAsync).WithQuery("format");
    }

    static async Task<IResult> ListAsync(
        HttpContext http, NpgsqlDataSource database, ExportSlots slots, TimeProvider time, CancellationToken token)
    {
        var (caller, query) = (Caller(http), new ListQuery(http.Request.Query));
        var customer = query.Id("customer", Ids.Customer) ?? caller.Customer;
        if (caller.Customer is { } own && customer != own)
            return Problems.NotFound("customer") with { Param = "customer" };
        var (from, to) = (Edge.Of(query, "from"), Edge.Of(query, "to"));
        var (page, after) = (query.Limit(DefaultPage, MaxPage), query.Id("cursor", Ids.Invoice) ?? Guid.AllBitsSet);
        if (http.WantsCsv())
            return await Csv.FileAsync(http, slots, caller.Project, "invoices", Columns, RowsAsync(after, token), time);
        var documents = await PageAsync(after, page);
        return Results.Json(
            new Answer(
                [.. documents.Select(document => document.Show())],
                documents.Count == page ? Ids.Show(Ids.Invoice, documents[^1].Id) : null,
                await DraftsAsync(database, caller, customer, token)),
            Defaults.Json);

        Task<List<Document>> PageAsync(Guid before, int size) => database.DocumentsAsync(
            """
            i.project = $1 and i.test = $2 and ($3::uuid is null or i.customer = $3) and i.id < $4
                and ($5::date is null or i.date >= $5) and ($6::timestamptz is null or i.issued_at >= $6)
                and ($7::date is null or i.date < $7) and ($8::timestamptz is null or i.issued_at < $8)
            order by i.id desc limit $9
            """, token,
            caller.Project, caller.Test, customer, before, from.Date, from.Moment, to.Date, to.Moment, size);

        // A page at a time.
        async IAsyncEnumerable<IReadOnlyList<string?>> RowsAsync(Guid before, [EnumeratorCancellation] CancellationToken gone)
        {
            for (var count = CsvPage; count == CsvPage && !gone.IsCancellationRequested;)
            {
                var some = await PageAsync(before, CsvPage);
                foreach (var document in some)
                    yield return Row(document.Show());
                count = some.Count;
                before = count > 0 ? some[^1].Id : before;
            }
        }
    }

    /// <summary>
    /// Where a stretch begins or ends. A date is the document's own, which is of the seller's calendar; a moment is when it was made.
    /// </summary>
    readonly record struct Edge(DateOnly? Date, DateTimeOffset? Moment)
    {
        public static Edge Of(ListQuery query, string name) =>
            query.Date(name) is { } date ? new(date, null) : new(null, query.Time(name));
    }

    static string?[] Row(DocumentView one) =>
    [
        one.Id, one.Number, one.Kind, one.Reason, one.Date.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture), Csv.Of(one.IssuedAt),
        one.CustomerId, one.Buyer.ExternalId, one.Buyer.Name, one.Buyer.Company, one.Buyer.Email, one.PaymentId, one.CorrectsNumber,
        one.ReplacesNumber, one.Void is { } gone ? Csv.Of(gone.At) : null, one.Currency, one.Tax.ToString(), one.Total.ToString(),
    ];

    static async Task<IResult> GetAsync(string id, HttpContext http, NpgsqlDataSource database, CancellationToken token)
    {
        var caller = Caller(http);
        var format = new ListQuery(http.Request.Query).Text("format");
        if (format is not (null or "json" or "pdf"))
            return Problems.Invalid("format", "'format' must be json or pdf.");
        if (!Ids.TryParse(Ids.Invoice, id, out var which)
            || await database.DocumentsAsync(
                "i.id = $1 and i.project = $2 and i.test = $3 and ($4::uuid is null or i.customer = $4)", token,
                which, caller.Project, caller.Test, caller.Customer) is not [var document])
            return Problems.NotFound("invoice");
        var isPdf = format == "pdf"
            || (format is null && http.Request.Headers.Accept.ToString().Contains(PdfType, StringComparison.OrdinalIgnoreCase));
        return isPdf
            ? Results.File(InvoicePdf.Of(document), PdfType, $"{document.ShownNumber}.pdf")
            : Results.Json(document.Show(), Defaults.Json);
    }

    /// <summary>A backend or a member, or an end user with a session. An end user and a client see their own.</summary>
    static Principal Caller(HttpContext http) => http.Principal() switch
    {
        { Kind: CredentialKind.SecretKey or CredentialKind.Member } backend => backend,
        { Kind: CredentialKind.Session, Customer: not null } user => user,
        _ => throw new ProblemException(Problems.WrongCredential("a secret key (sk_…) or a session token (es_…)")),
    };

    static async Task<long> DraftsAsync(NpgsqlDataSource database, Principal caller, Guid? customer, CancellationToken token)
    {
        await using var query = database.Sql("""
            select count(*) from (
                select from posting p
                where p.status = 'booked' and not p.documented and p.project = $1 and p.test = $2
                    and ($3::uuid is null or exists (select from payment where payment.id = p.payment and payment.customer = $3))
                limit $4) as drafts
            """, caller.Project, caller.Test, customer, MaxDrafts);
        return (long)(await query.ExecuteScalarAsync(token))!;
    }
}
