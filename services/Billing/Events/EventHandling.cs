using LlmGateway.Contracts;
using Npgsql;
using Stripe;

namespace LlmGateway.Billing;

/// <summary>What has become of an event.</summary>
/// <param name="Reason">Why it has no effect; null: it had its effect.</param>
public sealed record Handled(string? Reason = null)
{
    public static readonly Handled Done = new();
}

/// <summary>Something that an event is about is not here, and may be a moment later.</summary>
public sealed class NotYetException(string reason) : Exception(reason);

/// <summary>
/// What an event makes us do: look. Its object is read from Stripe, so an event that is late, old or repeated finds what is there now and
/// changes nothing. Whose an object is says our row, never the event.
/// </summary>
public sealed class EventHandling(
    NpgsqlDataSource database, StripeModes modes, StripeCalls stripe, Intents intents, Refunds refunds, Disputes disputes,
    Postings postings, AutoCharges charges, SavedCards cards, Trust trust, ConnectEvents connect, SubscriptionEvents subscriptions,
    PlanReversals planReversals)
{
    const string Refunded = "charge.refunded";

    // What a type makes us look at. Disputes and charge.refund.updated are of payments, too: the more special one is asked first.
    static bool IsRefund(string type) => type.StartsWith("refund.", StringComparison.Ordinal) || type == "charge.refund.updated";

    static bool IsDispute(string type) => type.StartsWith("charge.dispute.", StringComparison.Ordinal);

    static bool IsPayment(string type) =>
        type.StartsWith("payment_intent.", StringComparison.Ordinal) || type.StartsWith("charge.", StringComparison.Ordinal);

    static bool IsSetup(string type) => type.StartsWith("setup_intent.", StringComparison.Ordinal);

    public async Task<Handled> HandleAsync(StripeEvent told, CancellationToken token)
    {
        if (ConnectEvents.Concerns(told))
            return await connect.HandleAsync(told, token);
        if (SubscriptionEvents.Concerns(told))
            return await subscriptions.HandleAsync(told, token);
        if (IsSetup(told.Type))
            return await HandleSetupAsync(told, token);
        if (!IsRefund(told.Type) && !IsPayment(told.Type))
            return new("nothing follows from this type");
        if (told.Intent is not { } intent || told.About is not { } about)
            return new("it is of no payment intent");
        if ((IsRefund(told.Type) || IsDispute(told.Type) || told.Type == Refunded)
            && await planReversals.TryLookAsync(intent, told.Livemode, token))
            return Handled.Done;
        if (await FindAsync(intent, told.Livemode, token) is not { } payment)
            return new("it is of no payment of ours");
        if (payment.Livemode != told.Livemode || modes.Of(payment.Test, payment.Livemode) is not { } mode)
            throw new NotOursException("the payment is of the other mode");
        var said = await stripe.IntentAsync(mode, intent, token);
        payment = await intents.TakeAsync(payment, said, token);
        await postings.BookWaitingAsync(payment, token);
        if (payment.OffSession is not null)
            payment = await charges.SettleAsync(mode, payment, said, token);
        await trust.NoteAsync(mode, payment, token);
        if (payment.Status != Payment.Succeeded)
            return IsRefund(told.Type) || IsDispute(told.Type) ? throw new NotYetException("the payment is not paid yet") : Handled.Done;
        if (IsDispute(told.Type))
            await disputes.TakeAsync(payment, await stripe.DisputeAsync(mode, about, token), token);
        else if (IsRefund(told.Type))
            await refunds.TakeAsync(payment, await stripe.RefundAsync(mode, about, token), token);
        else if (told.Type == Refunded)
            foreach (var refund in await stripe.RefundsOfAsync(mode, intent, token))
                await refunds.TakeAsync(payment, refund, token);
        return Handled.Done;
    }

    async Task<Handled> HandleSetupAsync(StripeEvent told, CancellationToken token)
    {
        if (told.About is not { } setup || await cards.TakeAsync(ModeOf(told.Livemode), setup, token) is not { } wallet)
            return new("it is of no setup of ours");
        if (told.Type == "setup_intent.setup_failed")
            await trust.NoteAsync(wallet, setup, token);
        return Handled.Done;
    }

    StripeMode ModeOf(bool livemode) =>
        modes.OfLivemode(livemode) ?? throw new NotYetException("this mode is not set up");

    /// <summary>
    /// The row that knows the intent. Its transaction may not be over when Stripe tells of it: then the intent names it. Null: the intent
    /// says nothing of us.
    /// </summary>
    async Task<Payment?> FindAsync(string intent, bool livemode, CancellationToken token)
    {
        if (await database.PaymentOfIntentAsync(intent, token) is { } known)
            return known;
        var mode = ModeOf(livemode);
        PaymentIntent said;
        try
        {
            said = await stripe.IntentAsync(mode, intent, token);
        }
        catch (StripeRefusalException e) when (e.Code == StripeRefusalException.NoSuchObject)
        {
            throw new NotYetException("Stripe does not know its payment intent");
        }
        if (said.Metadata is null || !said.Metadata.TryGetValue(StripeCalls.PaymentKey, out var name))
            return null;
        // Our row is there before the intent, so this is another deployment's on the same account.
        if (!Ids.TryParse(Ids.Payment, name, out var id) || await database.PaymentAsync(id, token) is not { } named)
            return null;
        // It may know its intent since a moment ago.
        return named.Intent is null || named.Intent == intent
            ? named
            : throw new NotOursException($"the payment's intent is {named.Intent}");
    }
}
