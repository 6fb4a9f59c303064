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
    public const string PaymentKey = "llmgateway_payment", WalletKey = "llmgateway_wallet", RefundKey = "llmgateway_refund";

    const string Currency = "usd";

    /// <summary>What a round of the reconciler reads of Stripe's events at most.</summary>
    const int EventPage = 100;

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
        return StripeErrors.CallAsync(
            () => mode.Client.V1.PaymentIntents.CreateAsync(options, Keyed("payment", payment.Id), token), log);
    }

    public Task<PaymentIntent> IntentAsync(StripeMode mode, string id, CancellationToken token) =>
        StripeErrors.CallAsync(() => mode.Client.V1.PaymentIntents.GetAsync(id, cancellationToken: token), log);

    /// <summary>Throws <see cref="StripeRefusalException.UnexpectedState"/> when it cannot be cancelled any more.</summary>
    public Task<PaymentIntent> CancelIntentAsync(StripeMode mode, Payment payment, CancellationToken token) =>
        StripeErrors.CallAsync(
            () => mode.Client.V1.PaymentIntents.CancelAsync(
                payment.Intent!, new() { CancellationReason = "abandoned" }, Keyed("cancel", payment.Id), token),
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

    /// <summary>The newest hundred refunds of a payment.</summary>
    public async Task<IReadOnlyList<global::Stripe.Refund>> RefundsOfAsync(StripeMode mode, string intent, CancellationToken token) =>
        (await StripeErrors.CallAsync(
            () => mode.Client.V1.Refunds.ListAsync(new() { PaymentIntent = intent, Limit = 100 }, cancellationToken: token), log)).Data;

    public Task<global::Stripe.Dispute> DisputeAsync(StripeMode mode, string id, CancellationToken token) =>
        StripeErrors.CallAsync(() => mode.Client.V1.Disputes.GetAsync(id, cancellationToken: token), log);

    /// <summary>
    /// A page of what Stripe has told since a moment, newest first, each event as it stands there: its shape is that of its own version.
    /// </summary>
    public async Task<(IReadOnlyList<JsonElement> Events, bool More)> EventsAsync(
        StripeMode mode, DateTimeOffset since, string? after, CancellationToken token)
    {
        var options = new EventListOptions
        {
            Limit = EventPage,
            StartingAfter = after,
            Created = new DateRangeOptions { GreaterThanOrEqual = since.UtcDateTime },
        };
        var page = await StripeErrors.CallAsync(() => mode.Client.V1.Events.ListAsync(options, cancellationToken: token), log);
        using var json = JsonDocument.Parse(page.StripeResponse.Content);
        return ([.. json.RootElement.GetProperty("data").EnumerateArray().Select(one => one.Clone())], page.HasMore);
    }

    /// <summary>One intention, one key.</summary>
    public static RequestOptions Keyed(string what, Guid row) => new() { IdempotencyKey = $"{what}-{row:N}" };
}
