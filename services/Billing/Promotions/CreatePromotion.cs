using System.Globalization;
using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using Npgsql;

namespace LlmGateway.Billing;

/// <summary>
/// <c>POST /v1/promotions {code, amount, expiresAt?, lotDays?, maxRedemptions, perCustomer?}</c>: a code that gives credit, which the
/// developer's organization grants. <c>GET /v1/promotions</c>: the project's, newest first; <c>cursor</c> is the last one's creation, as it
/// was answered.
/// </summary>
public static class CreatePromotion
{
    const int MaxLotDays = 3650, MostRedemptions = 10_000_000, MostPerCustomer = 100, DefaultPage = 50, MaxPage = 200;

    public sealed record Request(
        string Code, Money Amount, int MaxRedemptions, DateTimeOffset? ExpiresAt = null, int? LotDays = null, int PerCustomer = 1);

    /// <param name="EndedAt">When its developer has ended it.</param>
    public sealed record View(
        string Id, string Code, Money Amount, string Currency, DateTimeOffset? ExpiresAt, int? LotDays, int MaxRedemptions,
        int PerCustomer, int Redeemed, DateTimeOffset CreatedAt, DateTimeOffset? EndedAt);

    public static void MapCreatePromotion(this WebApplication app)
    {
        app.MapPost("/v1/promotions", CreateAsync).WithIdempotency();
        app.MapGet("/v1/promotions", ListAsync).WithQuery("cursor", "limit");
    }

    static async Task<IResult> CreateAsync(HttpContext http, NpgsqlDataSource database, TimeProvider time, CancellationToken token)
    {
        var caller = http.Backend();
        var input = await Body.ReadAsync<Request>(http);
        if (Refuse(input, time.GetUtcNow()) is { } refused)
            return refused;
        var (id, code) = (Idempotency.EffectId(http, caller, "/v1/promotions"), Promotion.CodeOf(input.Code)!);
        await Promotion.ChangeAsync(
            database, http, id,
            connection => connection.ChangeAsync("""
                insert into promotion (
                    id, organization, project, test, code, amount, expires_at, lot_days, max_redemptions, per_customer)
                values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) on conflict do nothing
                """, token,
                id, caller.Organization, caller.Project, caller.Test, code, input.Amount.Nanos,
                input.ExpiresAt?.ToUniversalTime(), input.LotDays, input.MaxRedemptions,
                input.PerCustomer),
            token);
        if (await Promotion.FindAsync(database, id, token) is not { } made)
            return Problems.Conflict("promotion_exists", $"There is a promotion with the code '{code}' already.", "code");
        return IsOf(input, made)
            ? Results.Json(Show(made), Defaults.Json, statusCode: StatusCodes.Status201Created)
            : Problems.IdempotencyReused;
    }

    /// <summary>The database keeps less of a moment than the clock's ticks.</summary>
    static bool IsOf(Request input, Promotion known) =>
        (Promotion.CodeOf(input.Code), input.Amount.Nanos, input.LotDays, input.MaxRedemptions, input.PerCustomer)
            == (known.Code, known.Amount, known.LotDays, known.MaxRedemptions, known.PerCustomer)
        && input.ExpiresAt.HasValue == known.ExpiresAt.HasValue
        && !((input.ExpiresAt - known.ExpiresAt)?.Duration() >= TimeSpan.FromMilliseconds(1));

    static Problem? Refuse(Request input, DateTimeOffset now) =>
        Promotion.CodeOf(input.Code) is null ? Problems.Invalid(
            "code", $"'code' must be {Promotion.MinCode} to {Promotion.MaxCode} letters, digits, '-' and '_' of ASCII.")
        : input.Amount.Nanos <= 0 || input.Amount.Nanos > Quote.Most.Nanos
            ? Problems.Invalid("amount", $"'amount' must be above 0 and at most {Quote.Most} USD.")
        : input.Amount.Nanos % Quote.NanosPerCent != 0 ? Problems.Invalid("amount", "'amount' must have at most two decimals.")
        : input.ExpiresAt <= now ? Problems.Invalid("expiresAt", "'expiresAt' must be in the future.")
        : input.LotDays is < 1 or > MaxLotDays ? Problems.Invalid("lotDays", $"'lotDays' must be from 1 to {MaxLotDays}.")
        : input.MaxRedemptions is < 1 or > MostRedemptions
            ? Problems.Invalid("maxRedemptions", $"'maxRedemptions' must be from 1 to {MostRedemptions}.")
        : input.PerCustomer is < 1 or > MostPerCustomer
            ? Problems.Invalid("perCustomer", $"'perCustomer' must be from 1 to {MostPerCustomer}.")
        : null;

    static async Task<IResult> ListAsync(HttpContext http, NpgsqlDataSource database, CancellationToken token)
    {
        var caller = http.Backend();
        var query = new ListQuery(http.Request.Query);
        var (before, page) = (query.Time("cursor") ?? DateTimeOffset.MaxValue, query.Limit(DefaultPage, MaxPage));
        var found = await Promotion.ReadAsync(
            database.Sql($"""
                select {Promotion.Columns} from promotion where project = $1 and test = $2 and created_at < $3
                order by created_at desc limit $4
                """, caller.Project, caller.Test, before.ToUniversalTime(), page),
            token);
        var next = found.Count == page ? found[^1].CreatedAt.UtcDateTime.ToString("O", CultureInfo.InvariantCulture) : null;
        return Results.Json(new { promotions = found.Select(Show), nextCursor = next }, Defaults.Json);
    }

    public static View Show(Promotion one) => new(
        Ids.Show(Ids.Promotion, one.Id), one.Code, new(one.Amount), "USD", one.ExpiresAt, one.LotDays, one.MaxRedemptions,
        one.PerCustomer, one.Redeemed, one.CreatedAt, one.EndedAt);
}
