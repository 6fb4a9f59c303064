using LlmGateway.ServiceDefaults;
using Npgsql;

namespace LlmGateway.Wallet;

/// <summary>
/// <c>POST /internal/customers/{customer}/erase</c>: what says who a customer is, or quotes it, is owed to leave the ledger, and
/// <see cref="Erasures"/> does that. Its movements, entries and usage records name it by a number, and stay. Asked again soon it does
/// nothing, and later it does the same for what has come since then.
/// </summary>
public static class EraseCustomer
{
    /// <summary>A customer is read through once in this time at most, however often it is asked for.</summary>
    static readonly TimeSpan AgainAfter = TimeSpan.FromHours(1);

    public static void MapEraseCustomer(this WebApplication app) => app.MapPost(
        "/internal/customers/{customer:guid}/erase",
        async (Guid customer, NpgsqlDataSource database, CancellationToken token) =>
        {
            await using var owe = database.Sql("""
                insert into erasure (customer, due_at) values ($1, now())
                on conflict (customer) do update set step = 0, after_id = null, after_number = null, due_at = now(), done_at = null
                where erasure.done_at < now() - $2
                """, customer, AgainAfter);
            await owe.ExecuteNonQueryAsync(token);
            Failpoint.Hit("wallet.erasure.owed");
            return Results.NoContent();
        });
}
