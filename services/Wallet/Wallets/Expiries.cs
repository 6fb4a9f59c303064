using LlmGateway.ServiceDefaults;
using Npgsql;

namespace LlmGateway.Wallet;

/// <summary>
/// Books what has expired of balances before a statement of them is read, so that its last line is the balance that is shown. Nothing else
/// depends on it: each command on a balance does the same.
/// </summary>
public static class Expiries
{
    public static async Task BookAsync(
        NpgsqlDataSource database, Writer writer, IReadOnlyCollection<Guid> balances, CancellationToken token)
    {
        await using var query = database.Sql(
            "select id from account where id = any($1) and lots > 0 and shown_balance(account) <> posted", balances.ToArray());
        var due = new List<Command>();
        await using (var row = await query.ExecuteReaderAsync(token))
            while (await row.ReadAsync(token))
                due.Add(new BookExpiry(row.GetGuid(0)));
        await writer.RunAsync(due);
    }
}
