using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using Npgsql;
using Stripe;

namespace LlmGateway.Billing;

/// <summary>
/// <c>POST /v1/wallet/top-up {amount}</c>: a purchase of credit, which the caller's page confirms with Stripe. Our row is there before
/// Stripe's intent. A wallet has one open purchase: of the same amount it is given out again, another one is cancelled for it, and while
/// one is being processed there is no second.
/// </summary>
public static class StartTopUp
{
    /// <summary>Others may change the wallet's purchase meanwhile; after so many attempts the caller is told to come again.</summary>
    const int MaxAttempts = 4;

    public sealed record Request(Money Amount, string? Currency = null);

    sealed record Answer(
        string ClientSecret, Money TotalAmount, Money NetCredited, bool IsInternational, string PublishableKey, string Id);

    public static void MapStartTopUp(this WebApplication app) => app.MapPost("/v1/wallet/top-up", HandleAsync).WithIdempotency();

    static async Task<IResult> HandleAsync(
        HttpContext http, Purchases purchases, StripeModes modes, SessionsClient sessions, LedgerClient ledger, Trust trust,
        CancellationToken token)
    {
        var caller = http.EndUser();
        var input = await Body.ReadAsync<Request>(http);
        if (Quote.Refuse(input.Amount) is { } refused)
            return refused;
        if (input.Currency is not null && !string.Equals(input.Currency, "usd", StringComparison.OrdinalIgnoreCase))
            return Problems.Invalid("currency", "'currency' must be USD.");
        if (caller is not { Wallet: { } wallet, Customer: { } customer } || await ledger.StateAsync(wallet, token) is not { } state)
            return Problems.NotFound("wallet");
        if (state.Frozen)
            return Problems.WalletFrozen;
        if (modes.Of(caller.Test) is not { } mode)
            return NotSetUp(caller.Test);
        if (await sessions.TermsAsync(caller.Project, token) is not { Active: true } terms)
            return Problems.NotFound("project");
        if ((await trust.OfAsync(mode, caller.Project, customer, token)).Refuse(input.Amount) is { } distrust)
            return distrust;
        var quote = Quote.Of(input.Amount, terms.MarkupPpm, terms.PlatformFeePpm);
        var wanted = new Payment(
            default, caller.Organization, caller.Project, customer, wallet, caller.Test, mode.Livemode, quote.Amount, quote.Cents,
            quote.Parts, Payment.New, null, default);
        for (var i = 0; i < MaxAttempts; i++)
            switch (await purchases.OpenAsync(mode, wanted with { Id = Ids.New() }, token))
            {
                case ({ Status: Payment.Open } payment, { } intent):
                    return Results.Json(
                        new Answer(
                            intent.ClientSecret, new(payment.Parts.Sum), new(payment.Parts.Net), false, mode.PublishableKey,
                            Ids.Show(Ids.Payment, payment.Id)),
                        Defaults.Json);
                case ({ Status: Payment.Processing }, _):
                    return Problems.Conflict(
                        "top_up_processing", "A payment for this wallet is being processed. Wait until it has ended.", "amount");
            }
        return Problems.Unavailable;
    }

    public static Problem NotSetUp(bool test) =>
        Problems.Conflict("payments_not_set_up", $"Payments are not set up here for {(test ? "test" : "live")} wallets.");
}

/// <summary>Opens purchases.</summary>
public sealed class Purchases(
    NpgsqlDataSource database, StripeCalls stripe, Intents intents, Bookings bookings, TimeProvider time)
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
        try
        {
            return payment.Intent is { } known
                ? await stripe.IntentAsync(mode, known, token)
                : await stripe.CreateIntentAsync(mode, payment, token);
        }
        catch (StripeRefusalException e) when (e.Code == StripeRefusalException.NoSuchObject)
        {
            return null;
        }
        catch (ProblemException) when (payment.Intent is null && payment.CreatedAt < time.GetUtcNow() - StripeHttp.CallTimeout)
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
        await bookings.BookWaitingAsync(payment, token);
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
        await using var cancel = database.Sql("""
            update payment set status = 'canceled', failure_code = coalesce($2, failure_code)
            where id = $1 and status in ('new', 'open', 'processing') and intent is not distinct from $3
            """, payment.Id, Transactions.OrNull(code), Transactions.OrNull(payment.Intent));
        await cancel.ExecuteNonQueryAsync(token);
        return await database.PaymentAsync(payment.Id, token) ?? payment;
    }
}
