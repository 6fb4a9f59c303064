using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using Npgsql;

namespace LlmGateway.Billing;

/// <summary>
/// <c>GET /v1/promotions/{id}</c>: one of the project's. <c>DELETE</c> ends it: from then on nobody redeems it. What was redeemed stays,
/// and so does the code, which is no other promotion's.
/// </summary>
public static class EndPromotion
{
    public static void MapEndPromotion(this WebApplication app)
    {
        app.MapGet("/v1/promotions/{id}", GetAsync).WithQuery();
        app.MapDelete("/v1/promotions/{id}", DeleteAsync);
    }

    static async Task<IResult> GetAsync(string id, HttpContext http, NpgsqlDataSource database, CancellationToken token) =>
        await FindAsync(id, http, database, token) is { } promotion
            ? Results.Json(CreatePromotion.Show(promotion), Defaults.Json)
            : Problems.NotFound("promotion");

    static async Task<IResult> DeleteAsync(string id, HttpContext http, NpgsqlDataSource database, CancellationToken token)
    {
        if (await FindAsync(id, http, database, token) is not { } promotion)
            return Problems.NotFound("promotion");
        await Promotion.ChangeAsync(
            database, http, promotion.Id,
            connection => connection.ChangeAsync(
                "update promotion set ended_at = now() where id = $1 and ended_at is null", token, promotion.Id),
            token);
        return Results.NoContent();
    }

    /// <summary>Another project's and one that does not exist look the same.</summary>
    static async Task<Promotion?> FindAsync(string id, HttpContext http, NpgsqlDataSource database, CancellationToken token)
    {
        var caller = http.Backend();
        return Ids.TryParse(Ids.Promotion, id, out var known) && await Promotion.FindAsync(database, known, token) is { } promotion
            && (promotion.Project, promotion.Test) == (caller.Project, caller.Test)
                ? promotion
                : null;
    }
}
