using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using Npgsql;
using Stripe;

namespace LlmGateway.Billing;

/// <summary>
/// Payments with saved cards, from their row on: charged under the row's key, taken over as Stripe says it, and their end noted in what
/// they were charged for. Everything may be repeated by anybody.
/// </summary>
public sealed class AutoCharges(
    NpgsqlDataSource database, StripeModes modes, StripeCalls stripe, SavedCards cards, Intents intents, Postings postings,
    Purchases purchases, LedgerClient ledger, SessionsClient sessions, MailSettings mail, OutboxSignal outbox, TimeProvider time)
{
    /// <summary>How long an owner may take to confirm a payment.</summary>
    static readonly TimeSpan ConfirmLife = TimeSpan.FromHours(24);

    /// <summary>Stripe may work so long on what it was asked, whether anybody waits or not. No list shows it before it is done.</summary>
    static readonly TimeSpan LongestCall = TimeSpan.FromMinutes(5);

    /// <param name="isNew">Nobody has asked Stripe for it yet.</param>
    public async Task AdvanceAsync(Payment payment, bool isNew, CancellationToken token)
    {
        if (modes.Of(payment.Test) is not { } mode)
            return;
        if (mode.Livemode != payment.Livemode)
        {
            await SettleAsync(mode, await purchases.ForgetAsync(payment, token), null, token);
            return;
        }
        var (taken, intent) = await ChargedAsync(mode, payment, isNew, token);
        if (intent is not null)
        {
            taken = await intents.TakeAsync(taken, intent, token);
            await postings.BookWaitingAsync(taken, token);
        }
        taken = await SettleAsync(mode, taken, intent, token);
        if (taken.Status == Payment.Open && taken.CreatedAt < time.GetUtcNow() - ConfirmLife)
            await SettleAsync(mode, await purchases.CancelAsync(mode, taken, token), null, token);
    }

    /// <summary>
    /// Notes what has become of a payment: the fall is answered, the card was declined, its owner is needed. An attempt that is over
    /// without being paid is ended at Stripe, so that nobody pays it later.
    /// </summary>
    public async Task<Payment> SettleAsync(StripeMode mode, Payment payment, PaymentIntent? intent, CancellationToken token)
    {
        var row = await database.WithAutoTopUpAsync<AutoTopUp>(payment.Wallet, async (connection, before) =>
        {
            var now = time.GetUtcNow();
            var next = before.After(payment, now);
            if (next == before)
                return next;
            await connection.UpdateAsync(next, TimeSpan.Zero, token);
            if (next is { AwaitsOwner: true, Payment: not null } && intent is not null)
                await TellAsync(
                    connection, payment, Contracts.EventTypes.TopUpAuthenticationRequired, ToConfirm(mode, payment, intent),
                    CustomerText.ToConfirm(payment, payment.CreatedAt + ConfirmLife), token);
            else if (next.Status == AutoTopUp.Paused)
                await TellAsync(
                    connection, payment, Contracts.EventTypes.TopUpPaused, Paused(payment, next),
                    !next.AwaitsOwner ? CustomerText.Paused(payment)
                        // Who was ended before its time, because cards were tried, can do nothing about it.
                        : now >= payment.CreatedAt + ConfirmLife ? CustomerText.NotConfirmed(payment) : null,
                    token);
            return next;
        }, token);
        Failpoint.Hit("billing.auto.settled");
        outbox.Raise();
        return payment.Status == Payment.Open && row?.Payment != payment.Id
            ? await purchases.CancelAsync(mode, payment, token)
            : payment;
    }

    /// <summary>The project by an event, and the card's owner by mail.</summary>
    async Task TellAsync(
        NpgsqlConnection connection, Payment payment, string type, object data, CustomerMail? toOwner, CancellationToken token)
    {
        await connection.TellAsync(payment, type, data, time.GetUtcNow(), token);
        if (mail.Server is not null && toOwner is not null)
            await connection.AddMailAsync(toOwner, payment.Project, payment.Test, token);
    }

    /// <summary>
    /// Whether this wallet may be charged: it is not frozen, no payment of it is disputed, its project and its customer are active. The
    /// ledger's state with it.
    /// </summary>
    public async Task<(WalletState State, ProjectTerms Terms)?> MayChargeAsync(
        Guid wallet, Guid project, Guid customer, CancellationToken token)
    {
        if (await ledger.StateAsync(wallet, token) is not { Frozen: false } state)
            return null;
        if (await sessions.TermsAsync(project, token, customer) is not { Active: true, CustomerActive: true } terms)
            return null;
        await using var query = database.Sql($"""
            select exists (
                select from dispute join payment p on p.id = payment
                where wallet = $1 and dispute.status in {Dispute.Undecided})
            """, wallet);
        return await query.ExecuteScalarAsync(token) is false ? (state, terms) : null;
    }

    /// <summary>
    /// Null without an intent: it is ended, or nobody knows yet. Who does not know whether Stripe has charged looks first. Only what is not
    /// there is asked for again, under its key, and only if the wallet may still be charged. What is not there and must not be asked for
    /// again is ended when Stripe cannot be working on it any more: until then it keeps the next charge from being made.
    /// </summary>
    async Task<(Payment Payment, PaymentIntent? Intent)> ChargedAsync(
        StripeMode mode, Payment payment, bool isNew, CancellationToken token)
    {
        if (payment.Status is Payment.Succeeded or Payment.Canceled)
            return (payment, null);
        var saved = payment.OffSession!;
        try
        {
            if (payment.Intent is { } known)
                return (payment, await stripe.IntentAsync(mode, known, token));
            if (!isNew)
            {
                if (await stripe.FindIntentAsync(mode, payment, saved.Holder, token) is { } found)
                    return (payment, await stripe.IntentAsync(mode, found.Id, token));
                if (!await MayRepeatAsync(payment, token))
                    return (IsOver(payment) ? await purchases.ForgetAsync(payment, token) : payment, null);
            }
            var made = await CreateAsync(mode, payment, token);
            Failpoint.Hit("billing.auto.charged");
            return (payment, made);
        }
        catch (StripeRefusalException e)
        {
            return (await RefusedAsync(payment, e.Code ?? "refused", token), null);
        }
    }

    /// <summary>
    /// Ends what Stripe has refused. Where Stripe has made no intent, no event of its own will say so: its owner is told in the same
    /// commit.
    /// </summary>
    Task<Payment> RefusedAsync(Payment payment, string code, CancellationToken token) =>
        database.WithLockedAsync(payment.Id, async (connection, row) =>
        {
            if (row.Status is Payment.Succeeded or Payment.Canceled || row.Intent != payment.Intent)
                return row;
            var ended = row with { Status = Payment.Canceled, FailureCode = code };
            await connection.ChangeAsync(
                "update payment set status = 'canceled', failure_code = $2 where id = $1", token, ended.Id, code);
            if (ended.Intent is null)
                await connection.TellAsync(
                    ended, Contracts.EventTypes.TopUpFailed, Intents.FailureOf(ended), time.GetUtcNow(), token);
            return ended;
        }, token);

    bool IsOver(Payment payment) => payment.CreatedAt < time.GetUtcNow() - LongestCall;

    /// <summary>Of a card that is declined there is an intent, too.</summary>
    async Task<PaymentIntent> CreateAsync(StripeMode mode, Payment payment, CancellationToken token)
    {
        try
        {
            return await stripe.CreateIntentAsync(mode, payment, token);
        }
        catch (StripeRefusalException e) when (e.Intent is { } failed)
        {
            return await stripe.IntentAsync(mode, failed, token);
        }
    }

    /// <summary>
    /// Not after Stripe has forgotten the key, and not for an owner who does not want it any more, or not with this card.
    /// </summary>
    async Task<bool> MayRepeatAsync(Payment payment, CancellationToken token) =>
        payment.CreatedAt > time.GetUtcNow() - StripeCalls.KeyLife
        && await database.AutoTopUpAsync(payment.Wallet, token) is { Status: AutoTopUp.Active } row && row.Payment == payment.Id
        && (await cards.CardAsync(payment.Wallet, payment.Livemode, token))?.Method == payment.OffSession!.Method
        && await MayChargeAsync(payment.Wallet, payment.Project, payment.Customer, token) is not null;

    /// <summary>What a page needs to confirm this very payment with the card that is saved, its owner being there.</summary>
    /// <param name="intent">Null for who may look at it only, without the secret that pays.</param>
    public static object ToConfirm(StripeMode mode, Payment payment, PaymentIntent? intent) => new
    {
        customerId = Ids.Show(Ids.Customer, payment.Customer),
        walletId = Ids.Show(Ids.Wallet, payment.Wallet),
        paymentId = Ids.Show(Ids.Payment, payment.Id),
        amount = new Money(payment.Amount),
        totalAmount = new Money(payment.Parts.Sum),
        clientSecret = intent?.ClientSecret,
        paymentMethod = payment.OffSession!.Method,
        publishableKey = mode.PublishableKey,
        expiresAt = payment.CreatedAt + ConfirmLife,
    };

    static object Paused(Payment payment, AutoTopUp next) => new
    {
        customerId = Ids.Show(Ids.Customer, payment.Customer),
        walletId = Ids.Show(Ids.Wallet, payment.Wallet),
        paymentId = Ids.Show(Ids.Payment, payment.Id),
        amount = new Money(payment.Amount),
        reason = next.Reason,
        code = payment.FailureCode,
        message = payment.FailureMessage,
    };
}
