using System.Text.Json;
using LlmGateway.ServiceDefaults;
using Npgsql;

namespace LlmGateway.Billing;

/// <summary>Documents as rows.</summary>
public static class DocumentRows
{
    const string Read = """
        select i.id, i.kind, i.number, i.reason, i.test, i.customer, coalesce(i.payment, i.plan_payment), i.corrects, c.number, i.issued_at,
            i.date, i.net, i.margin, i.fee, i.content, gone.reason, gone.voided_at, gone.replaced_by, instead.number, wrong.id,
            wrong.number, (select subscription from plan_payment p where p.id = i.plan_payment)
        from invoice i left join invoice c on c.id = i.corrects
            left join invoice_void gone on gone.invoice = i.id left join invoice instead on instead.id = gone.replaced_by
            left join invoice_void before on before.replaced_by = i.id left join invoice wrong on wrong.id = before.invoice
        """;

    /// <param name="which">What <c>i</c> must fulfil.</param>
    public static async Task<List<Document>> DocumentsAsync(
        this NpgsqlDataSource database, string which, CancellationToken token, params object?[] values)
    {
        await using var query = database.Sql($"{Read} where {which}", values);
        await using var row = await query.ExecuteReaderAsync(token);
        var documents = new List<Document>();
        while (await row.ReadAsync(token))
            documents.Add(new(
                row.GetGuid(0), Document.KindOf(row.GetString(1)), row.GetInt64(2), Document.ReasonOf(row.GetString(3)), row.GetBoolean(4),
                row.GetGuid(5), row.GetGuid(6), row.IsDBNull(7) ? null : (row.GetGuid(7), row.GetInt64(8)),
                row.GetFieldValue<DateTimeOffset>(9), row.GetFieldValue<DateOnly>(10),
                new(row.GetInt64(11), row.GetInt64(12), row.GetInt64(13)),
                JsonSerializer.Deserialize<DocumentContent>(row.GetString(14), Defaults.Json)!)
            {
                Voided = row.IsDBNull(15)
                    ? null
                    : new(row.GetString(15), row.GetFieldValue<DateTimeOffset>(16), (row.GetGuid(17), row.GetInt64(18))),
                Replaces = row.IsDBNull(19) ? null : (row.GetGuid(19), row.GetInt64(20)),
                Subscription = row.IsDBNull(21) ? null : row.GetGuid(21),
            });
        return documents;
    }

    /// <summary>The invoice of what a payment has bought, the one that counts; null while it has none.</summary>
    public static async Task<Document?> InvoiceOfAsync(this NpgsqlDataSource database, Guid payment, CancellationToken token) =>
        await database.DocumentsAsync(
            "(i.payment = $1 or i.plan_payment = $1) and i.reason in ('top_up', 'subscription') and gone.invoice is null", token,
            payment) is [var invoice]
            ? invoice
            : null;

    /// <summary>Whether a document counts, and whether another one that counts names it. Who asks has locked its payment.</summary>
    public static async Task<(bool IsVoid, bool IsNamed, Guid Source)> StandingAsync(
        this NpgsqlConnection connection, Guid document, CancellationToken token)
    {
        await using var query = connection.Sql("""
            select exists (select from invoice_void where invoice = $1), exists (
                select from invoice i
                where (i.payment = document.payment or i.plan_payment = document.plan_payment) and i.corrects = $1
                    and not exists (select from invoice_void gone where gone.invoice = i.id)), source
            from invoice document where id = $1
            """, document);
        await using var row = await query.ExecuteReaderAsync(token);
        await row.ReadAsync(token);
        return (row.GetBoolean(0), row.GetBoolean(1), row.GetGuid(2));
    }

    /// <summary>What a payment's documents that count say that has gone back of its fee, in nano-dollars.</summary>
    public static async Task<long> FeeGoneBackAsync(this NpgsqlConnection connection, Guid payment, CancellationToken token)
    {
        await using var query = connection.Sql("""
            select coalesce(sum(case kind when 'credit_note' then fee else -fee end), 0)::bigint
            from invoice i
            where payment = $1 and reason <> 'top_up' and not exists (select from invoice_void gone where gone.invoice = i.id)
            """, payment);
        return (long)(await query.ExecuteScalarAsync(token))!;
    }

    /// <summary>
    /// The next number of a series, its moment, which is no earlier than that of the number before, and the date of that. The series is
    /// this transaction's until its end: without a commit nobody has taken the number.
    /// </summary>
    public static async Task<(long Number, DateTimeOffset IssuedAt, DateOnly? Before)> NextNumberAsync(
        this NpgsqlConnection connection, Sale of, DocumentKind kind, CancellationToken token)
    {
        await using var next = connection.Sql("""
            insert into invoice_series as s (organization, test, kind, last, issued_at) values ($1, $2, $3, 1, clock_timestamp())
            on conflict (organization, test, kind)
                do update set last = s.last + 1, issued_at = greatest(s.issued_at, clock_timestamp())
            returning last, issued_at, date
            """, of.Organization, of.Test, Document.NameOf(kind));
        await using var row = await next.ExecuteReaderAsync(token);
        await row.ReadAsync(token);
        return (row.GetInt64(0), row.GetFieldValue<DateTimeOffset>(1), row.IsDBNull(2) ? null : row.GetFieldValue<DateOnly>(2));
    }

    public static async Task AddAsync(
        this NpgsqlConnection connection, Document document, Guid source, Sale of, CancellationToken token)
    {
        await connection.ChangeAsync(
            "update invoice_series set date = $4 where organization = $1 and test = $2 and kind = $3", token,
            of.Organization, of.Test, Document.NameOf(document.Kind), document.Date);
        await connection.ChangeAsync("""
            insert into invoice (id, source, payment, organization, project, customer, test, kind, number, reason, corrects, issued_at,
                date, cents, net, margin, fee, content, plan_payment)
            values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18::jsonb, $19)
            """, token,
            document.Id, source, of.Payment, of.Organization, of.Project, of.Customer, of.Test, Document.NameOf(document.Kind),
            document.Number, Document.NameOf(document.Reason), document.Corrects?.Id, document.IssuedAt, document.Date,
            document.Cents, document.Parts.Net, document.Parts.Margin, document.Parts.Fee,
            JsonSerializer.Serialize(document.Content, Defaults.Json), of.PlanPayment);
    }
}
