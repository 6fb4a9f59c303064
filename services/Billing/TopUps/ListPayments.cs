using System.Runtime.CompilerServices;
using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using Npgsql;

namespace LlmGateway.Billing;

/// <summary>
/// <c>GET /v1/top-ups?from=&amp;to=&amp;cursor=&amp;limit=</c>: all purchases of a backend's project, newest first, a page as JSON. With
/// <c>Accept: text/csv</c> or <c>?format=csv</c> all of them, as a file. <c>from</c> and <c>to</c> are of when they were begun.
/// </summary>
public static class ListPayments
{
    const int DefaultPage = 20, MaxPage = 100, CsvPage = 500;

    /// <summary>Ids are made by another clock than the one that a payment's time is of.</summary>
    static readonly TimeSpan Leeway = TimeSpan.FromDays(1);

    /// <param name="NetCredited">What has reached the wallet; as what follows, 0 while it is not paid.</param>
    /// <param name="OwedPaid">What has paid what the customer owed.</param>
    /// <param name="Margin">The developer's part.</param>
    /// <param name="Fee">The platform's.</param>
    /// <param name="Status">As in <see cref="ListTopUps.View"/>.</param>
    /// <param name="Refunded">What went back to the card or is on its way there, disputes included.</param>
    /// <param name="Disputed">What of that is disputed.</param>
    /// <param name="PaymentIntent">Stripe's; null until it is known.</param>
    public sealed record View(
        string Id, string CustomerId, string WalletId, Money Amount, Money TotalAmount, Money NetCredited, Money OwedPaid, Money Margin,
        Money Fee, string Currency, string Status, ListTopUps.Failure? Failure, Money Refunded, Money Disputed, bool Automatic,
        DateTimeOffset CreatedAt, DateTimeOffset? PaidAt, string? PaymentIntent);

    /// <summary>Where the ids of payments of a time lie, so that neither newer nor older ones are read.</summary>
    public static (Guid From, Guid To) IdsOf(DateTimeOffset from, DateTimeOffset to)
    {
        var (first, last) = (DateTimeOffset.UnixEpoch + Leeway, DateTimeOffset.MaxValue - Leeway);
        return (
            from > first ? Ids.FirstAt(from - Leeway) : Guid.Empty,
            to < last ? Ids.FirstAt((to > first ? to : first) + Leeway) : Guid.AllBitsSet);
    }

    static readonly string[] Columns =
    [
        "id", "customerId", "walletId", "amount", "totalAmount", "netCredited", "owedPaid", "margin", "fee", "currency", "status",
        "failure", "refunded", "disputed", "automatic", "createdAt", "paidAt", "paymentIntent",
    ];

    public static void MapListPayments(this WebApplication app) =>
        app.MapGet("/v1/top-ups", HandleAsync).WithQuery("cursor", "limit", "from", "to", "format");

    static async Task<IResult> HandleAsync(
        HttpContext http, NpgsqlDataSource database, ExportSlots slots, TimeProvider time, CancellationToken token)
    {
        var (caller, query) = (http.Backend(), new ListQuery(http.Request.Query));
        var (from, to) = (query.Time("from") ?? DateTimeOffset.MinValue, query.Time("to") ?? DateTimeOffset.MaxValue);
        var (oldest, newest) = IdsOf(from, to);
        var (page, after) = (query.Limit(DefaultPage, MaxPage), query.Id("cursor", Ids.Payment) ?? Guid.AllBitsSet);
        if (http.WantsCsv())
            return await Csv.FileAsync(http, slots, caller.Project, "top-ups", Columns, RowsAsync(after, token), time);
        var views = await PageAsync(after, page);
        return Results.Json(new { topUps = views, nextCursor = views.Count == page ? views[^1].Id : null }, Defaults.Json);

        async Task<List<View>> PageAsync(Guid before, int size)
        {
            var payments = await PaymentRows.PaymentsAsync(
                database.Sql($"""
                    select {PaymentRows.Columns} from payment
                    where project = $1 and test = $2 and created_at >= $3 and created_at < $4 and id < $5 and id >= $6 and id < $7
                    order by id desc limit $8
                    """, caller.Project, caller.Test, from.ToUniversalTime(), to.ToUniversalTime(), before, oldest, newest, size),
                token);
            Guid[] ids = [.. payments.Select(payment => payment.Id)];
            var (back, owed) = (await TakenBackAsync(database, ids, token), await OwedPaidAsync(database, ids, token));
            return payments.ConvertAll(payment => Show(payment, back, owed.GetValueOrDefault(payment.Id)));
        }

        // A page at a time.
        async IAsyncEnumerable<IReadOnlyList<string?>> RowsAsync(Guid before, [EnumeratorCancellation] CancellationToken gone)
        {
            for (var count = CsvPage; count == CsvPage && !gone.IsCancellationRequested;)
            {
                var some = await PageAsync(before, CsvPage);
                foreach (var view in some)
                    yield return Row(view);
                count = some.Count;
                before = count > 0 && Ids.TryParse(Ids.Payment, some[^1].Id, out var last) ? last : before;
            }
        }
    }

    public static View Show(Payment payment, ILookup<Guid, (long Cents, string Status, bool IsRefund)> back, long owedPaid)
    {
        var parts = payment.Status == Payment.Succeeded ? payment.Parts : default;
        var of = back[payment.Id].ToList();
        var refunds = of.Where(one => one.IsRefund).Select(one => new Refund(default, payment.Id, one.Cents, one.Status, null));
        var disputes = of.Where(one => !one.IsRefund).Select(one => new Dispute("", one.Cents, one.Status)).ToList();
        return new(
            Ids.Show(Ids.Payment, payment.Id), Ids.Show(Ids.Customer, payment.Customer), Ids.Show(Ids.Wallet, payment.Wallet),
            new(payment.Amount), new(payment.Parts.Sum), new(parts.Net - owedPaid), new(owedPaid), new(parts.Margin),
            new(parts.Fee), "USD", payment.ShownStatus,
            payment.FailureCode is { } code ? new(code, payment.FailureMessage) : null,
            new(Reversal.CentsOf(payment.Cents, refunds, disputes) * Quote.NanosPerCent),
            new(Reversal.CentsOf(payment.Cents, [], disputes) * Quote.NanosPerCent), payment.OffSession is not null, payment.CreatedAt,
            payment.PaidAt, payment.Intent);
    }

    /// <summary>As the ledger has booked it, of each top-up that has paid a debt.</summary>
    static async Task<Dictionary<Guid, long>> OwedPaidAsync(NpgsqlDataSource database, Guid[] payments, CancellationToken token)
    {
        await using var query = database.Sql(
            "select payment, owed_paid from posting where payment = any($1) and number = 0 and owed_paid > 0", payments);
        await using var row = await query.ExecuteReaderAsync(token);
        var found = new Dictionary<Guid, long>();
        while (await row.ReadAsync(token))
            found.Add(row.GetGuid(0), row.GetInt64(1));
        return found;
    }

    /// <summary>The refunds and disputes of payments.</summary>
    static async Task<ILookup<Guid, (long Cents, string Status, bool IsRefund)>> TakenBackAsync(
        NpgsqlDataSource database, Guid[] payments, CancellationToken token)
    {
        await using var query = database.Sql("""
            select payment, cents, status, true from refund where payment = any($1)
            union all
            select payment, cents, status, false from dispute where payment = any($1)
            """, payments);
        await using var row = await query.ExecuteReaderAsync(token);
        var found = new List<(Guid Payment, long Cents, string Status, bool IsRefund)>();
        while (await row.ReadAsync(token))
            found.Add((row.GetGuid(0), row.GetInt64(1), row.GetString(2), row.GetBoolean(3)));
        return found.ToLookup(one => one.Payment, one => (one.Cents, one.Status, one.IsRefund));
    }

    static string?[] Row(View one) =>
    [
        one.Id, one.CustomerId, one.WalletId, one.Amount.ToString(), one.TotalAmount.ToString(), one.NetCredited.ToString(),
        one.OwedPaid.ToString(), one.Margin.ToString(), one.Fee.ToString(), one.Currency, one.Status, one.Failure?.Code,
        one.Refunded.ToString(), one.Disputed.ToString(), one.Automatic ? "true" : "false", Csv.Of(one.CreatedAt),
        one.PaidAt is { } paid ? Csv.Of(paid) : null, one.PaymentIntent,
    ];
}
