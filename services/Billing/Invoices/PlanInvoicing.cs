using System.Text.Json;
using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Billing;

/// <summary>Documents of what was paid for plans, and of what has gone back of that: one for each, as soon as the ledger has it.</summary>
public sealed partial class Invoicing
{
    /// <summary>One that cannot be made is tried again so much later.</summary>
    static readonly TimeSpan PlanPause = TimeSpan.FromMinutes(5);

    /// <param name="Number">Of what has gone back; below zero: it is the payment.</param>
    /// <param name="Margin">Below zero: what went back has come again.</param>
    sealed record BookedPlan(Sale Sale, int Number, long Margin, long Fee, string Plan, Seller Seller)
    {
        public PaymentPost Type => Number < 0 ? PaymentPost.PlanPaid
            : Margin > 0 ? PaymentPost.PlanRefunded
            : PaymentPost.PlanRestored;

        public Parts Parts => new(0, Math.Abs(Margin), Math.Abs(Fee));

        public Guid Source => Number < 0 ? Sale.Id : PlanReversals.IdOf(Sale.Id, Number);
    }

    /// <summary>How many were made, the oldest first.</summary>
    async Task<int> MakeOfPlansAsync(Dictionary<Guid, Buyer> buyers, CancellationToken token)
    {
        var (made, outages) = (0, 0);
        foreach (var booked in await BookedPlansAsync(token))
            try
            {
                made += await TryMakeAsync(booked, buyers, token) ? 1 : 0;
            }
            catch (Exception e) when (!token.IsCancellationRequested)
            {
                var outage = Problems.IsOutage(e);
                log.Log(outage ? LogLevel.Warning : LogLevel.Error, e, "plan payment {Payment} has no document yet", booked.Sale.Id);
                await PostponeAsync(booked, token);
                if (outage && ++outages == MaxOutages)
                    break;
            }
        return made;
    }

    async Task<List<BookedPlan>> BookedPlansAsync(CancellationToken token)
    {
        await using var query = database.Sql("""
            select p.id, s.organization, s.project, s.customer, s.test, s.id, b.number, b.margin, b.fee, p.name, x.content
            from (
                select id payment, -1 number, margin, fee, created_at from plan_payment
                where booked and not documented and document_at <= now()
                union all select payment, number, margin, fee, created_at from plan_reversal
                where booked and not documented and document_at <= now()) b
            join plan_payment p on p.id = b.payment join subscription s on s.id = p.subscription
            join seller x on x.project = s.project and x.test = s.test
            order by b.created_at, b.number limit $1
            """, MaxAtOnce);
        await using var row = await query.ExecuteReaderAsync(token);
        var booked = new List<BookedPlan>();
        while (await row.ReadAsync(token))
            booked.Add(new(
                new(row.GetGuid(0), row.GetGuid(1), row.GetGuid(2), row.GetGuid(3), row.GetBoolean(4), Wallet: null, row.GetGuid(5)),
                row.GetInt32(6), row.GetInt64(7), row.GetInt64(8), row.GetString(9),
                JsonSerializer.Deserialize<Seller>(row.GetString(10), Defaults.Json)!));
        return booked;
    }

    /// <summary>False when another instance makes it, or the invoice that it corrects.</summary>
    async Task<bool> TryMakeAsync(BookedPlan booked, Dictionary<Guid, Buyer> buyers, CancellationToken token)
    {
        var sale = booked.Sale;
        var invoice = booked.Type == PaymentPost.PlanPaid ? null : await database.InvoiceOfAsync(sale.Id, token);
        if (invoice is null && booked.Type != PaymentPost.PlanPaid)
            return false;
        if (!buyers.TryGetValue(sale.Customer, out var buyer))
            buyers[sale.Customer] = buyer = await BuyerAsync(sale.Customer, token);
        var content = new DocumentContent(
            booked.Seller, buyer, Document.LinesOf(booked.Type, booked.Plan, booked.Parts.Sum), Taxes: []);
        await using var connection = await database.OpenConnectionAsync(token);
        await using var transaction = await connection.BeginTransactionAsync(token);
        await connection.RunAsync(Database.FreeWhenIdle, token);
        await connection.LockAsync(sale, token);
        if (await connection.ChangeAsync(
                booked.Number < 0
                    ? "update plan_payment set documented = true where id = $1 and $2 < 0 and not documented"
                    : "update plan_reversal set documented = true where payment = $1 and number = $2 and not documented",
                token, sale.Id, booked.Number) != 1
            || (invoice is not null && (await connection.StandingAsync(invoice.Id, token)).IsVoid))
            return false;
        await IssueAsync(connection, booked.Source, sale, booked.Type, booked.Parts, invoice, content, token);
        await transaction.CommitAsync(CancellationToken.None);
        return true;
    }

    Task<int> PostponeAsync(BookedPlan booked, CancellationToken token) => database.ChangeAsync(
        booked.Number < 0
            ? "update plan_payment set document_at = now() + $3 where id = $1 and $2 < 0"
            : "update plan_reversal set document_at = now() + $3 where payment = $1 and number = $2",
        token, booked.Sale.Id, booked.Number, PlanPause);
}
