using LlmGateway.ServiceDefaults;

namespace LlmGateway.Billing;

/// <summary>
/// <c>POST /v1/wallet/payment-method</c> for a session, <c>POST /v1/wallets/{id}/payment-method</c> for a backend: the secret with which
/// the owner's page saves a card. It has no body. The setup that is open is given out again. Whose top-ups are frozen gets none: cards can
/// be tried on it as on a purchase.
/// </summary>
public static class SaveCard
{
    sealed record Answer(string ClientSecret, string PublishableKey);

    public static void MapSaveCard(this WebApplication app)
    {
        app.MapPost(
            "/v1/wallet/payment-method",
            (HttpContext http, SavedCards cards, StripeModes modes, LedgerClient ledger, Trust trust) =>
                HandleAsync(null, http, cards, modes, ledger, trust)).WithIdempotency().WithRefusals();
        app.MapPost(
            "/v1/wallets/{id}/payment-method",
            (string id, HttpContext http, SavedCards cards, StripeModes modes, LedgerClient ledger, Trust trust) =>
                HandleAsync(id, http, cards, modes, ledger, trust)).WithIdempotency().WithRefusals();
    }

    static async Task<IResult> HandleAsync(
        string? id, HttpContext http, SavedCards cards, StripeModes modes, LedgerClient ledger, Trust trust)
    {
        var owner = await WalletOwner.FindAsync(http, id, ledger, http.RequestAborted);
        var mode = owner.ModeOf(modes);
        if ((await trust.OfAsync(mode, owner.Project, owner.Customer, http.RequestAborted)).RefuseFrozen() is { } frozen)
            return frozen;
        var setup = await cards.BeginAsync(mode, owner, http.RequestAborted);
        return Results.Json(new Answer(setup.ClientSecret, mode.PublishableKey), Defaults.Json);
    }
}
