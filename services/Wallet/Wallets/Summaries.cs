using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using Npgsql;

namespace LlmGateway.Wallet;

/// <summary><c>POST /internal/wallets/summaries</c>: balances and lifetime sums of many customers.</summary>
public static class Summaries
{
    const int RecentEntries = 20;

    public static void MapSummaries(this WebApplication app) => app.MapPost("/internal/wallets/summaries", HandleAsync);

    static async Task<IResult> HandleAsync(HttpContext http, NpgsqlDataSource database, Writer writer)
    {
        var query = await Body.ReadAsync<WalletSummariesQuery>(http);
        if (query.Wallets.Count > WalletSummariesQuery.MaxIds)
            return Problems.Invalid("wallets", $"at most {WalletSummariesQuery.MaxIds} wallets at once");

        var summaries = new List<WalletSummary>(query.Wallets.Count);
        await using var command = database.Sql($"""
            select account.id, shown_balance(account), account.frozen, account.spent, account.topped_up, {Debts.Owed}
            from account {Debts.Join} where account.id = any($1) and account.kind = $2
            """, query.Wallets.ToArray(), (short)AccountKind.Wallet);
        await using (var row = await command.ExecuteReaderAsync(http.RequestAborted))
        {
            while (await row.ReadAsync(http.RequestAborted))
                summaries.Add(new(
                    row.GetGuid(0), new(row.GetInt64(1)), row.GetBoolean(2), new(row.GetInt64(3)), new(row.GetInt64(4)), null)
                {
                    Owed = new(row.GetInt64(5)),
                });
        }
        if (query.WithLedger)
        {
            await Expiries.BookAsync(database, writer, query.Wallets, http.RequestAborted);
            var recent = (await Statement.RecentAsync(database, [.. query.Wallets], RecentEntries, http.RequestAborted))
                .ToDictionary(wallet => wallet.Id, wallet => wallet.Lines);
            summaries = summaries.ConvertAll(summary => summary with { RecentLedger = recent[summary.Id] });
        }
        return Results.Json(new { summaries }, Defaults.Json);
    }
}
