using LlmGateway.Contracts;
using Stripe;

namespace LlmGateway.Billing;

/// <summary>What we ask of Stripe about subscriptions. Keys and errors as in <see cref="StripeCalls"/>.</summary>
public sealed class SubscriptionCalls(ILogger<SubscriptionCalls> log)
{
    /// <summary>A member of our objects' metadata. Whoever reads an object finds our row by it.</summary>
    public const string SubscriptionKey = "llmgateway_subscription";

    const string Month = "month", LatestInvoice = "latest_invoice";

    const string MeterEvent = "llmgateway_tokens", MeteredCustomer = "stripe_customer_id", MeteredValue = "value";

    /// <summary>Of pico-dollars for a million tokens, those that are a cent for each.</summary>
    const decimal PicosPerCent = 1e16m;

    /// <summary>A price by the month, with a product of its own.</summary>
    public Task<Price> CreatePriceAsync(StripeMode mode, Guid key, Guid project, SoldPlan plan, long cents, CancellationToken token)
    {
        var options = new PriceCreateOptions
        {
            Currency = StripeCalls.Currency,
            UnitAmount = cents,
            Recurring = new() { Interval = Month },
            ProductData = new() { Name = plan.Name },
            Metadata = new() { ["llmgateway_project"] = project.ToString("N"), ["llmgateway_plan"] = plan.Id },
        };
        return StripeErrors.CallAsync(() => mode.Client.V1.Prices.CreateAsync(options, StripeCalls.Keyed("price", key), token), log);
    }

    /// <summary>A price of each token that a meter has counted.</summary>
    public Task<Price> CreateOveragePriceAsync(
        StripeMode mode, Guid key, Guid project, SoldPlan plan, string meter, long picos, CancellationToken token)
    {
        var options = new PriceCreateOptions
        {
            Currency = StripeCalls.Currency,
            UnitAmountDecimal = picos / PicosPerCent,
            Recurring = new() { Interval = Month, UsageType = "metered", Meter = meter },
            ProductData = new() { Name = $"{plan.Name}, tokens beyond the quota" },
            Metadata = new() { ["llmgateway_project"] = project.ToString("N"), ["llmgateway_overage"] = plan.Id },
        };
        return StripeErrors.CallAsync(() => mode.Client.V1.Prices.CreateAsync(options, StripeCalls.Keyed("overage", key), token), log);
    }

    /// <summary>The one meter of all plans, which is made when there is none.</summary>
    public async Task<string> MeterAsync(StripeMode mode, CancellationToken token)
    {
        var known = await StripeErrors.CallAsync(
            () => mode.Client.V1.Billing.Meters.ListAsync(
                new() { Status = "active", Limit = StripeCalls.PageSize }, cancellationToken: token),
            log);
        if (known.Data.Find(one => one.EventName == MeterEvent) is { } meter)
            return meter.Id;
        var options = new global::Stripe.Billing.MeterCreateOptions
        {
            DisplayName = "Tokens beyond quotas",
            EventName = MeterEvent,
            DefaultAggregation = new() { Formula = "sum" },
            CustomerMapping = new() { Type = "by_id", EventPayloadKey = MeteredCustomer },
            ValueSettings = new() { EventPayloadKey = MeteredValue },
        };
        return (await StripeErrors.CallAsync(
            () => mode.Client.V1.Billing.Meters.CreateAsync(options, StripeCalls.Keyed("meter", Ids.New()), token), log)).Id;
    }

    /// <summary>Counts once, whoever repeats it within a day.</summary>
    public Task ReportUsageAsync(
        StripeMode mode, Guid report, string subscriber, long tokens, DateTimeOffset at, CancellationToken token)
    {
        var options = new global::Stripe.Billing.MeterEventCreateOptions
        {
            EventName = MeterEvent,
            Identifier = report.ToString("N"),
            Timestamp = at.UtcDateTime,
            Payload = new()
            {
                [MeteredCustomer] = subscriber, [MeteredValue] = tokens.ToString(System.Globalization.CultureInfo.InvariantCulture),
            },
        };
        return StripeErrors.CallAsync(
            () => mode.Client.V1.Billing.MeterEvents.CreateAsync(options, StripeCalls.Keyed("usage", report), token), log);
    }

    /// <summary>How often a price is paid.</summary>
    public static string IntervalOf(Price price) => $"{price.Recurring?.IntervalCount} {price.Recurring?.Interval}";

    public Task<Price> PriceAsync(StripeMode mode, string id, CancellationToken token) =>
        StripeErrors.CallAsync(() => mode.Client.V1.Prices.GetAsync(id, cancellationToken: token), log);

    public Task<global::Stripe.Customer> CreateSubscriberAsync(StripeMode mode, Guid key, Guid customer, CancellationToken token)
    {
        var options = new CustomerCreateOptions { Metadata = new() { ["llmgateway_customer"] = Ids.Show(Ids.Customer, customer) } };
        return StripeErrors.CallAsync(
            () => mode.Client.V1.Customers.CreateAsync(options, StripeCalls.Keyed("subscriber", key), token), log);
    }

    public Task<global::Stripe.Checkout.Session> CreateCheckoutAsync(
        StripeMode mode, Subscription row, string subscriber, (string Plan, string? Overage) prices, string successUrl, string cancelUrl,
        CancellationToken token)
    {
        var name = Ids.Show(Ids.Subscription, row.Id);
        var options = new global::Stripe.Checkout.SessionCreateOptions
        {
            Mode = "subscription",
            Customer = subscriber,
            LineItems = [new() { Price = prices.Plan, Quantity = 1 }],
            SuccessUrl = successUrl,
            CancelUrl = cancelUrl,
            ClientReferenceId = name,
            Metadata = new() { [SubscriptionKey] = name },
            SubscriptionData = new() { Metadata = new() { [SubscriptionKey] = name } },
        };
        if (prices.Overage is { } overage)
            options.LineItems.Add(new() { Price = overage });
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
            () => mode.Client.V1.Disputes.ListAsync(
                new() { PaymentIntent = intent, Limit = StripeCalls.PageSize }, cancellationToken: token),
            log)).Data;

    /// <summary>
    /// Another price from now on. A dearer one is charged for the rest of the period at once, or all of it is refused; for a cheaper one
    /// nothing is given back, and what is used beyond the quota costs what it did until its plan is in force.
    /// </summary>
    /// <param name="of">What Stripe says of the subscription now.</param>
    public Task<global::Stripe.Subscription> ChangePriceAsync(
        StripeMode mode, SaidSubscription of, (string Plan, string? Overage) prices, bool isDearer, CancellationToken token)
    {
        var options = new SubscriptionUpdateOptions
        {
            Items = [new() { Id = of.Item, Price = prices.Plan }],
            ProrationBehavior = isDearer ? "always_invoice" : "none",
            PaymentBehavior = isDearer ? "error_if_incomplete" : null,
            Expand = [LatestInvoice],
        };
        if (prices.Overage is { } overage && (isDearer || of.MeteredItem is null))
            options.Items.Add(new() { Id = of.MeteredItem, Price = overage });
        return StripeErrors.CallAsync(
            () => mode.Client.V1.Subscriptions.UpdateAsync(of.Id, options, StripeCalls.Keyed("change", Ids.New()), token), log);
    }

    /// <summary>Another price of what is used beyond the quota, from the period on that runs.</summary>
    public Task<global::Stripe.Subscription> ChangeOverageAsync(
        StripeMode mode, SaidSubscription of, string price, CancellationToken token)
    {
        var options = new SubscriptionUpdateOptions
        {
            Items = [new() { Id = of.MeteredItem, Price = price }],
            ProrationBehavior = "none",
        };
        return StripeErrors.CallAsync(
            () => mode.Client.V1.Subscriptions.UpdateAsync(of.Id, options, StripeCalls.Keyed("overage-change", Ids.New()), token), log);
    }

    /// <summary>
    /// With the period that runs, or now, with an invoice for what was used beyond the quota. A key of its own each time: who cancels,
    /// resumes and cancels means it.
    /// </summary>
    public Task<global::Stripe.Subscription> EndAsync(StripeMode mode, string id, bool now, bool isMetered, CancellationToken token)
    {
        var key = StripeCalls.Keyed("end", Ids.New());
        return StripeErrors.CallAsync(
            () => now
                ? mode.Client.V1.Subscriptions.CancelAsync(id, new() { InvoiceNow = isMetered, Expand = [LatestInvoice] }, key, token)
                : mode.Client.V1.Subscriptions.UpdateAsync(id, new() { CancelAtPeriodEnd = true, Expand = [LatestInvoice] }, key, token),
            log);
    }
}
