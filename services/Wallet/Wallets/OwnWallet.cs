using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using Npgsql;

namespace LlmGateway.Wallet;

/// <summary><c>GET /v1/wallet/balance</c>: what an end user sees of their own wallet. A frozen wallet stays readable.</summary>
public static class OwnWallet
{
    const int RecentEntries = 10;

    public static void MapOwnWallet(this WebApplication app) => app.MapGet("/v1/wallet/balance", HandleAsync);

    static async Task<IResult> HandleAsync(HttpContext http, NpgsqlDataSource database, Writer writer)
    {
        if (http.EndUser().Wallet is not { } wallet)
            return Problems.NotFound("wallet");
        await Expiries.BookAsync(database, writer, [wallet], http.RequestAborted);
        await using var query = database.Sql("select shown_balance(account) from account where id = $1", wallet);
        if (await query.ExecuteScalarAsync(http.RequestAborted) is not long posted)
            return Problems.NotFound("wallet");
        var lines = await Statement.ReadAsync(database, wallet, RecentEntries, null, null, null, http.RequestAborted);
        return Results.Json(
            new
            {
                balance = new Money(posted),
                currency = "USD",
                recentLedger = lines.Select(line => line.Line),
                limits = Array.Empty<object>(),
            },
            Defaults.Json);
    }
}
