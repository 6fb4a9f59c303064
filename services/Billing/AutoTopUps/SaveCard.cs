using LlmGateway.ServiceDefaults;

namespace LlmGateway.Billing;

/// <summary>
/// <c>POST /v1/wallet/payment-method</c> for a session, <c>POST /v1/wallets/{id}/payment-method</c> for a backend: the secret with which
/// the owner's page saves a card. It has no body. The setup that is open is given out again.
/// </summary>
public static class SaveCard
{
    sealed record Answer(string ClientSecret, string PublishableKey);

    public static void MapSaveCard(this WebApplication app)
    {
        app.MapPost("/v1/wallet/payment-method", (HttpContext http, SavedCards cards, StripeModes modes, LedgerClient ledger) =>
            HandleAsync(null, http, cards, modes, ledger)).WithIdempotency();
        app.MapPost(
            "/v1/wallets/{id}/payment-method",
            (string id, HttpContext http, SavedCards cards, StripeModes modes, LedgerClient ledger) =>
                HandleAsync(id, http, cards, modes, ledger)).WithIdempotency();
    }

    static async Task<IResult> HandleAsync(string? id, HttpContext http, SavedCards cards, StripeModes modes, LedgerClient ledger)
    {
        var owner = await WalletOwner.FindAsync(http, id, ledger, http.RequestAborted);
        var mode = owner.ModeOf(modes);
        var setup = await cards.BeginAsync(mode, owner, http.RequestAborted);
        return Results.Json(new Answer(setup.ClientSecret, mode.PublishableKey), Defaults.Json);
    }
}
