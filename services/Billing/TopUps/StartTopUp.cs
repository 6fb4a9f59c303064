using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;

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

    /// <param name="NetCredited">What the wallet gets, by what its customer owes now.</param>
    /// <param name="OwedPaid">What pays that first.</param>
    sealed record Answer(
        string ClientSecret, Money TotalAmount, Money NetCredited, Money OwedPaid, bool IsInternational, string PublishableKey, string Id);

    public static void MapStartTopUp(this WebApplication app) =>
        app.MapPost("/v1/wallet/top-up", HandleAsync).WithIdempotency().WithRefusals();

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
        if ((await trust.OfAsync(mode, caller.Project, customer, token)).RefusePurchase(input.Amount) is { } distrust)
            return distrust;
        var quote = Quote.Of(input.Amount, terms.MarkupPpm, terms.PlatformFeePpm);
        var wanted = new Payment(
            default, caller.Organization, caller.Project, customer, wallet, caller.Test, mode.Livemode, quote.Amount, quote.Cents,
            quote.Parts, Payment.New, null, default);
        for (var i = 0; i < MaxAttempts; i++)
            switch (await purchases.OpenAsync(mode, wanted with { Id = Ids.New() }, token))
            {
                case ({ Status: Payment.Open } payment, { } intent):
                    var owedPaid = Math.Min(payment.Parts.Net, state.Owed);
                    return Results.Json(
                        new Answer(
                            intent.ClientSecret, new(payment.Parts.Sum), new(payment.Parts.Net - owedPaid), new(owedPaid), false,
                            mode.PublishableKey, Ids.Show(Ids.Payment, payment.Id)),
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
