using LlmGateway.ServiceDefaults;
using Npgsql;

namespace LlmGateway.Wallet;

/// <summary>The last row of a page: its id, and a number that tells it from others of that id.</summary>
public readonly record struct Mark(Guid Id, long Number);

/// <param name="Last">Null: there is no more in this step.</param>
/// <param name="Waits">It cannot be done now.</param>
public readonly record struct ErasedPage(Mark? Last, bool Waits = false);

/// <summary>
/// What is erased of a customer, in steps. Each page reads a bounded number of its rows by an index, and none of others but of what was put
/// aside. Where rows are
/// looked up, they are by an array: a join that is planned while a table is empty reads it whole later. Any page may be
/// repeated, and those that delete are until one finds fewer, as by <see cref="Rounds.UntilNotFullAsync"/>.
/// </summary>
public static class ErasedPages
{
    const int PageSize = 1_000;

    /// <summary>Most entries are of usage and have no text, so they are only looked at.</summary>
    const int EntriesAtOnce = 5_000;

    /// <summary>Erases the page behind a row.</summary>
    public delegate Task<ErasedPage> Erase(NpgsqlDataSource database, Guid customer, Mark after, CancellationToken token);

    /// <summary>A new one is the last: rows say how many are done.</summary>
    public static readonly IReadOnlyList<Erase> Steps = [AnswersAsync, SessionsAsync, TextsAsync, RawUsageAsync, OpeningsAsync, StaleAsync];

    /// <summary>
    /// Keys of calls that run, so that no answer is kept of them, and of those that have one. Others have nothing of the customer's, and
    /// leave when their day is over.
    /// </summary>
    static Task<ErasedPage> AnswersAsync(NpgsqlDataSource database, Guid customer, Mark after, CancellationToken token) =>
        DeleteAsync(database, $"""
            with mine as (
                select id from paid_call where id = any(array(
                    select id from paid_call where owner = $1 and state = {(short)CallState.Answered}
                    union all
                    select id from paid_call where owner = $1 and state <= {(short)CallState.Doubted} limit $2))
                order by id for update)
            delete from paid_call where id = any(array(select id from mine))
            """, customer, token);

    static Task<ErasedPage> SessionsAsync(NpgsqlDataSource database, Guid customer, Mark after, CancellationToken token) =>
        DeleteAsync(database, """
            with mine as (
                select id from session_window where id = any(array(select id from session_window where owner = $1 limit $2))
                order by id for update)
            delete from session_window where id = any(array(select id from mine))
            """, customer, token);

    static Task<ErasedPage> DeleteAsync(NpgsqlDataSource database, string sql, Guid customer, CancellationToken token) =>
        database.ByIndexAsync(async connection =>
        {
            await using var delete = connection.Sql(sql, customer, PageSize);
            return new ErasedPage(await delete.ExecuteNonQueryAsync(token) < PageSize ? null : default(Mark));
        }, token);

    /// <summary>The reasons of credits and debits. A mark is an account and the number of one of its entries.</summary>
    static Task<ErasedPage> TextsAsync(NpgsqlDataSource database, Guid customer, Mark after, CancellationToken token) =>
        database.ByIndexAsync(async connection =>
        {
            await using var erase = connection.Sql("""
                with page as materialized (
                    select theirs.* from account balance, lateral (
                        select account, version, transfer, type from entry
                        where account = balance.id and version > case when balance.id = $2 then $3 else 0 end
                        order by version limit $4) as theirs
                    where owner = $1 and (kind < 2 or kind > 6) and balance.id >= $2
                    order by theirs.account, theirs.version limit $4),
                erased as (
                    update note set text = null
                    where transfer = any(array(select transfer from page where type <> 0)) and text is not null)
                select account, version from page order by account desc, version desc limit 1
                """, customer, after.Id, after.Number, EntriesAtOnce);
            await using var row = await erase.ExecuteReaderAsync(token);
            return new ErasedPage(await row.ReadAsync(token) ? new Mark(row.GetGuid(0), row.GetInt64(1)) : null);
        }, token);

    /// <summary>
    /// What providers said of its requests. They are found in the usage log by when they began, from the first month on that keeps it. A
    /// mark has that time.
    /// </summary>
    static async Task<ErasedPage> RawUsageAsync(NpgsqlDataSource database, Guid customer, Mark after, CancellationToken token)
    {
        var requests = await RequestsAsync(database, customer, after, token);
        if (requests.Count == 0)
            return new ErasedPage(null);
        return await database.ByIndexAsync(async connection =>
        {
            // One by one: between the first and the last of a customer who has few are those of all others.
            await connection.RunAsync("set local enable_hashjoin = off; set local enable_mergejoin = off", token);
            await connection.RunAsync(
                "delete from usage_raw using unnest($1) as mine (id) where request_id = mine.id", token,
                requests.ConvertAll(request => request.Id).ToArray());
            return new ErasedPage(new Mark(Guid.Empty, requests[^1].Began.Ticks));
        }, token);
    }

    /// <summary>
    /// A page of the index, and those that began with its last one. Where a customer has few, PostgreSQL would rather read all of them and
    /// sort, and it plans once for all customers.
    /// </summary>
    static Task<List<(Guid Id, DateTime Began)>> RequestsAsync(
        NpgsqlDataSource database, Guid customer, Mark after, CancellationToken token) => database.ByIndexAsync(async connection =>
    {
        await connection.RunAsync("set local enable_bitmapscan = off; set local enable_sort = off", token);
        var requests = new List<(Guid, DateTime)>();
        await using var query = connection.Sql("""
            select request_id, started_at from usage_record
            where customer = $1 and started_at > greatest($2, (
                select month at time zone 'UTC' - interval '1 day' from usage_month where keeps_raw order by month limit 1))
            order by started_at fetch first $3 rows with ties
            """, customer, new DateTime(after.Number, DateTimeKind.Utc), (long)PageSize);
        await using var row = await query.ExecuteReaderAsync(token);
        while (await row.ReadAsync(token))
            requests.Add((row.GetGuid(0), row.GetDateTime(1)));
        return requests;
    }, token);

    /// <summary>Which client session took a unit of which counter. While the books are being sealed, that waits.</summary>
    static async Task<ErasedPage> OpeningsAsync(NpgsqlDataSource database, Guid customer, Mark after, CancellationToken token) =>
        await WindowOpenings.FoldOfAsync(database, customer, token) switch
        {
            null => new(null, Waits: true),
            WindowOpenings.MaxAtOnce => new(default(Mark)),
            _ => new(null),
        };

    /// <summary>
    /// What providers said of requests that were put aside. Nothing is known of these but their records, and there are few, so those of all
    /// are looked through. A mark is a request.
    /// </summary>
    static Task<ErasedPage> StaleAsync(NpgsqlDataSource database, Guid customer, Mark after, CancellationToken token) =>
        database.ByIndexAsync(async connection =>
        {
            var (last, without) = ((Mark?)null, new List<(Guid Request, byte[] Record)>());
            await using (var query = connection.Sql(
                "select request_id, record from stale_settlement where request_id > $1 order by request_id limit $2", after.Id, PageSize))
            await using (var row = await query.ExecuteReaderAsync(token))
                while (await row.ReadAsync(token))
                {
                    last = new(row.GetGuid(0), 0);
                    if (StaleSettlements.WithoutRawUsage(row.GetFieldValue<byte[]>(1), customer) is { } record)
                        without.Add((last.Value.Id, record));
                }
            await connection.RunAsync("""
                update stale_settlement set record = mine.record
                from unnest($1::uuid[], $2::bytea[]) as mine (id, record) where request_id = mine.id
                """, token, without.Column(row => row.Request), without.Column(row => row.Record));
            return new ErasedPage(last);
        }, token);
}
