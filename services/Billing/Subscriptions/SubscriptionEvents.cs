using LlmGateway.Contracts;
using Npgsql;

namespace LlmGateway.Billing;

/// <summary>
/// What an event of a checkout, a subscription or its invoice makes us look at: always the subscription, as Stripe knows it then. And what
/// owners' systems are told of that.
/// </summary>
public sealed class SubscriptionEvents(
    NpgsqlDataSource database, StripeModes modes, SubscriptionCalls stripe, Subscriptions subscriptions)
{
    const string OfCheckout = "checkout.session.", OfSubscription = "customer.subscription.", OfInvoice = "invoice.";

    public static bool Concerns(StripeEvent told) => told.Account is null
        && (told.Type.StartsWith(OfCheckout, StringComparison.Ordinal) || told.Type.StartsWith(OfSubscription, StringComparison.Ordinal)
            || told.Type.StartsWith(OfInvoice, StringComparison.Ordinal));

    public async Task<Handled> HandleAsync(StripeEvent told, CancellationToken token)
    {
        // Of an invoice that is only foreseen there is no id.
        if (told.About is not { } about)
            return new("it is of nothing that Stripe has");
        var mode = modes.OfLivemode(told.Livemode) ?? throw new NotYetException("this mode is not set up");
        try
        {
            var (row, invoice) = told.Type.StartsWith(OfInvoice, StringComparison.Ordinal)
                ? await OfInvoiceAsync(mode, about, token)
                : (await FindAsync(mode, about, told.Type.StartsWith(OfCheckout, StringComparison.Ordinal), token), null);
            if (row is null)
                return new("it is of no subscription of ours");
            await subscriptions.LookAsync(ModeOf(row, told), row, token, invoice);
            return Handled.Done;
        }
        catch (StripeRefusalException e) when (e.Code == StripeRefusalException.NoSuchObject)
        {
            throw new NotYetException("Stripe does not know its subscription");
        }
    }

    async Task<(Subscription? Row, global::Stripe.Invoice? Invoice)> OfInvoiceAsync(StripeMode mode, string id, CancellationToken token)
    {
        var invoice = await stripe.InvoiceAsync(mode, id, token);
        return invoice.Parent?.SubscriptionDetails is { SubscriptionId: { } subscription } of
            ? (await database.SubscriptionOfAsync(subscription, token) ?? await NamedAsync(of.Metadata, token), invoice)
            : (null, invoice);
    }

    /// <summary>
    /// The row that knows the object, or that the object names: its transaction may not be over when Stripe tells of it. Whose first
    /// payment has failed may have another subscription from the same checkout.
    /// </summary>
    async Task<Subscription?> FindAsync(StripeMode mode, string id, bool isCheckout, CancellationToken token)
    {
        if (await database.SubscriptionOfAsync(id, token) is { } known)
            return known;
        if (isCheckout)
            return await NamedAsync((await stripe.CheckoutAsync(mode, id, token)).Metadata, token) is { } begun
                ? begun with { Checkout = begun.Checkout ?? id }
                : null;
        return await NamedAsync((await stripe.SubscriptionAsync(mode, id, token)).Metadata, token) is not { } row ? null
            : row.Stripe is null || row.Status == Subscription.Incomplete ? row with { Stripe = id }
            : row;
    }

    /// <summary>A row that is named and is not here is another deployment's on the same account.</summary>
    async Task<Subscription?> NamedAsync(Dictionary<string, string>? metadata, CancellationToken token) =>
        metadata?.GetValueOrDefault(SubscriptionCalls.SubscriptionKey) is { } name && Ids.TryParse(Ids.Subscription, name, out var named)
            ? await database.SubscriptionAsync(named, token)
            : null;

    StripeMode ModeOf(Subscription row, StripeEvent told) =>
        row.Livemode == told.Livemode && modes.Of(row.Test, row.Livemode) is { } mode
            ? mode
            : throw new NotOursException("our row is of the other mode");

    /// <summary>A renewal could not be charged: told once, until it is paid.</summary>
    public static string? FailureOf(Subscription before, Subscription after) =>
        (before.Status, after.Status) is (not Subscription.PastDue, Subscription.PastDue) ? EventTypes.InvoiceFailed : null;

    /// <summary>Null: nothing that anybody is told of.</summary>
    public static string? TypeOf(Subscription before, Subscription after) =>
        after.PaidTo is null ? null
        : before.PaidTo is null ? EventTypes.SubscriptionCreated
        : before.EndedAt is null && after.EndedAt is not null ? EventTypes.SubscriptionEnded
        : (before.Plan, before.NextPlan, before.Status, before.PaidTo, before.CancelAt)
            != (after.Plan, after.NextPlan, after.Status, after.PaidTo, after.CancelAt) ? EventTypes.SubscriptionUpdated
        : null;

    public static object DataOf(Subscription row) => new
    {
        subscriptionId = Ids.Show(Ids.Subscription, row.Id),
        customerId = Ids.Show(Ids.Customer, row.Customer),
        plan = row.Plan,
        nextPlan = row.NextPlan,
        status = row.Status,
        paidTo = row.PaidTo,
        cancelAt = row.CancelAt,
        endsAt = row.EndsAt,
    };
}
