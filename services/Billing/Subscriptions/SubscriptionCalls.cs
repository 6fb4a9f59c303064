using LlmGateway.Contracts;
using Stripe;

namespace LlmGateway.Billing;

/// <summary>What we ask of Stripe about subscriptions. Keys and errors as in <see cref="StripeCalls"/>.</summary>
public sealed class SubscriptionCalls(ILogger<SubscriptionCalls> log)
{
    /// <summary>A member of our objects' metadata. Whoever reads an object finds our row by it.</summary>
    public const string SubscriptionKey = "llmgateway_subscription";

    const string Currency = "usd", Month = "month", LatestInvoice = "latest_invoice";

    /// <summary>Stripe's most.</summary>
    const int PageSize = 100;

    /// <summary>A price by the month, with a product of its own.</summary>
    public Task<Price> CreatePriceAsync(StripeMode mode, Guid key, Guid project, SoldPlan plan, long cents, CancellationToken token)
    {
        var options = new PriceCreateOptions
        {
            Currency = Currency,
            UnitAmount = cents,
            Recurring = new() { Interval = Month },
            ProductData = new() { Name = plan.Name },
            Metadata = new() { ["llmgateway_project"] = project.ToString("N"), ["llmgateway_plan"] = plan.Id },
        };
        return StripeErrors.CallAsync(() => mode.Client.V1.Prices.CreateAsync(options, StripeCalls.Keyed("price", key), token), log);
    }

    public Task<Price> PriceAsync(StripeMode mode, string id, CancellationToken token) =>
        StripeErrors.CallAsync(() => mode.Client.V1.Prices.GetAsync(id, cancellationToken: token), log);

    public Task<global::Stripe.Customer> CreateSubscriberAsync(StripeMode mode, Guid key, Guid customer, CancellationToken token)
    {
        var options = new CustomerCreateOptions { Metadata = new() { ["llmgateway_customer"] = Ids.Show(Ids.Customer, customer) } };
        return StripeErrors.CallAsync(
            () => mode.Client.V1.Customers.CreateAsync(options, StripeCalls.Keyed("subscriber", key), token), log);
    }

    public Task<global::Stripe.Checkout.Session> CreateCheckoutAsync(
        StripeMode mode, Subscription row, string subscriber, string price, string successUrl, string cancelUrl, CancellationToken token)
    {
        var name = Ids.Show(Ids.Subscription, row.Id);
        var options = new global::Stripe.Checkout.SessionCreateOptions
        {
            Mode = "subscription",
            Customer = subscriber,
            LineItems = [new() { Price = price, Quantity = 1 }],
            SuccessUrl = successUrl,
            CancelUrl = cancelUrl,
            ClientReferenceId = name,
            Metadata = new() { [SubscriptionKey] = name },
            SubscriptionData = new() { Metadata = new() { [SubscriptionKey] = name } },
        };
        if (row.TrialDays > 0)
            options.SubscriptionData.TrialPeriodDays = row.TrialDays;
        return StripeErrors.CallAsync(
            () => mode.Client.V1.Checkout.Sessions.CreateAsync(options, StripeCalls.Keyed("checkout", row.Id), token), log);
    }

    public Task<global::Stripe.Checkout.Session> CheckoutAsync(StripeMode mode, string id, CancellationToken token) =>
        StripeErrors.CallAsync(() => mode.Client.V1.Checkout.Sessions.GetAsync(id, cancellationToken: token), log);

    /// <summary>
    /// Refused when it is over. Each call has a key of its own: the answer of a day ago is not today's.
    /// </summary>
    public Task<global::Stripe.Checkout.Session> ExpireCheckoutAsync(StripeMode mode, string id, CancellationToken token) =>
        StripeErrors.CallAsync(
            () => mode.Client.V1.Checkout.Sessions.ExpireAsync(id, null, StripeCalls.Keyed("expire", Ids.New()), token), log);

    /// <summary>Each is opened once and lives for minutes, so each call is one of its own.</summary>
    public Task<global::Stripe.BillingPortal.Session> CreatePortalAsync(
        StripeMode mode, string subscriber, string returnUrl, CancellationToken token)
    {
        var options = new global::Stripe.BillingPortal.SessionCreateOptions { Customer = subscriber, ReturnUrl = returnUrl };
        return StripeErrors.CallAsync(
            () => mode.Client.V1.BillingPortal.Sessions.CreateAsync(options, StripeCalls.Keyed("portal", Ids.New()), token), log);
    }

    /// <summary>With its latest invoice.</summary>
    public Task<global::Stripe.Subscription> SubscriptionAsync(StripeMode mode, string id, CancellationToken token) =>
        StripeErrors.CallAsync(
            () => mode.Client.V1.Subscriptions.GetAsync(id, new() { Expand = [LatestInvoice] }, cancellationToken: token), log);

    public Task<global::Stripe.Invoice> InvoiceAsync(StripeMode mode, string id, CancellationToken token) =>
        StripeErrors.CallAsync(() => mode.Client.V1.Invoices.GetAsync(id, cancellationToken: token), log);

    /// <summary>The intent that has paid an invoice; null: none has, as where it was paid otherwise.</summary>
    public async Task<string?> IntentOfAsync(StripeMode mode, string invoice, CancellationToken token)
    {
        var options = new InvoicePaymentListOptions { Invoice = invoice, Status = "paid" };
        var found = await StripeErrors.CallAsync(() => mode.Client.V1.InvoicePayments.ListAsync(options, cancellationToken: token), log);
        return found.Data.Select(one => one.Payment?.PaymentIntentId).FirstOrDefault(one => one is not null);
    }

    /// <summary>The newest hundred of an intent.</summary>
    public async Task<IReadOnlyList<global::Stripe.Dispute>> DisputesOfAsync(StripeMode mode, string intent, CancellationToken token) =>
        (await StripeErrors.CallAsync(
            () => mode.Client.V1.Disputes.ListAsync(new() { PaymentIntent = intent, Limit = PageSize }, cancellationToken: token),
            log)).Data;

    /// <summary>
    /// Another price from now on. A dearer one is charged for the rest of the period at once, or all of it is refused; for a cheaper one
    /// nothing is given back.
    /// </summary>
    public Task<global::Stripe.Subscription> ChangePriceAsync(
        StripeMode mode, string id, string item, string price, bool isDearer, CancellationToken token)
    {
        var options = new SubscriptionUpdateOptions
        {
            Items = [new() { Id = item, Price = price }],
            ProrationBehavior = isDearer ? "always_invoice" : "none",
            PaymentBehavior = isDearer ? "error_if_incomplete" : null,
            Expand = [LatestInvoice],
        };
        return StripeErrors.CallAsync(
            () => mode.Client.V1.Subscriptions.UpdateAsync(id, options, StripeCalls.Keyed("change", Ids.New()), token), log);
    }

    /// <summary>With the period that runs, or now. A key of its own each time: who cancels, resumes and cancels means it.</summary>
    public Task<global::Stripe.Subscription> EndAsync(StripeMode mode, string id, bool now, CancellationToken token)
    {
        var key = StripeCalls.Keyed("end", Ids.New());
        return StripeErrors.CallAsync(
            () => now
                ? mode.Client.V1.Subscriptions.CancelAsync(id, new() { Expand = [LatestInvoice] }, key, token)
                : mode.Client.V1.Subscriptions.UpdateAsync(id, new() { CancelAtPeriodEnd = true, Expand = [LatestInvoice] }, key, token),
            log);
    }
}
