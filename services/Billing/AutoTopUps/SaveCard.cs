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
        foreach (var path in (string[])["/v1/wallet/payment-method", "/v1/wallets/{id}/payment-method"])
            app.MapPost(path, HandleAsync).WithIdempotency().WithRefusals();
    }

    /// <summary>A backend may know the wallet of a customer that is deleted; no card is saved for that.</summary>
    static async Task<IResult> HandleAsync(
        HttpContext http, SavedCards cards, StripeModes modes, LedgerClient ledger, SessionsClient sessions, Trust trust,
        CancellationToken token)
    {
        var owner = await WalletOwner.FindAsync(http, http.Request.RouteValues["id"] as string, ledger, token);
        var mode = owner.ModeOf(modes);
        if (await sessions.TermsAsync(owner.Project, token, owner.Customer) is not { CustomerActive: true })
            return Problems.NotFound("wallet");
        if ((await trust.OfAsync(mode, owner.Project, owner.Customer, token)).RefuseFrozen() is { } frozen)
            return frozen;
        var setup = await cards.BeginAsync(mode, owner, token);
        return Results.Json(new Answer(setup.ClientSecret, mode.PublishableKey), Defaults.Json);
    }
}
