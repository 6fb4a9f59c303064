using LlmGateway.ServiceDefaults;
using Npgsql;

namespace LlmGateway.Wallet;

/// <summary>
/// <c>POST /internal/customers/{customer}/erase</c>: what says who a customer is, or quotes it, leaves the ledger. Its movements, entries
/// and usage records name it by a number, and stay. It may be repeated, and goes on when its caller has left.
/// </summary>
public static class EraseCustomer
{
    static readonly string[] Statements =
    [
        "delete from paid_call where owner = $1",
        "delete from session_window where owner = $1",
        """
        update note set text = null where text is not null and transfer in (
            select transfer from entry where account in (select id from account where owner = $1 and kind not between 2 and 6))
        """,
        "delete from usage_raw raw using usage_record used where used.request_id = raw.request_id and used.customer = $1",
    ];

    public static void MapEraseCustomer(this WebApplication app) =>
        app.MapPost("/internal/customers/{customer:guid}/erase", HandleAsync);

    static async Task<IResult> HandleAsync(Guid customer, NpgsqlDataSource database)
    {
        await using (var connection = await database.OpenConnectionAsync(CancellationToken.None))
            foreach (var statement in Statements)
                await connection.RunAsync(statement, CancellationToken.None, customer);
        await WindowOpenings.FoldOfAsync(database, customer, CancellationToken.None);
        return Results.NoContent();
    }
}
