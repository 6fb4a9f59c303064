using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using Npgsql;

namespace LlmGateway.Wallet;

/// <summary><c>POST /internal/credits/balances</c>: what is left in balances of call credits. Those that are not open are absent.</summary>
public static class CreditBalances
{
    public static void MapCreditBalances(this WebApplication app) => app.MapPost("/internal/credits/balances", HandleAsync);

    static async Task<IResult> HandleAsync(HttpContext http, NpgsqlDataSource database)
    {
        var query = await Body.ReadAsync<CreditsQuery>(http);
        if (query.Balances.Count > CallCredits.MaxTypes)
            return Problems.Invalid("balances", $"at most {CallCredits.MaxTypes} balances at once");
        var left = new Dictionary<Guid, long>(query.Balances.Count);
        await using var command = database.Sql(
            "select id, shown_balance(account) from account where id = any($1) and kind = $2",
            query.Balances.ToArray(), (short)AccountKind.Credits);
        await using var row = await command.ExecuteReaderAsync(http.RequestAborted);
        while (await row.ReadAsync(http.RequestAborted))
            left.Add(row.GetGuid(0), row.GetInt64(1));
        return Results.Json(new CreditsLeft(left), Defaults.Json);
    }
}
