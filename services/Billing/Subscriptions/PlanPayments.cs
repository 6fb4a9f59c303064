using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using Npgsql;

namespace LlmGateway.Billing;

/// <summary>
/// What customers have paid for plans, in the ledger: a row for each invoice of Stripe's that is paid, booked under the row's id, then
/// marked. So each is booked once, whoever dies in between.
/// </summary>
public sealed class PlanPayments(
    NpgsqlDataSource database, LedgerClient ledger, SessionsClient sessions, SubscriptionCalls stripe, PlanReversals reversals,
    ILogger<PlanPayments> log)
{
    /// <summary>Of a round.</summary>
    const int MaxAtOnce = 200;

    const int MaxShown = 100;

    const int Million = 1_000_000;

    sealed record Waiting(Guid Id, string Invoice, Guid Organization, Guid Project, bool Test, long Margin, long Fee);

    /// <summary>
    /// Whose an amount is: the developer's is the amount without the platform's fee, rounded down to the nano-dollar, and the platform's
    /// the rest, as of a top-up of the same total.
    /// </summary>
    public static (long Margin, long Fee) PartsOf(long cents, long feePpm)
    {
        var total = cents * Quote.NanosPerCent;
        var margin = (long)((Int128)total * Million / (Million + feePpm));
        return (margin, total - margin);
    }

    /// <summary>Of an invoice of the subscription's that is paid and costs something; once.</summary>
    /// <param name="plan">How its plan is called.</param>
    public async Task TakeAsync(
        StripeMode mode, Subscription of, string plan, global::Stripe.Invoice invoice, CancellationToken token)
    {
        if (invoice.Status != SaidSubscription.Paid || invoice.AmountPaid <= 0 || await IsBookedAsync(invoice.Id, token))
            return;
        if (invoice.Currency != StripeCalls.Currency)
            throw new NotOursException($"invoice {invoice.Id} is in {invoice.Currency}, and the ledger in usd");
        var terms = await sessions.TermsAsync(of.Project, token)
            ?? throw new InvalidOperationException($"there is no project {of.Project:N}");
        var (margin, fee) = PartsOf(invoice.AmountPaid, terms.PlatformFeePpm);
        var intent = await stripe.IntentOfAsync(mode, invoice.Id, token);
        await database.ChangeAsync("""
            insert into plan_payment (id, invoice, subscription, plan, cents, margin, fee, paid_at, intent, name)
            values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) on conflict (invoice) do nothing
            """, token, Ids.New(), invoice.Id, of.Id, of.Plan, invoice.AmountPaid, margin, fee, PaidAt(invoice), intent, plan);
        Failpoint.Hit("billing.plan.paid");
        foreach (var waiting in await WaitingAsync("p.invoice = $2", 1, token, invoice.Id))
            await BookAsync(waiting, token);
        // What was told of its refunds before we knew it was of nobody.
        if (intent is not null)
            await reversals.TryLookAsync(intent, mode.Livemode, token);
    }

    /// <summary>The newest hundred of a subscription.</summary>
    public async Task<IReadOnlyList<ListSubscriptions.PaidView>> OfAsync(Guid subscription, CancellationToken token)
    {
        await using var query = database.Sql("""
            select invoice, plan, cents, paid_at, (
                select coalesce(sum(margin + fee), 0)::bigint from plan_reversal where payment = plan_payment.id)
            from plan_payment where subscription = $1 order by id desc limit $2
            """, subscription, MaxShown);
        await using var row = await query.ExecuteReaderAsync(token);
        var paid = new List<ListSubscriptions.PaidView>();
        while (await row.ReadAsync(token))
            paid.Add(new(
                row.GetString(0), row.GetString(1), new(row.GetInt64(2) * Quote.NanosPerCent), new(row.GetInt64(4)),
                row.GetFieldValue<DateTimeOffset>(3)));
        return paid;
    }

    /// <summary>What a worker that died has left.</summary>
    /// <returns>How many could not be booked.</returns>
    public async Task<int> RunAsync(CancellationToken token)
    {
        var failed = 0;
        foreach (var waiting in await WaitingAsync("true", MaxAtOnce, token))
            try
            {
                await BookAsync(waiting, token);
            }
            catch (Exception e) when (!token.IsCancellationRequested)
            {
                failed++;
                if (Problems.IsOutage(e))
                    log.LogWarning("the payment of invoice {Invoice} is booked later: {Message}", waiting.Invoice, e.Message);
                else
                    log.LogError(e, "the payment of invoice {Invoice} is not booked", waiting.Invoice);
            }
        return failed + await reversals.RunAsync(token);
    }

    async Task BookAsync(Waiting waiting, CancellationToken token)
    {
        var answer = await ledger.BookPlanPaymentAsync(
            new(
                waiting.Id, PaymentPost.PlanPaid, waiting.Organization, waiting.Project, waiting.Test, waiting.Margin, waiting.Fee,
                waiting.Invoice),
            token);
        Failpoint.Hit("billing.plan.booked");
        if (answer.Outcome != PaymentOutcome.Done)
            throw new InvalidOperationException($"the payment of invoice {waiting.Invoice} is not booked: {answer.Outcome}");
        await database.ChangeAsync("update plan_payment set booked = true where id = $1", token, waiting.Id);
    }

    async Task<bool> IsBookedAsync(string invoice, CancellationToken token)
    {
        await using var query = database.Sql("select exists (select from plan_payment where invoice = $1 and booked)", invoice);
        return await query.ExecuteScalarAsync(token) is true;
    }

    /// <param name="which">What <c>p</c> must fulfil, by <c>$2</c> and so on.</param>
    async Task<List<Waiting>> WaitingAsync(string which, int most, CancellationToken token, params object[] values)
    {
        await using var query = database.Sql(
            $"""
            select p.id, p.invoice, s.organization, s.project, s.test, p.margin, p.fee
            from plan_payment p join subscription s on s.id = p.subscription
            where not p.booked and {which} order by p.created_at limit $1
            """, [most, .. values]);
        await using var row = await query.ExecuteReaderAsync(token);
        var all = new List<Waiting>();
        while (await row.ReadAsync(token))
            all.Add(new(
                row.GetGuid(0), row.GetString(1), row.GetGuid(2), row.GetGuid(3), row.GetBoolean(4), row.GetInt64(5), row.GetInt64(6)));
        return all;
    }

    static DateTimeOffset PaidAt(global::Stripe.Invoice invoice) =>
        new(DateTime.SpecifyKind(invoice.StatusTransitions?.PaidAt ?? invoice.Created, DateTimeKind.Utc));
}
