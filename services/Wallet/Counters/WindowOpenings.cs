using LlmGateway.ServiceDefaults;
using Npgsql;

namespace LlmGateway.Wallet;

/// <summary>
/// An opening says which client session took a unit of which counter. When that is long over, or its customer is erased, only how
/// many units there were is kept, with what else the counter was opened with (<c>counter_opening</c>).
/// </summary>
public static class WindowOpenings
{
    const int MaxAtOnce = 10_000;

    /// <summary>A client session that is open, or was a month ago, still has its row; see <see cref="TableRetention"/>.</summary>
    const string Over = """
        select register, session, created_at from window_opening opening
        where created_at < now() - interval '1 month' and not exists (select from session_window where id = opening.session)
        order by created_at limit $1
        """;

    const string OfCustomer = """
        select register, session, opening.created_at from window_opening opening join account on account.id = register where owner = $1
        """;

    public static Task FoldOverAsync(NpgsqlDataSource database, CancellationToken token) =>
        Rounds.UntilNotFullAsync(MaxAtOnce, () => FoldAsync(database, Over, MaxAtOnce, token));

    public static Task FoldOfAsync(NpgsqlDataSource database, Guid customer, CancellationToken token) =>
        FoldAsync(database, OfCustomer, customer, token);

    /// <summary>
    /// One statement, so that a proof sees all of it or nothing. What a seal has proved of the rows is not in its balance any more, because
    /// that leaves out what counters were opened with. Returns how many rows there were.
    /// </summary>
    static async Task<int> FoldAsync(NpgsqlDataSource database, string which, object value, CancellationToken token)
    {
        await using var connection = await database.OpenConnectionAsync(token);
        await using var transaction = await connection.BeginTransactionAsync(token);
        // A seal that is being written has the balances of a moment ago.
        await connection.RunAsync("select pg_advisory_xact_lock($1)", token, Seals.RoundLock);
        await using var fold = connection.Sql($"""
            with gone as (
                delete from window_opening where (register, session, created_at) in ({which}) returning register, created_at),
            folded as (
                select register, count(*) units, count(*) filter (where created_at < (select proved_at from sealed)) proved
                from gone where exists (select from account where id = register) group by register),
            opened as (
                insert into counter_opening (register, amount) select register, units from folded
                on conflict (register) do update set amount = counter_opening.amount + excluded.amount),
            unproved as (update seal set balance = balance - proved from folded where account = register)
            select count(*)::integer from gone
            """, value);
        fold.CommandTimeout = 0;
        var count = (int)(await fold.ExecuteScalarAsync(token))!;
        await transaction.CommitAsync(token);
        return count;
    }
}
