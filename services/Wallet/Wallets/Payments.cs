using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using Npgsql;

namespace LlmGateway.Wallet;

/// <summary>
/// For Billing: <c>POST /internal/posts</c>, <c>GET /internal/wallets/{wallet}</c>, <c>POST /internal/wallets/below</c>, <c>PUT
/// /internal/wallets/{wallet}/frozen</c>.
/// </summary>
public static class Payments
{
    public static void MapPayments(this WebApplication app)
    {
        app.MapPost("/internal/posts", BookAsync);
        app.MapGet("/internal/wallets/{wallet:guid}", StateAsync);
        app.MapPost("/internal/wallets/below", BelowAsync);
        app.MapPut("/internal/wallets/{wallet:guid}/frozen", SetFrozenAsync);
    }

    static async Task<IResult> BookAsync(HttpContext http, Writer writer, HotBalances balances)
    {
        var asked = await Body.ReadAsync<BookPayment>(http);
        if (asked.Net <= 0 || asked.Margin < 0 || asked.Fee < 0)
            return Problems.Invalid("net", "'net' must be above 0, 'margin' and 'fee' not below.");
        var type = Enum.Parse<PostType>(asked.Type.ToString());
        var legs = PostingRules.All[type].Legs.Length;
        if (legs == 1 && (asked.Margin, asked.Fee) != (0, 0))
            return Problems.Invalid("margin", $"{type} has the wallet's part alone");
        var answer = await writer.RunAsync(new Post(
            asked.Id,
            type,
            new(asked.Wallet, Unit.Usd, asked.Organization, asked.Project, asked.Customer, asked.Test),
            legs == 1 ? [asked.Net] : [asked.Net, asked.Margin, asked.Fee])
        {
            Reference = asked.Reference, Actor = ServiceCall.Billing, Lot = asked.Lot, WithoutDebt = asked.WithoutDebt,
            ExpiresAt = asked.ExpiresAt, Text = asked.Text, Undoes = asked.Undoes,
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
                Answer.NoLot none => new(none.Expired ? PaymentOutcome.Expired : PaymentOutcome.NoLot, 0),
                Answer.Done done => new(PaymentOutcome.Done, 0) { OwedPaid = OwedPaid(done, asked) },
                _ => new(PaymentOutcome.Done, 0),
            },
            Defaults.Json);
    }

    static long OwedPaid(Answer.Done done, BookPayment asked)
    {
        var receivable = HouseAccounts.Id(asked.Customer, AccountKind.Receivable, Unit.Usd, asked.Test);
        return done.Moved.Where(leg => leg.To == receivable).Sum(leg => leg.Amount);
    }

    static async Task<IResult> StateAsync(Guid wallet, HttpContext http, NpgsqlDataSource database)
    {
        await using var query = database.Sql("""
            select frozen, shown_balance(account) shown, reserved, organization, project, owner, test, frozen and frozen_by & $3 <> 0
            from account where id = $1 and kind = $2
            """, wallet, (short)AccountKind.Wallet, (short)Freezer.Billing);
        WalletState state;
        await using (var row = await query.ExecuteReaderAsync(http.RequestAborted))
        {
            if (!await row.ReadAsync(http.RequestAborted))
                return Problems.NotFound("wallet");
            state = new(row.GetBoolean(0), Math.Max(0, row.GetInt64(1) - row.GetInt64(2)), new Dictionary<Guid, long>())
            {
                Balance = row.GetInt64(1), Organization = row.GetGuid(3), Project = row.GetGuid(4), Customer = row.GetGuid(5),
                Test = row.GetBoolean(6), FrozenForDispute = row.GetBoolean(7),
            };
        }
        var lots = await WalletLots.ReadAsync(database, wallet, http.RequestAborted);
        return Results.Json(
            state with
            {
                Lots = lots.ToDictionary(lot => IdOf(lot.Id), lot => lot.Remaining.Nanos),
                Owed = await OwedAsync(state, database, http.RequestAborted),
            },
            Defaults.Json);

        static Guid IdOf(string shown) => Ids.TryParse(Ids.Lot, shown, out var id) ? id : throw new FormatException(shown);
    }

    static async Task<long> OwedAsync(WalletState of, NpgsqlDataSource database, CancellationToken token)
    {
        var receivable = HouseAccounts.Id(of.Customer, AccountKind.Receivable, Unit.Usd, of.Test);
        await using var query = database.Sql("select -posted from account where id = $1", receivable);
        return await query.ExecuteScalarAsync(token) is long owed ? Math.Max(0, owed) : 0;
    }

    static async Task<IResult> BelowAsync(HttpContext http, NpgsqlDataSource database)
    {
        var marks = (await Body.ReadAsync<BelowQuery>(http)).Marks;
        if (marks.Count > BelowQuery.MaxAtOnce)
            return Problems.Invalid("marks", $"at most {BelowQuery.MaxAtOnce} wallets at once");
        await using var query = database.Sql("""
            select id from unnest($1, $2) asked (wallet, mark) join account on id = asked.wallet
            where kind = $3 and shown_balance(account) < mark
            """,
            marks.Select(mark => mark.Wallet).ToArray(), marks.Select(mark => mark.Mark).ToArray(), (short)AccountKind.Wallet);
        await using var row = await query.ExecuteReaderAsync(http.RequestAborted);
        var below = new List<Guid>();
        while (await row.ReadAsync(http.RequestAborted))
            below.Add(row.GetGuid(0));
        return Results.Json(new BelowAnswer(below), Defaults.Json);
    }

    static async Task<IResult> SetFrozenAsync(Guid wallet, HttpContext http, Writer writer, RedisClient redis)
    {
        var frozen = (await Body.ReadAsync<SetFrozen>(http)).Frozen;
        if (await writer.RunAsync(new Freeze(wallet, frozen, Freezer.Billing) { Actor = ServiceCall.Billing }) is Answer.Refused)
            return Problems.NotFound("wallet");
        if (frozen)
            await redis.PublishAsync(Invalidation.Channel, new Invalidation(Invalidation.RegisterFrozen, wallet.ToString("N")));
        return Results.NoContent();
    }
}
