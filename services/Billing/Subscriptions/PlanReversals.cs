using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using Npgsql;

namespace LlmGateway.Billing;

/// <summary>
/// What goes back of what was paid for plans: refunds that somebody makes at Stripe, and disputes. How much the ledger must have taken back
/// follows from what Stripe lists of the payment's intent (<see cref="Reversal"/>); each look adds the difference as a row, which is booked
/// under an id of its own. The plan stays: who wants it to end ends the subscription.
/// </summary>
public sealed class PlanReversals(
    NpgsqlDataSource database, StripeModes modes, StripeCalls stripe, SubscriptionCalls subscriptions, LedgerClient ledger,
    ILogger<PlanReversals> log)
{
    /// <summary>Of a round.</summary>
    const int MaxAtOnce = 200;

    /// <param name="ReadAt">When the row was read, by the database's clock.</param>
    sealed record Paid(Guid Id, string Intent, bool Test, bool Livemode, Parts Parts, DateTimeOffset ReadAt);

    sealed record Waiting(Guid Payment, int Number, Guid Organization, Guid Project, bool Test, long Margin, long Fee, string Invoice);

    /// <summary>The ledger's post.</summary>
    public static Guid IdOf(Guid payment, int number) => Ids.Derive(payment, $"reversal {number}");

    /// <summary>Looks at what has become of an intent.</summary>
    /// <returns>False when it has paid for no plan of ours.</returns>
    public async Task<bool> TryLookAsync(string intent, bool livemode, CancellationToken token)
    {
        if (await FindAsync(intent, token) is not { } paid)
            return false;
        if (paid.Livemode != livemode || modes.Of(paid.Test, paid.Livemode) is not { } mode)
            throw new NotOursException("the payment is of the other mode");
        var refunds = await stripe.RefundsOfAsync(mode, intent, token);
        var disputes = await subscriptions.DisputesOfAsync(mode, intent, token);
        var target = Reversal.Target(
            paid.Parts, refunds.Select(one => new Refund(Guid.Empty, paid.Id, one.Amount, one.Status, one.Id)),
            disputes.Select(one => new Dispute(one.Id, one.Amount, one.Status)));
        await AddAsync(paid, target, token);
        foreach (var waiting in await WaitingAsync("r.payment = $2", token, paid.Id))
            await BookAsync(waiting, token);
        return true;
    }

    /// <summary>What a worker that died has left.</summary>
    /// <returns>How many could not be booked.</returns>
    public async Task<int> RunAsync(CancellationToken token)
    {
        var failed = 0;
        foreach (var waiting in await WaitingAsync("true", token))
            try
            {
                await BookAsync(waiting, token);
            }
            catch (Exception e) when (!token.IsCancellationRequested)
            {
                failed++;
                if (Problems.IsOutage(e))
                    log.LogWarning("what went back of invoice {Invoice} is booked later: {Message}", waiting.Invoice, e.Message);
                else
                    log.LogError(e, "what went back of invoice {Invoice} is not booked", waiting.Invoice);
            }
        return failed;
    }

    /// <summary>The difference to what rows have of it. Stripe's lists go to and fro, so the ones that were asked for last count.</summary>
    async Task AddAsync(Paid paid, Parts target, CancellationToken token)
    {
        await using var connection = await database.OpenConnectionAsync(token);
        await using var transaction = await connection.BeginTransactionAsync(token);
        await connection.RunAsync(Database.FreeWhenIdle, token);
        if (await connection.ChangeAsync(
                "update plan_payment set looked_at = $2 where id = $1 and looked_at <= $2", token, paid.Id, paid.ReadAt) == 1)
            await connection.ChangeAsync("""
                insert into plan_reversal (payment, number, margin, fee)
                select $1, count(*), $2 - coalesce(sum(margin), 0), $3 - coalesce(sum(fee), 0) from plan_reversal where payment = $1
                having $2 - coalesce(sum(margin), 0) <> 0
                """, token, paid.Id, target.Margin, target.Fee);
        await transaction.CommitAsync(CancellationToken.None);
    }

    async Task BookAsync(Waiting waiting, CancellationToken token)
    {
        var sign = Math.Sign(waiting.Margin);
        var answer = await ledger.BookPlanPaymentAsync(
            new(
                IdOf(waiting.Payment, waiting.Number), sign > 0 ? PaymentPost.PlanRefunded : PaymentPost.PlanRestored,
                waiting.Organization, waiting.Project, waiting.Test, sign * waiting.Margin, sign * waiting.Fee, waiting.Invoice),
            token);
        if (answer.Outcome != PaymentOutcome.Done)
            throw new InvalidOperationException($"what went back of invoice {waiting.Invoice} is not booked: {answer.Outcome}");
        await database.ChangeAsync(
            "update plan_reversal set booked = true where payment = $1 and number = $2", token, waiting.Payment, waiting.Number);
    }

    async Task<Paid?> FindAsync(string intent, CancellationToken token)
    {
        await using var query = database.Sql("""
            select p.id, s.test, s.livemode, p.margin, p.fee, clock_timestamp()
            from plan_payment p join subscription s on s.id = p.subscription where p.intent = $1
            """, intent);
        await using var row = await query.ExecuteReaderAsync(token);
        return await row.ReadAsync(token)
            ? new(
                row.GetGuid(0), intent, row.GetBoolean(1), row.GetBoolean(2), new(0, row.GetInt64(3), row.GetInt64(4)),
                row.GetFieldValue<DateTimeOffset>(5))
            : null;
    }

    /// <param name="which">What <c>r</c> must fulfil, by <c>$2</c>.</param>
    async Task<List<Waiting>> WaitingAsync(string which, CancellationToken token, params object[] values)
    {
        await using var query = database.Sql(
            $"""
            select r.payment, r.number, s.organization, s.project, s.test, r.margin, r.fee, p.invoice
            from plan_reversal r join plan_payment p on p.id = r.payment join subscription s on s.id = p.subscription
            where not r.booked and {which} order by r.created_at limit $1
            """, [MaxAtOnce, .. values]);
        await using var row = await query.ExecuteReaderAsync(token);
        var all = new List<Waiting>();
        while (await row.ReadAsync(token))
            all.Add(new(
                row.GetGuid(0), row.GetInt32(1), row.GetGuid(2), row.GetGuid(3), row.GetBoolean(4), row.GetInt64(5), row.GetInt64(6),
                row.GetString(7)));
        return all;
    }
}
