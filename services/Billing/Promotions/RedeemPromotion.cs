using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using Npgsql;

namespace LlmGateway.Billing;

/// <summary>
/// <c>POST /v1/wallet/redeem {code}</c>: gives a session's wallet what the code is worth, as a lot of its own. Whoever has had all that one
/// customer may have gets the latest answer again.
/// </summary>
public static class RedeemPromotion
{
    public sealed record Request(string Code);

    /// <param name="AlreadyRedeemed">An earlier call has given it: the wallet gets nothing more.</param>
    sealed record Answer(
        string Id, string Code, Money Amount, string Currency, DateTimeOffset? ExpiresAt, DateTimeOffset RedeemedAt, bool AlreadyRedeemed);

    public static void MapRedeemPromotion(this WebApplication app) => app.MapPost("/v1/wallet/redeem", HandleAsync).WithIdempotency();

    static async Task<IResult> HandleAsync(
        HttpContext http, NpgsqlDataSource database, LedgerClient ledger, Redemptions redemptions, TimeProvider time,
        CancellationToken token)
    {
        var caller = http.EndUser();
        var input = await Body.ReadAsync<Request>(http);
        var owner = await WalletOwner.FindAsync(http, id: null, ledger, token);
        if (owner.State.Frozen)
            return Problems.WalletFrozen;
        if (Promotion.CodeOf(input.Code) is not { } code
            || await Promotion.FindAsync(database, owner.Project, owner.Test, code, token) is not { } promotion)
            return Problems.NotFound("promotion") with { Param = "code" };
        var id = Idempotency.EffectId(http, caller, "/v1/wallet/redeem");
        if (await redemptions.ClaimAsync(id, promotion.Id, owner, token) is not { } redemption)
            return promotion.EndedAt is not null || promotion.ExpiresAt <= time.GetUtcNow()
                ? Problems.Conflict("promotion_expired", "This promotion has ended.", "code")
                : Problems.Conflict("promotion_used_up", "This promotion has been redeemed as often as it can be.", "code");
        if (redemption.Promotion != promotion.Id)
            return Problems.IdempotencyReused;
        return await redemptions.BookAsync(promotion, redemption, token) switch
        {
            PaymentOutcome.NoLot => Problems.Conflict(
                "too_many_lots", "The wallet has too many lots. Spend some, and redeem again: the code is kept for this wallet.", "code"),
            PaymentOutcome.Expired => Problems.Conflict("promotion_expired", "What this promotion has given has expired.", "code"),
            _ => Results.Json(
                new Answer(
                    Ids.Show(Ids.Redemption, redemption.Id), code, new(promotion.Amount), "USD", redemption.ExpiresAt,
                    redemption.CreatedAt, redemption.Id != id && redemption.Status == Redemption.Booked),
                Defaults.Json),
        };
    }
}
