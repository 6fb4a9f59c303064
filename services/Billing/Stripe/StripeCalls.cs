using System.Text.Json;
using LlmGateway.Contracts;
using Stripe;

namespace LlmGateway.Billing;

/// <summary>
/// Everything that we ask of Stripe. Each POST has the key of the row that it is for: one intention, one key, for life. Stripe forgets keys
/// after a day, so nobody repeats one that is older (<see cref="KeyLife"/>).
/// </summary>
public sealed class StripeCalls(ILogger<StripeCalls> log)
{
    /// <summary>Stripe keeps keys for at least 24 hours.</summary>
    public static readonly TimeSpan KeyLife = TimeSpan.FromHours(23);

    /// <summary>Members of our objects' metadata. Whoever reads an object finds our row by them.</summary>
    public const string PaymentKey = "llmgateway_payment", WalletKey = "llmgateway_wallet", RefundKey = "llmgateway_refund",
        SetupKey = "llmgateway_setup";

    const string Currency = "usd";

    /// <summary>Stripe's most.</summary>
    const int PageSize = 100;

    const int MaxRefunds = 1000, MaxMethods = 1000;

    /// <summary>
    /// One that nobody is there for is charged at once. That its card was authenticated when it was saved is all that is asked of it: to
    /// force that again would decline for ever.
    /// </summary>
    public Task<PaymentIntent> CreateIntentAsync(StripeMode mode, Payment payment, CancellationToken token)
    {
        var options = new PaymentIntentCreateOptions
        {
            Amount = payment.Cents,
            Currency = Currency,
            AutomaticPaymentMethods = new() { Enabled = true },
            Description = "Credit top-up",
            TransferGroup = Ids.Show(Ids.Payment, payment.Id),
            Metadata = new()
            {
                [PaymentKey] = Ids.Show(Ids.Payment, payment.Id),
                [WalletKey] = Ids.Show(Ids.Wallet, payment.Wallet),
                ["llmgateway_project"] = payment.Project.ToString("N"),
            },
        };
        if (payment.OffSession is { } saved)
        {
            (options.Customer, options.PaymentMethod, options.OffSession, options.Confirm) = (saved.Holder, saved.Method, true, true);
            options.AutomaticPaymentMethods.AllowRedirects = "never"; // where to?
        }
        return StripeErrors.CallAsync(
            () => mode.Client.V1.PaymentIntents.CreateAsync(options, Keyed("payment", payment.Id), token), log);
    }

    /// <summary>The payment's intent among the newest hundred of its holder. Null: it is not there, or not listed yet.</summary>
    public async Task<PaymentIntent?> FindIntentAsync(StripeMode mode, Payment payment, string holder, CancellationToken token)
    {
        var options = new PaymentIntentListOptions { Customer = holder, Limit = 100 };
        var newest = await StripeErrors.CallAsync(
            () => mode.Client.V1.PaymentIntents.ListAsync(options, cancellationToken: token), log);
        var name = Ids.Show(Ids.Payment, payment.Id);
        return newest.Data.Find(intent => intent.Metadata?.GetValueOrDefault(PaymentKey) == name);
    }

    public Task<global::Stripe.Customer> CreateCustomerAsync(StripeMode mode, Guid key, WalletOwner owner, CancellationToken token)
    {
        var options = new CustomerCreateOptions
        {
            Metadata = new()
            {
                [WalletKey] = Ids.Show(Ids.Wallet, owner.Wallet),
                ["llmgateway_customer"] = Ids.Show(Ids.Customer, owner.Customer),
            },
        };
        return StripeErrors.CallAsync(() => mode.Client.V1.Customers.CreateAsync(options, Keyed("customer", key), token), log);
    }

    /// <summary>
    /// With the cards that are saved, which cannot be charged any more; payments stay. Done, too, when it is deleted, or was of a sandbox
    /// that has started anew.
    /// </summary>
    public async Task DeleteCustomerAsync(StripeMode mode, string id, CancellationToken token)
    {
        try
        {
            await StripeErrors.CallAsync(() => mode.Client.V1.Customers.DeleteAsync(id, cancellationToken: token), log);
        }
        catch (StripeRefusalException e) when (e.Code == StripeRefusalException.NoSuchObject)
        {
            // There is nobody to forget.
        }
    }

    /// <summary>
    /// Nobody can charge it any more. Done, too, when it is detached already, which Stripe refuses without a code of its own, or was of a
    /// sandbox that has started anew.
    /// </summary>
    public async Task DetachAsync(StripeMode mode, string method, CancellationToken token)
    {
        try
        {
            await StripeErrors.CallAsync(
                () => mode.Client.V1.PaymentMethods.DetachAsync(method, null, Keyed("detach", Ids.New()), token), log);
        }
        catch (StripeRefusalException e)
        {
            if (e.Code != StripeRefusalException.NoSuchObject && await IsAttachedAsync(mode, method, token))
                throw;
        }
    }

    /// <summary>What can be charged of a customer, also what another card has replaced. Nothing of one that Stripe does not know.</summary>
    public async Task<List<string>> MethodsAsync(StripeMode mode, string holder, CancellationToken token)
    {
        try
        {
            return await StripeErrors.CallAsync(
                async () => await mode.Client.V1.Customers.PaymentMethods.ListAutoPagingAsync(
                    holder, new() { Limit = PageSize }, cancellationToken: token)
                    .Take(MaxMethods).Select(method => method.Id).ToListAsync(token),
                log);
        }
        catch (StripeRefusalException e) when (e.Code == StripeRefusalException.NoSuchObject)
        {
            return [];
        }
    }

    async Task<bool> IsAttachedAsync(StripeMode mode, string method, CancellationToken token) =>
        (await StripeErrors.CallAsync(
            () => mode.Client.V1.PaymentMethods.GetAsync(method, cancellationToken: token), log)).CustomerId is not null;

    public Task<SetupIntent> CreateSetupAsync(StripeMode mode, Guid key, string holder, Guid wallet, CancellationToken token)
    {
        var options = new SetupIntentCreateOptions
        {
            Customer = holder,
            Usage = "off_session",
            AutomaticPaymentMethods = new() { Enabled = true },
            Metadata = new() { [SetupKey] = key.ToString("N"), [WalletKey] = Ids.Show(Ids.Wallet, wallet) },
        };
        return StripeErrors.CallAsync(() => mode.Client.V1.SetupIntents.CreateAsync(options, Keyed("setup", key), token), log);
    }

    /// <summary>With its payment method.</summary>
    public Task<SetupIntent> SetupAsync(StripeMode mode, string id, CancellationToken token) => StripeErrors.CallAsync(
        () => mode.Client.V1.SetupIntents.GetAsync(id, new() { Expand = ["payment_method"] }, cancellationToken: token), log);

    /// <summary>
    /// Throws <see cref="StripeRefusalException.UnexpectedSetup"/> when it is over. Each call has a key of its own, as
    /// <see cref="CancelIntentAsync"/> has.
    /// </summary>
    public Task<SetupIntent> CancelSetupAsync(StripeMode mode, string id, CancellationToken token) => StripeErrors.CallAsync(
        () => mode.Client.V1.SetupIntents.CancelAsync(id, new(), Keyed("cancel", Ids.New()), token), log);

    /// <summary>The newest hundred attempts to save a card with a setup.</summary>
    public async Task<IReadOnlyList<SetupAttempt>> SetupAttemptsAsync(StripeMode mode, string setup, CancellationToken token) =>
        (await StripeErrors.CallAsync(
            () => mode.Client.V1.SetupAttempts.ListAsync(
                new() { SetupIntent = setup, Limit = PageSize }, cancellationToken: token), log)).Data;

    /// <summary>The newest hundred attempts to pay an intent.</summary>
    public async Task<IReadOnlyList<global::Stripe.Charge>> ChargesAsync(StripeMode mode, string intent, CancellationToken token) =>
        (await StripeErrors.CallAsync(
            () => mode.Client.V1.Charges.ListAsync(new() { PaymentIntent = intent, Limit = 100 }, cancellationToken: token), log)).Data;

    public Task<PaymentIntent> IntentAsync(StripeMode mode, string id, CancellationToken token) =>
        StripeErrors.CallAsync(() => mode.Client.V1.PaymentIntents.GetAsync(id, cancellationToken: token), log);

    /// <summary>
    /// Throws <see cref="StripeRefusalException.UnexpectedState"/> when it cannot be cancelled at this moment. Each call has a key of its
    /// own: to cancel twice is to cancel once, and the answer of a day ago is not today's.
    /// </summary>
    public Task<PaymentIntent> CancelIntentAsync(StripeMode mode, Payment payment, CancellationToken token) =>
        StripeErrors.CallAsync(
            () => mode.Client.V1.PaymentIntents.CancelAsync(
                payment.Intent!, new() { CancellationReason = "abandoned" }, Keyed("cancel", Ids.New()), token),
            log);

    public Task<global::Stripe.Refund> CreateRefundAsync(StripeMode mode, string intent, Refund refund, CancellationToken token)
    {
        var options = new RefundCreateOptions
        {
            PaymentIntent = intent,
            Amount = refund.Cents,
            Metadata = new() { [RefundKey] = Ids.Show(Ids.Refund, refund.Id) },
        };
        return StripeErrors.CallAsync(() => mode.Client.V1.Refunds.CreateAsync(options, Keyed("refund", refund.Id), token), log);
    }

    public Task<global::Stripe.Refund> RefundAsync(StripeMode mode, string id, CancellationToken token) =>
        StripeErrors.CallAsync(() => mode.Client.V1.Refunds.GetAsync(id, cancellationToken: token), log);

    /// <summary>All refunds of a payment, which has as many as it has cents at most, and a thousand of them here.</summary>
    public Task<List<global::Stripe.Refund>> RefundsOfAsync(StripeMode mode, string intent, CancellationToken token) =>
        StripeErrors.CallAsync(
            async () => await mode.Client.V1.Refunds.ListAutoPagingAsync(
                new() { PaymentIntent = intent, Limit = PageSize }, cancellationToken: token).Take(MaxRefunds).ToListAsync(token),
            log);

    public Task<global::Stripe.Dispute> DisputeAsync(StripeMode mode, string id, CancellationToken token) =>
        StripeErrors.CallAsync(() => mode.Client.V1.Disputes.GetAsync(id, cancellationToken: token), log);

    public Task<global::Stripe.Tax.Calculation> TaxCalculationAsync(StripeMode mode, string id, CancellationToken token) =>
        StripeErrors.CallAsync(() => mode.Client.V1.Tax.Calculations.GetAsync(id, cancellationToken: token), log);

    /// <summary>
    /// A page of what Stripe has told from one moment to before another, newest first, each event as it stands there: its shape is that of
    /// its own version.
    /// </summary>
    public async Task<(IReadOnlyList<JsonElement> Events, bool More)> EventsAsync(
        StripeMode mode, DateTimeOffset from, DateTimeOffset to, string? after, CancellationToken token)
    {
        var options = new EventListOptions
        {
            Limit = PageSize,
            StartingAfter = after,
            Created = new DateRangeOptions { GreaterThanOrEqual = from.UtcDateTime, LessThan = to.UtcDateTime },
        };
        var page = await StripeErrors.CallAsync(() => mode.Client.V1.Events.ListAsync(options, cancellationToken: token), log);
        using var json = JsonDocument.Parse(page.StripeResponse.Content);
        return ([.. json.RootElement.GetProperty("data").EnumerateArray().Select(one => one.Clone())], page.HasMore);
    }

    /// <summary>One intention, one key.</summary>
    public static RequestOptions Keyed(string what, Guid row) => new() { IdempotencyKey = $"{what}-{row:N}" };
}
