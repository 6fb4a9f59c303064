using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using Npgsql;

namespace LlmGateway.Billing;

/// <summary>
/// <c>GET /v1/invoices?cursor=&amp;limit=&amp;customer=&amp;from=&amp;to=</c>: the documents of a backend's project, of an end user its
/// own, newest first. <c>GET /v1/invoices/{id}</c>: one, as JSON, or as PDF with <c>Accept: application/pdf</c> or <c>?format=pdf</c>.
/// </summary>
public static class ListInvoices
{
    const int DefaultPage = 20, MaxPage = 100, MaxDrafts = 1000;

    const string PdfType = "application/pdf";

    /// <param name="Drafts">Movements that have no document yet, at most a thousand: the seller has not said who it is.</param>
    sealed record Answer(IReadOnlyList<DocumentView> Invoices, string? NextCursor, long Drafts);

    public static void MapInvoices(this WebApplication app)
    {
        app.MapGet("/v1/invoices", ListAsync);
        app.MapGet("/v1/invoices/{id}", GetAsync);
    }

    static async Task<IResult> ListAsync(HttpContext http, NpgsqlDataSource database, CancellationToken token)
    {
        var (caller, query) = (Caller(http), new ListQuery(http.Request.Query));
        query.MustHaveOnly("cursor", "limit", "customer", "from", "to");
        var customer = OptionalId(query, "customer", Ids.Customer) ?? caller.Customer;
        if (caller.Customer is { } own && customer != own)
            return Problems.NotFound("customer") with { Param = "customer" };
        var (from, to) = (query.Time("from") ?? DateTimeOffset.MinValue, query.Time("to") ?? DateTimeOffset.MaxValue);
        var page = query.Limit(DefaultPage, MaxPage);
        var documents = await database.DocumentsAsync(
            """
            i.project = $1 and i.test = $2 and ($3::uuid is null or i.customer = $3) and i.issued_at >= $4 and i.issued_at < $5
                and i.id < $6
            order by i.id desc limit $7
            """, token,
            caller.Project, caller.Test, customer, from.ToUniversalTime(), to.ToUniversalTime(),
            OptionalId(query, "cursor", Ids.Invoice) ?? Guid.AllBitsSet, page);
        return Results.Json(
            new Answer(
                [.. documents.Select(document => document.Show())],
                documents.Count == page ? Ids.Show(Ids.Invoice, documents[^1].Id) : null,
                await DraftsAsync(database, caller, customer, token)),
            Defaults.Json);
    }

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

    /// <summary>A backend, or an end user with a session, who sees its own.</summary>
    static Principal Caller(HttpContext http) => http.Principal() switch
    {
        { Kind: CredentialKind.SecretKey } backend => backend,
        { Kind: CredentialKind.Session, Customer: not null } user => user,
        _ => throw new ProblemException(Problems.WrongCredential("a secret key (sk_…) or a session token (es_…)")),
    };

    static Guid? OptionalId(ListQuery query, string name, string prefix) => query.Text(name) is not { } text ? null
        : Ids.TryParse(prefix, text, out var id) ? id
        : throw ListQuery.Invalid(name, $"must be an id ({prefix}_…)");

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
