using System.Text.Json;
using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using NodaTime;
using Npgsql;

namespace LlmGateway.Billing;

/// <summary>
/// Makes a document of everything that the ledger has booked of a payment, once, as soon as the seller has said who it is. What was booked
/// is a row, and whether it has a document is marked in the transaction that makes it: whoever dies on the way leaves nothing, and the next
/// round makes it. Several instances may run.
/// </summary>
public sealed class Invoicing(
    NpgsqlDataSource database, DatabaseReady ready, SessionsClient sessions, StripeModes modes, StripeCalls stripe, OutboxSignal outbox,
    ILogger<Invoicing> log, TimeProvider time)
    : BackgroundService
{
    /// <summary>Of a round: documents, and calls that get no answer.</summary>
    const int MaxAtOnce = 100, MaxOutages = 3;

    /// <summary>What another instance has booked is found so late at most.</summary>
    static readonly TimeSpan PollInterval = TimeSpan.FromSeconds(2);

    readonly WakeSignal _booked = new();

    /// <param name="Back">What had gone back of the payment before.</param>
    sealed record Booked(Guid Posting, Guid Payment, PaymentPost Type, Parts Parts, Seller Seller, long Back);

    /// <summary>Something was booked, or a seller has said who it is.</summary>
    public void Wake() => _booked.Raise();

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await ready.Task.WaitAsync(stoppingToken);
        await Loop.RunAsync("invoices", async token =>
        {
            if (await RunAsync(token) == 0)
                await _booked.WaitAsync(PollInterval, token);
        }, log, time, stoppingToken);
    }

    /// <summary>
    /// How many documents were made, the oldest postings' first. One that cannot be made keeps no other from it, and is tried again.
    /// </summary>
    async Task<int> RunAsync(CancellationToken token)
    {
        var (made, outages, buyers) = (0, 0, new Dictionary<Guid, Buyer>());
        foreach (var booked in await BookedAsync(token))
            try
            {
                made += await TryMakeAsync(booked, buyers, token) ? 1 : 0;
            }
            catch (Exception e) when (!token.IsCancellationRequested)
            {
                var outage = Problems.IsOutage(e);
                log.Log(outage ? LogLevel.Warning : LogLevel.Error, e, "posting {Posting} has no document yet", booked.Posting);
                await PostponeAsync(booked.Posting, token);
                if (outage && ++outages == MaxOutages)
                    break;
            }
        if (made > 0)
            outbox.Raise();
        return made;
    }

    /// <summary>Twice as late after each attempt: what cannot be made now keeps its place from nobody.</summary>
    async Task PostponeAsync(Guid posting, CancellationToken token)
    {
        await using var postpone = database.Sql($"""
            update posting set document_attempts = document_attempts + 1,
                document_at = now() + {Database.Pause("interval '5 seconds'", "interval '1 hour'", "document_attempts")}
            where id = $1 and not documented
            """, posting);
        await postpone.ExecuteNonQueryAsync(token);
    }

    async Task<List<Booked>> BookedAsync(CancellationToken token)
    {
        await using var query = database.Sql("""
            select p.id, p.payment, p.type, p.net, p.margin, p.fee, s.content, (
                select coalesce(sum((net + margin + fee) * case when type in ('Refund', 'Dispute') then 1 else -1 end), 0)::bigint
                from posting before
                where before.payment = p.payment and number between 1 and p.number - 1 and status = 'booked')
            from seller s cross join lateral (
                select * from posting
                where project = s.project and test = s.test and status = 'booked' and not documented and document_at <= now()
                order by created_at, number limit $1) p
            order by p.created_at, p.number limit $1
            """, MaxAtOnce);
        await using var row = await query.ExecuteReaderAsync(token);
        var booked = new List<Booked>();
        while (await row.ReadAsync(token))
            booked.Add(new(
                row.GetGuid(0), row.GetGuid(1), Enum.Parse<PaymentPost>(row.GetString(2)),
                new(row.GetInt64(3), row.GetInt64(4), row.GetInt64(5)),
                JsonSerializer.Deserialize<Seller>(row.GetString(6), Defaults.Json)!, row.GetInt64(7)));
        return booked;
    }

    /// <summary>False when another instance makes it, or the invoice that it corrects.</summary>
    async Task<bool> TryMakeAsync(Booked booked, Dictionary<Guid, Buyer> buyers, CancellationToken token)
    {
        var payment = (await database.PaymentAsync(booked.Payment, token))!;
        var invoice = booked.Type == PaymentPost.TopUp ? null : await database.InvoiceOfAsync(payment.Id, token);
        if (invoice is null && booked.Type != PaymentPost.TopUp)
            return false;
        if (!buyers.TryGetValue(payment.Customer, out var buyer))
            buyers[payment.Customer] = buyer = await BuyerAsync(payment.Customer, token);
        var taxes = invoice is null ? await TaxesAsync(payment, token) : TaxesOf(booked, invoice);
        await using var connection = await database.OpenConnectionAsync(token);
        await using var transaction = await connection.BeginTransactionAsync(token);
        await connection.RunAsync(Database.FreeWhenIdle, token);
        if (!await MakeAsync(connection, booked, payment, invoice, buyer, taxes, token))
            return false;
        await transaction.CommitAsync(CancellationToken.None);
        Failpoint.Hit("billing.invoice.made");
        return true;
    }

    async Task<bool> MakeAsync(
        NpgsqlConnection connection, Booked booked, Payment payment, Document? invoice, Buyer buyer, IReadOnlyList<TaxLine> taxes,
        CancellationToken token)
    {
        await connection.LockAsync(payment.Id, token);
        if (await connection.ChangeAsync(
                "update posting set documented = true where id = $1 and not documented", token, booked.Posting) != 1
            || (invoice is not null && (await connection.StandingAsync(invoice.Id, token)).IsVoid))
            return false;
        var fee = invoice is null ? 0 : await connection.FeeGoneBackAsync(payment.Id, token);
        var content = new DocumentContent(booked.Seller, buyer, Document.LinesOf(booked.Type, booked.Parts, fee), taxes);
        await IssueAsync(connection, booked.Posting, payment, booked.Type, booked.Parts, invoice, content, token);
        return true;
    }

    /// <summary>
    /// Makes a document void, and another one in its place, of the same movement with the seller and the buyer as they are now. Of a buyer
    /// that is deleted it says what the first one said.
    /// </summary>
    /// <param name="audit">Tells of it, with the one that is in its place.</param>
    /// <returns>Null: done, or somebody else has.</returns>
    public async Task<Problem?> ReplaceAsync(
        Document wrong, Seller seller, string reason, string actor, Func<NpgsqlConnection, Document, Task> audit, CancellationToken token)
    {
        var payment = (await database.PaymentAsync(wrong.Payment, token))!;
        var buyer = await BuyerAsync(payment.Customer, token) is { ExternalId: not null } known ? known : wrong.Content.Buyer;
        var invoice = wrong.Corrects is null ? null : await database.InvoiceOfAsync(payment.Id, token);
        await using var connection = await database.OpenConnectionAsync(token);
        await using var transaction = await connection.BeginTransactionAsync(token);
        await connection.RunAsync(Database.FreeWhenIdle, token);
        await connection.LockAsync(payment.Id, token);
        var (isVoid, isNamed, source) = await connection.StandingAsync(wrong.Id, token);
        if (isVoid)
            return null;
        if (isNamed)
            return Problems.Conflict(
                "document_corrected", "Other documents name this one: what it says can be corrected by none in its place any more.");
        var instead = await IssueAsync(
            connection, source, payment, wrong.Reason, wrong.Parts, invoice, wrong.Content with { Seller = seller, Buyer = buyer }, token,
            replaces: wrong);
        await connection.ChangeAsync(
            "insert into invoice_void (invoice, replaced_by, reason, actor, voided_at) values ($1, $2, $3, $4, now())", token,
            wrong.Id, instead.Id, reason, actor);
        await audit(connection, instead);
        await transaction.CommitAsync(CancellationToken.None);
        outbox.Raise();
        return null;
    }

    /// <summary>Under the next number of its series, and told. The payment is locked.</summary>
    /// <param name="replaces">Was told as paid, if it is an invoice: who books by that books it once.</param>
    async Task<Document> IssueAsync(
        NpgsqlConnection connection, Guid posting, Payment payment, PaymentPost reason, Parts parts, Document? invoice,
        DocumentContent content, CancellationToken token, Document? replaces = null)
    {
        var kind = Document.KindOf(reason);
        var (number, issuedAt, before) = await connection.NextNumberAsync(payment, kind, token);
        Failpoint.Hit("billing.invoice.numbered");
        var document = new Document(
            Ids.New(issuedAt), kind, number, reason, payment.Test, payment.Customer, payment.Id,
            invoice is null ? null : (invoice.Id, invoice.Number), issuedAt,
            DateOf(issuedAt, content.Seller.TimeZone, before), parts, content)
        {
            Replaces = replaces is null ? null : (replaces.Id, replaces.Number),
        };
        await connection.AddAsync(document, posting, payment, token);
        await connection.TellAsync(payment, EventTypes.InvoiceCreated, Say(document, payment), time.GetUtcNow(), token);
        if (kind == DocumentKind.Invoice && replaces is null)
            await connection.TellAsync(payment, EventTypes.InvoicePaid, Say(document, payment), time.GetUtcNow(), token);
        return document;
    }

    /// <summary>
    /// The date in the seller's time zone, and no earlier than that of the number before: projects of one organization may have others, and
    /// each may change its own.
    /// </summary>
    public static DateOnly DateOf(DateTimeOffset at, string zone, DateOnly? before)
    {
        var date = Instant.FromDateTimeOffset(at).InZone(DateTimeZoneProviders.Tzdb[zone]).Date.ToDateOnly();
        return before is { } earliest && earliest > date ? earliest : date;
    }

    static object Say(Document document, Payment payment) => new
    {
        invoiceId = Ids.Show(Ids.Invoice, document.Id),
        number = document.ShownNumber,
        kind = Document.NameOf(document.Kind),
        reason = Document.NameOf(document.Reason),
        customerId = Ids.Show(Ids.Customer, payment.Customer),
        walletId = Ids.Show(Ids.Wallet, payment.Wallet),
        paymentId = Ids.Show(Ids.Payment, payment.Id),
        total = document.Total,
        currency = "USD",
        replaces = document.Replaces is { Id: var wrong } ? Ids.Show(Ids.Invoice, wrong) : null,
    };

    /// <summary>As Stripe has computed them. Nobody here computes any.</summary>
    async Task<IReadOnlyList<TaxLine>> TaxesAsync(Payment payment, CancellationToken token)
    {
        if (payment.TaxCalculation is not { } id)
            return [];
        var mode = modes.Of(payment.Test) is { } known && known.Livemode == payment.Livemode
            ? known
            : throw new InvalidOperationException($"payment {payment.Id:N} is of a mode of Stripe's that is not set up");
        var calculation = await stripe.TaxCalculationAsync(mode, id, token);
        // On a document that never changes, they must be those of what was paid.
        if (calculation.Currency != "usd" || calculation.AmountTotal != payment.Cents)
            throw new InvalidOperationException(
                $"tax calculation {id} is of {calculation.AmountTotal} {calculation.Currency}, and its payment of {payment.Cents} usd");
        return [.. calculation.TaxBreakdown.Select(tax => new TaxLine(
            $"{tax.TaxRateDetails?.TaxType?.ToUpperInvariant()} {tax.TaxRateDetails?.Country}".Trim(),
            tax.TaxRateDetails?.PercentageDecimal ?? "0", new(tax.Amount * Quote.NanosPerCent), tax.TaxabilityReason))];
    }

    /// <summary>What goes back takes its part of the invoice's taxes away; what comes again brings that part back.</summary>
    static IReadOnlyList<TaxLine> TaxesOf(Booked booked, Document invoice)
    {
        var then = booked.Back + (Document.KindOf(booked.Type) == DocumentKind.CreditNote ? booked.Parts.Sum : -booked.Parts.Sum);
        return TaxParts.Between(
            invoice.Content.Taxes, invoice.Parts.Sum, Math.Min(booked.Back, then), Math.Max(booked.Back, then));
    }

    /// <summary>As its profile is now. Of a customer that is deleted there is the id.</summary>
    async Task<Buyer> BuyerAsync(Guid customer, CancellationToken token)
    {
        var profile = await sessions.ProfileAsync(customer, token);
        return new(Ids.Show(Ids.Customer, customer), profile?.ExternalId, profile?.Name, profile?.Company, profile?.Email);
    }
}
