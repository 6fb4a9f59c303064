using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using Npgsql;

namespace LlmGateway.Wallet;

/// <summary>
/// An opening says which client session took a unit of which counter. When that is long over, or its customer is erased, only how
/// many units there were is kept, with what else the counter was opened with (<c>counter_opening</c>).
/// </summary>
public static class WindowOpenings
{
    public const int MaxAtOnce = 10_000;

    /// <summary>A client session that is open, or was a month ago, still has its row; see <see cref="TableRetention"/>.</summary>
    const string Over = """
        select ctid from window_opening opening
        where created_at < now() - interval '1 month' and not exists (select from session_window where id = opening.session)
        order by created_at limit $1
        """;

    static readonly string OfCustomer = $"""
        select opening.ctid from account, lateral (select ctid from window_opening where register = account.id offset 0) as opening
        where owner = $2 and kind = {(short)AccountKind.Windows} limit $1
        """;

    public static Task FoldOverAsync(NpgsqlDataSource database, CancellationToken token) =>
        Rounds.UntilNotFullAsync(MaxAtOnce, async () => await FoldAsync(database, Over, [MaxAtOnce], token) ?? 0);

    /// <summary>Returns how many, at most <see cref="MaxAtOnce"/>, or null while the books are being sealed.</summary>
    public static Task<int?> FoldOfAsync(NpgsqlDataSource database, Guid customer, CancellationToken token) =>
        FoldAsync(database, OfCustomer, [MaxAtOnce, customer], token);

    /// <summary>
    /// One statement, so that a proof sees all of it or nothing. What a seal has proved of the rows is not in its balance any more, because
    /// that leaves out what counters were opened with. A seal that is being written has the balances of a moment ago. That takes long, so
    /// nobody waits for it here: the answer is null, and the rows come later.
    /// </summary>
    static Task<int?> FoldAsync(
        NpgsqlDataSource database, string which, object[] values, CancellationToken token) => database.ByIndexAsync(async connection =>
    {
        await using var alone = connection.Sql("select pg_try_advisory_xact_lock($1)", Seals.RoundLock);
        if (await alone.ExecuteScalarAsync(token) is not true)
            return (int?)null;
        await using var fold = connection.Sql($"""
            with gone as (
                delete from window_opening where ctid = any(array({which})) returning register, created_at),
            folded as (
                select register, count(*) units, count(*) filter (where created_at < (select proved_at from sealed)) proved
                from gone where exists (select from account where id = register) group by register),
            opened as (
                insert into counter_opening (register, amount) select register, units from folded
                on conflict (register) do update set amount = counter_opening.amount + excluded.amount),
            unproved as (update seal set balance = balance - proved from folded where account = register)
            select count(*)::integer from gone
            """, values);
        fold.CommandTimeout = 0;
        return (int)(await fold.ExecuteScalarAsync(token))!;
    }, token);
}
