using LlmGateway.ServiceDefaults;
using Npgsql;

namespace LlmGateway.Billing;

/// <summary>
/// <c>GET|DELETE /v1/wallet/payment-method</c> for a session, <c>/v1/wallets/{id}/payment-method</c> for a backend: the card that is saved,
/// and its removal, also of a frozen wallet. Without a card nothing is charged by itself, so that is turned off first.
/// </summary>
public static class RemoveCard
{
    sealed record View(CardView? Card);

    public static void MapRemoveCard(this WebApplication app)
    {
        foreach (var path in (string[])["/v1/wallet/payment-method", "/v1/wallets/{id}/payment-method"])
        {
            app.MapGet(path, GetAsync).WithQuery();
            app.MapDelete(path, DeleteAsync).WithRefusals();
        }
    }

    static async Task<IResult> GetAsync(
        HttpContext http, SavedCards cards, StripeModes modes, LedgerClient ledger, CancellationToken token)
    {
        var owner = await WalletOwner.FindAsync(http, http.Request.RouteValues["id"] as string, ledger, token);
        var card = modes.Of(owner.Test) is { } mode ? await cards.CardAsync(owner.Wallet, mode.Livemode, token) : null;
        return Results.Json(new View(card?.Shown), Defaults.Json);
    }

    static async Task<IResult> DeleteAsync(
        HttpContext http, NpgsqlDataSource database, SavedCards cards, AutoTopUps topUps, StripeModes modes, LedgerClient ledger,
        CancellationToken token)
    {
        var owner = await WalletOwner.FindAsync(http, http.Request.RouteValues["id"] as string, ledger, token);
        if (modes.Of(owner.Test) is not { } mode)
            return StartTopUp.NotSetUp(owner.Test);
        await SetAutoTopUp.TurnOffAsync(http, owner, database, topUps, token);
        await cards.RemoveAsync(mode, owner, http, token);
        return Results.NoContent();
    }
}
