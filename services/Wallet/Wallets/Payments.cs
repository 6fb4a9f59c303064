using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using Npgsql;

namespace LlmGateway.Wallet;

/// <summary>
/// For Billing: <c>POST /internal/posts</c>, <c>GET /internal/wallets/{wallet}</c>, <c>PUT /internal/wallets/{wallet}/frozen</c>.
/// </summary>
public static class Payments
{
    public static void MapPayments(this WebApplication app)
    {
        app.MapPost("/internal/posts", BookAsync);
        app.MapGet("/internal/wallets/{wallet:guid}", StateAsync);
        app.MapPut("/internal/wallets/{wallet:guid}/frozen", SetFrozenAsync);
    }

    static async Task<IResult> BookAsync(HttpContext http, Writer writer, HotBalances balances)
    {
        var asked = await Body.ReadAsync<BookPayment>(http);
        if (asked.Net <= 0 || asked.Margin < 0 || asked.Fee < 0)
            return Problems.Invalid("net", "the wallet's part is above 0, the others are not below");
        var answer = await writer.RunAsync(new Post(
            asked.Id,
            Enum.Parse<PostType>(asked.Type.ToString()),
            new(asked.Wallet, Unit.Usd, asked.Organization, asked.Project, asked.Customer, asked.Test),
            [asked.Net, asked.Margin, asked.Fee])
        {
            Reference = asked.Reference, Actor = ServiceCall.Billing, Lot = asked.Lot, WithoutDebt = asked.WithoutDebt,
        });
        Failpoint.Hit("wallet.payment.booked");
        // Whoever is told of it sees it.
        await balances.RefreshAsync(asked.Wallet, http.RequestAborted);
        return Results.Json(
            answer switch
            {
                Answer.Refused { Reason: RefusalReason.Unknown } => new BookedPayment(PaymentOutcome.UnknownWallet, 0),
                Answer.Refused refused => new(PaymentOutcome.NotEnough, refused.Available),
                Answer.Differs => new(PaymentOutcome.IdUsed, 0),
                _ => new(PaymentOutcome.Done, 0),
            },
            Defaults.Json);
    }

    static async Task<IResult> StateAsync(Guid wallet, HttpContext http, NpgsqlDataSource database)
    {
        await using var query = database.Sql(
            "select frozen, shown_balance(account) - reserved from account where id = $1 and kind = $2", wallet, (short)AccountKind.Wallet);
        (bool Frozen, long Free) state;
        await using (var row = await query.ExecuteReaderAsync(http.RequestAborted))
        {
            if (!await row.ReadAsync(http.RequestAborted))
                return Problems.NotFound("wallet");
            state = (row.GetBoolean(0), Math.Max(0, row.GetInt64(1)));
        }
        var lots = await WalletLots.ReadAsync(database, wallet, http.RequestAborted);
        return Results.Json(
            new WalletState(state.Frozen, state.Free, lots.ToDictionary(lot => IdOf(lot.Id), lot => lot.Remaining.Nanos)), Defaults.Json);

        static Guid IdOf(string shown) => Ids.TryParse(Ids.Lot, shown, out var id) ? id : throw new FormatException(shown);
    }

    static async Task<IResult> SetFrozenAsync(Guid wallet, HttpContext http, Writer writer, RedisClient redis)
    {
        var frozen = (await Body.ReadAsync<SetFrozen>(http)).Frozen;
        if (await writer.RunAsync(new Freeze(wallet, frozen)) is Answer.Refused)
            return Problems.NotFound("wallet");
        if (frozen)
            await redis.PublishAsync(Invalidation.Channel, new Invalidation(Invalidation.RegisterFrozen, wallet.ToString("N")));
        return Results.NoContent();
    }
}
