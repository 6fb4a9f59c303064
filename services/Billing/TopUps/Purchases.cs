using LlmGateway.ServiceDefaults;
using Npgsql;
using Stripe;

namespace LlmGateway.Billing;

/// <summary>Opens purchases.</summary>
public sealed class Purchases(
    NpgsqlDataSource database, StripeCalls stripe, Intents intents, Postings postings, TimeProvider time)
{
    /// <summary>
    /// The wallet's purchase and its intent as Stripe knows it. When it is neither open nor being processed, it is over by now, and the
    /// next attempt makes another.
    /// </summary>
    public async Task<(Payment Payment, PaymentIntent? Intent)> OpenAsync(StripeMode mode, Payment wanted, CancellationToken token)
    {
        await database.TryAddAsync(wanted, token);
        Failpoint.Hit("billing.payment.added");
        if (await database.OpenPaymentAsync(wanted.Wallet, token) is not { } payment)
            return (wanted, null);
        var isWanted = (payment.Cents, payment.Parts, payment.Livemode, payment.Test)
            == (wanted.Cents, wanted.Parts, wanted.Livemode, wanted.Test);
        if (payment.Livemode != mode.Livemode)
            return (await ForgetAsync(payment, token), null);
        if (!isWanted && payment.Intent is null)
            return (await ForgetAsync(payment, token), null);
        if (await FindOrCreateAsync(mode, payment, token) is not { } intent)
            return (await ForgetAsync(payment, token), null);
        Failpoint.Hit("billing.intent.created");
        payment = await TakeAsync(payment, intent, token);
        return isWanted || payment.Status != Payment.Open ? (payment, intent) : (await CancelAsync(mode, payment, token), null);
    }

    /// <summary>
    /// Null when Stripe knows nothing of it, as a sandbox that has started anew, or has no answer under its key but an error, which it
    /// keeps for a day. Nobody was told of an intent then.
    /// </summary>
    async Task<PaymentIntent?> FindOrCreateAsync(StripeMode mode, Payment payment, CancellationToken token)
    {
        if (payment.Intent is { } known)
            return await KnownAsync(mode, known, token);
        try
        {
            return await stripe.CreateIntentAsync(mode, payment, token);
        }
        catch (StripeRefusalException e)
        {
            // Under its key it would be refused again.
            await ForgetAsync(payment, token, e.Code ?? "refused");
            throw;
        }
        catch (ProblemException) when (payment.CreatedAt < time.GetUtcNow() - StripeHttp.CallTimeout)
        {
            return null;
        }
    }

    /// <summary>Null when Stripe knows nothing of it, as a sandbox that has started anew.</summary>
    public async Task<PaymentIntent?> KnownAsync(StripeMode mode, string intent, CancellationToken token)
    {
        try
        {
            return await stripe.IntentAsync(mode, intent, token);
        }
        catch (StripeRefusalException e) when (e.Code == StripeRefusalException.NoSuchObject)
        {
            return null;
        }
    }

    /// <summary>Stripe refuses to cancel what is being paid at this moment. Then that is what it is.</summary>
    public async Task<Payment> CancelAsync(StripeMode mode, Payment payment, CancellationToken token)
    {
        try
        {
            return await TakeAsync(payment, await stripe.CancelIntentAsync(mode, payment, token), token);
        }
        catch (StripeRefusalException e) when (e.Code == StripeRefusalException.UnexpectedState)
        {
            return await TakeAsync(payment, await stripe.IntentAsync(mode, payment.Intent!, token), token);
        }
    }

    async Task<Payment> TakeAsync(Payment payment, PaymentIntent intent, CancellationToken token)
    {
        payment = await intents.TakeAsync(payment, intent, token);
        await postings.BookWaitingAsync(payment, token);
        return payment;
    }

    /// <summary>
    /// A purchase whose intent nobody has been told of, or that is of a Stripe which is not ours any more, is over. Should it be paid after
    /// all, its event finds it.
    /// </summary>
    /// <param name="code">Why Stripe has refused it.</param>
    public async Task<Payment> ForgetAsync(Payment payment, CancellationToken token, string? code = null)
    {
        // Somebody may have given its intent to the customer since it was read.
        await database.ChangeAsync("""
            update payment set status = 'canceled', failure_code = coalesce($2, failure_code)
            where id = $1 and status in ('new', 'open', 'processing') and intent is not distinct from $3
            """, token, payment.Id, code, payment.Intent);
        return await database.PaymentAsync(payment.Id, token) ?? payment;
    }
}
