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

    sealed record Booked(Guid Posting, Guid Payment, PaymentPost Type, Parts Parts, Seller Seller);

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
            select p.id, p.payment, p.type, p.net, p.margin, p.fee, s.content from seller s cross join lateral (
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
                JsonSerializer.Deserialize<Seller>(row.GetString(6), Defaults.Json)!));
        return booked;
    }

    /// <summary>False when another instance makes it, or the invoice that it corrects.</summary>
    async Task<bool> TryMakeAsync(Booked booked, Dictionary<Guid, Buyer> buyers, CancellationToken token)
    {
        var payment = (await database.PaymentAsync(booked.Payment, token))!;
        if (!buyers.TryGetValue(payment.Customer, out var buyer))
            buyers[payment.Customer] = buyer = await BuyerAsync(payment.Customer, token);
        var taxes = booked.Type == PaymentPost.TopUp ? await TaxesAsync(payment, token) : [];
        await using var connection = await database.OpenConnectionAsync(token);
        await using var transaction = await connection.BeginTransactionAsync(token);
        await connection.RunAsync(Database.FreeWhenIdle, token);
        if (!await MakeAsync(connection, booked, payment, buyer, taxes, token))
            return false;
        await transaction.CommitAsync(CancellationToken.None);
        Failpoint.Hit("billing.invoice.made");
        return true;
    }

    async Task<bool> MakeAsync(
        NpgsqlConnection connection, Booked booked, Payment payment, Buyer buyer, IReadOnlyList<TaxLine> taxes, CancellationToken token)
    {
        var isFirst = await connection.ChangeAsync(
            "update posting set documented = true where id = $1 and not documented", token, booked.Posting) == 1;
        var corrects = booked.Type == PaymentPost.TopUp ? null : await connection.InvoiceOfAsync(payment.Id, token);
        if (!isFirst || (corrects is null && booked.Type != PaymentPost.TopUp))
            return false;
        var fee = corrects is null ? 0 : await connection.FeeGoneBackAsync(payment.Id, token);
        var content = new DocumentContent(booked.Seller, buyer, Document.LinesOf(booked.Type, booked.Parts, fee), taxes);
        var kind = Document.KindOf(booked.Type);
        var (number, issuedAt, before) = await connection.NextNumberAsync(payment, kind, token);
        Failpoint.Hit("billing.invoice.numbered");
        var document = new Document(
            Ids.New(issuedAt), kind, number, booked.Type, payment.Test, payment.Customer, payment.Id, corrects, issuedAt,
            DateOf(issuedAt, content.Seller.TimeZone, before), booked.Parts, content);
        await connection.AddAsync(document, booked.Posting, payment, token);
        await connection.TellAsync(payment, EventTypes.InvoiceCreated, Say(document, payment), time.GetUtcNow(), token);
        if (kind == DocumentKind.Invoice)
            await connection.TellAsync(payment, EventTypes.InvoicePaid, Say(document, payment), time.GetUtcNow(), token);
        return true;
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

    /// <summary>As its profile is now. Of a customer that is deleted there is the id.</summary>
    async Task<Buyer> BuyerAsync(Guid customer, CancellationToken token)
    {
        var profile = await sessions.ProfileAsync(customer, token);
        return new(Ids.Show(Ids.Customer, customer), profile?.ExternalId, profile?.Name, profile?.Company, profile?.Email);
    }
}
