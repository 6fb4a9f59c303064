using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using Npgsql;

namespace LlmGateway.Wallet;

/// <summary>
/// The routes of one wallet: <c>/v1/wallets/{id}</c>, <c>/credit</c>, <c>/debit</c>, <c>/freeze</c>, <c>/unfreeze</c>.
/// </summary>
public static class Wallets
{
    /// <summary>A larger grant is taken for a typing error (10 million dollars).</summary>
    static readonly Money MaxAmount = Money.Usd(10_000_000);

    const int MaxReason = 500;

    public sealed record Adjustment(Money Amount, string? Reason = null, string? Kind = null, DateTimeOffset? ExpiresAt = null);

    /// <param name="Owed">What its customer owes, which its next top-up pays first.</param>
    public sealed record View(string Id, string EndCustomerId, Money Balance, string Currency, string Status, Money Owed);

    public static void MapWallets(this WebApplication app)
    {
        var wallets = app.MapGroup("/v1/wallets/{id}");
        wallets.MapGet("", DetailAsync).WithQuery();
        wallets.MapPost("/credit", CreditAsync).WithIdempotency();
        wallets.MapPost("/debit", DebitAsync).WithIdempotency();
        wallets.MapPost("/freeze", FreezeAsync).WithIdempotency();
        wallets.MapPost("/unfreeze", UnfreezeAsync).WithIdempotency();
    }

    static async Task<IResult> DetailAsync(string id, HttpContext http, NpgsqlDataSource database)
    {
        if (await FindAsync(id, http, database) is not { } view)
            return Problems.NotFound("wallet");
        Ids.TryParse(Ids.Wallet, id, out var wallet);
        var lots = await WalletLots.ReadAsync(database, wallet, http.RequestAborted);
        return Results.Json(
            new { view.Id, view.EndCustomerId, view.Balance, view.Currency, view.Status, view.Owed, lots }, Defaults.Json);
    }

    static async Task<IResult> ShowAsync(string id, HttpContext http, NpgsqlDataSource database) =>
        await FindAsync(id, http, database) is { } wallet ? Results.Json(wallet, Defaults.Json) : Problems.NotFound("wallet");

    static Task<IResult> CreditAsync(string id, HttpContext http, NpgsqlDataSource database, Writer writer, HotBalances balances) =>
        AdjustAsync(id, PostType.Grant, http, database, writer, balances);

    static Task<IResult> DebitAsync(string id, HttpContext http, NpgsqlDataSource database, Writer writer, HotBalances balances) =>
        AdjustAsync(id, PostType.Debit, http, database, writer, balances);

    static Task<IResult> FreezeAsync(string id, HttpContext http, NpgsqlDataSource database, Writer writer, RedisClient redis) =>
        SetFrozenAsync(id, true, http, database, writer, redis);

    static Task<IResult> UnfreezeAsync(string id, HttpContext http, NpgsqlDataSource database, Writer writer, RedisClient redis) =>
        SetFrozenAsync(id, false, http, database, writer, redis);

    static async Task<IResult> AdjustAsync(
        string id, PostType type, HttpContext http, NpgsqlDataSource database, Writer writer, HotBalances balances)
    {
        var input = await Body.ReadAsync<Adjustment>(http);
        if (input.Amount.Nanos <= 0 || input.Amount.Nanos > MaxAmount.Nanos)
            return Problems.Invalid("amount", $"'amount' must be above 0 and at most {MaxAmount} USD.");
        if (input.Reason is { Length: > MaxReason })
            return Problems.Invalid("reason", $"'reason' may have at most {MaxReason} characters.");
        if (type != PostType.Debit && input.Kind is not (null or "grant" or "promotion"))
            return Problems.Invalid("kind", "'kind' must be grant or promotion.");
        if (type == PostType.Debit && (input.Kind is not null || input.ExpiresAt is not null))
            return Problems.Invalid(
                input.Kind is null ? "expiresAt" : "kind", $"'{(input.Kind is null ? "expiresAt" : "kind")}' is for credits only.");
        if (await FindAsync(id, http, database) is not { } view)
            return Problems.NotFound("wallet");

        var principal = http.Backend();
        Ids.TryParse(Ids.Wallet, id, out var wallet);
        Ids.TryParse(Ids.Customer, view.EndCustomerId, out var customer);
        var path = $"/v1/wallets/{Ids.Show(Ids.Wallet, wallet)}/{(type == PostType.Debit ? "debit" : "credit")}";
        var answer = await writer.RunAsync(new Post(
            Idempotency.EffectId(http, principal, path),
            input.Kind == "promotion" ? PostType.Promotion : type,
            new(wallet, Unit.Usd, principal.Organization, principal.Project, customer, principal.Test),
            [input.Amount.Nanos])
        {
            Actor = principal.Actor(), Text = input.Reason, ExpiresAt = ToMilliseconds(input.ExpiresAt),
        });
        Failpoint.Hit("wallet.adjusted");
        await balances.RefreshAsync(wallet, http.RequestAborted);
        return answer switch
        {
            Answer.Refused refused => Problems.WalletExhausted(
                $"The wallet has {new Money(refused.Available)} USD available; {input.Amount} USD cannot be taken from it.")
                with { Param = "amount" },
            Answer.Differs => Problems.IdempotencyReused,
            Answer.NoLot { Expired: true } => Problems.Invalid("expiresAt", "'expiresAt' must be in the future."),
            Answer.NoLot => Problems.Conflict(
                "too_many_lots", $"The wallet has {Ledger.MaxLots} lots already: spend or let expire some first.", "expiresAt"),
            _ => await ShowAsync(id, http, database),
        };
    }

    /// <summary>As it is shown: the database keeps less than the clock's ticks.</summary>
    static DateTimeOffset? ToMilliseconds(DateTimeOffset? moment) =>
        moment is { } time ? DateTimeOffset.FromUnixTimeMilliseconds(time.ToUnixTimeMilliseconds()) : null;

    static async Task<IResult> SetFrozenAsync(
        string id, bool frozen, HttpContext http, NpgsqlDataSource database, Writer writer, RedisClient redis)
    {
        if (await FindAsync(id, http, database) is null)
            return Problems.NotFound("wallet");
        Ids.TryParse(Ids.Wallet, id, out var wallet);
        await writer.RunAsync(new Freeze(wallet, frozen) { Actor = http.Backend().Actor(), RequestId = http.RequestId() });
        if (frozen)
            await redis.PublishAsync(Invalidation.Channel, new Invalidation(Invalidation.RegisterFrozen, wallet.ToString("N")));
        return await ShowAsync(id, http, database);
    }

    /// <summary>
    /// The wallet for a backend of its project; null when it does not exist or belongs to another project, which must look the same.
    /// </summary>
    public static async Task<View?> FindAsync(string id, HttpContext http, NpgsqlDataSource database)
    {
        var principal = http.Backend();
        if (!Ids.TryParse(Ids.Wallet, id, out var wallet))
            return null;
        await using var query = database.Sql($"""
            select account.owner, shown_balance(account), account.frozen, {Debts.Owed} from account {Debts.Join}
            where account.id = $1 and account.kind = $2 and account.project = $3 and account.test = $4
            """, wallet, (short)AccountKind.Wallet, principal.Project, principal.Test);
        await using var row = await query.ExecuteReaderAsync(http.RequestAborted);
        return await row.ReadAsync(http.RequestAborted)
            ? new(
                id, Ids.Show(Ids.Customer, row.GetGuid(0)), new Money(row.GetInt64(1)), "USD", row.GetBoolean(2) ? "frozen" : "active",
                new Money(row.GetInt64(3)))
            : null;
    }
}
