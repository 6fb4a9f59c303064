using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using Npgsql;

namespace LlmGateway.Billing;

/// <summary>
/// Refunds as Stripe knows them become ours, whoever has made them: over our route or in Stripe's dashboard. The ledger follows
/// (<see cref="Postings"/>).
/// </summary>
public sealed class Refunds(NpgsqlDataSource database, StripeCalls stripe, StripeModes modes, Postings postings)
{
    /// <summary>Takes over what Stripe says of a refund, and books it.</summary>
    public async Task TakeAsync(Payment payment, global::Stripe.Refund refund, CancellationToken token)
    {
        if (refund.PaymentIntentId != payment.Intent)
            throw new NotOursException($"refund {refund.Id} is of {refund.PaymentIntentId}");
        await database.WithLockedAsync(
            payment.Id,
            async (connection, row) =>
            {
                await TakeAsync(connection, payment, refund, token);
                return await connection.AddStepAsync(row, ofDispute: false, refund.Id, token);
            },
            token);
        Failpoint.Hit("billing.refund.taken");
        await postings.SettleAsync(payment, ofDispute: false, refund.Id, token);
    }

    static async Task<int> TakeAsync(NpgsqlConnection connection, Payment payment, global::Stripe.Refund refund, CancellationToken token)
    {
        var known = await connection.RefundsAsync(payment.Id, token);
        var row = known.Find(one => one.Stripe == refund.Id) ?? known.Find(one => IsAskedFor(one, refund));
        if (row is null)
            return await connection.ChangeAsync("""
                insert into refund (id, payment, cents, status, stripe, by_us, failure) values ($1, $2, $3, $4, $5, false, $6)
                """, token,
                Ids.New(), payment.Id, refund.Amount, refund.Status, refund.Id, refund.FailureReason);
        return await connection.ChangeAsync(
            "update refund set stripe = $2, status = $3, failure = $4, looked_at = now() where id = $1", token,
            row.Id, refund.Id, row.Stripe is null ? refund.Status : Forward(row.Status, refund.Status),
            refund.FailureReason);
    }

    /// <summary>It has the id of a row of ours that does not know its refund yet.</summary>
    static bool IsAskedFor(Refund row, global::Stripe.Refund refund) =>
        row.Stripe is null && row.Cents == refund.Amount
        && StripeCalls.Says(refund.Metadata, StripeCalls.RefundKey, Ids.Show(Ids.Refund, row.Id));

    /// <summary>
    /// Of a refund that we know from Stripe; before that, "failed" is our own word, and Stripe's counts. What failed or was cancelled stays
    /// so. What succeeded may still fail, days later, and is never pending again.
    /// </summary>
    public static string Forward(string from, string to) => from switch
    {
        "failed" or "canceled" => from,
        "succeeded" => to is "failed" or "canceled" ? to : from,
        _ => to,
    };

    /// <summary>
    /// Brings a refund that we were asked for further: the ledger first, then Stripe. Whoever comes again goes on where it stands. Without
    /// an answer of Stripe's it stays as it is, and the reconciler asks again.
    /// </summary>
    public async Task AdvanceAsync(Payment payment, Guid id, CancellationToken token)
    {
        await postings.BookWaitingAsync(payment, token);
        if (await database.RefundAsync(id, token) is not { } refund || modes.Of(payment.Test, payment.Livemode) is not { } mode)
            return;
        if (refund.Stripe is { } known)
            await TakeAsync(payment, await stripe.RefundAsync(mode, known, token), token);
        else if (refund.Status == "booked")
            await AskAsync(mode, payment, refund, token);
    }

    async Task AskAsync(StripeMode mode, Payment payment, Refund refund, CancellationToken token)
    {
        try
        {
            var asked = await FindOrCreateAsync(mode, payment, refund, token);
            Failpoint.Hit("billing.refund.asked");
            await TakeAsync(payment, asked, token);
        }
        catch (StripeRefusalException e)
        {
            await FailAsync(payment, refund, StripeErrors.Say(e.Code), token);
        }
    }

    /// <summary>After a day the key is forgotten at Stripe: then the refund is there by now, or will never be asked for again.</summary>
    async Task<global::Stripe.Refund> FindOrCreateAsync(StripeMode mode, Payment payment, Refund refund, CancellationToken token)
    {
        if (await IsYoungAsync(refund, token))
            return await stripe.CreateRefundAsync(mode, payment.Intent!, refund, token);
        return (await stripe.RefundsOfAsync(mode, payment.Intent!, token)).FirstOrDefault(one => IsAskedFor(refund, one))
            ?? throw new StripeRefusalException(
                StripeRefusalException.NoAnswer, StripeErrors.Say(StripeRefusalException.NoAnswer), new TimeoutException());
    }

    async Task<bool> IsYoungAsync(Refund refund, CancellationToken token)
    {
        await using var query = database.Sql("select created_at > now() - $2 from refund where id = $1", refund.Id, StripeCalls.KeyLife);
        return await query.ExecuteScalarAsync(token) is true;
    }

    /// <summary>
    /// The posting that gives it back is written with it: of a refund that has failed nobody asks again. While another posting waits, the
    /// refund stays as it is, and the reconciler comes again.
    /// </summary>
    async Task FailAsync(Payment payment, Refund refund, string reason, CancellationToken token)
    {
        var reference = Ids.Show(Ids.Refund, refund.Id);
        await database.WithLockedAsync(payment.Id, async (connection, row) =>
        {
            if ((await connection.TakenAsync(payment.Id, token)).Waits)
                return Step.Waits;
            await connection.ChangeAsync(
                "update refund set status = 'failed', failure = $2 where id = $1 and stripe is null", token, refund.Id, reason);
            return await connection.AddStepAsync(row, ofDispute: false, reference, token);
        }, token);
        await postings.SettleAsync(payment, ofDispute: false, reference, token);
    }
}
