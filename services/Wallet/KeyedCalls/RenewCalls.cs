using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using Npgsql;

namespace LlmGateway.Wallet;

/// <summary>
/// <c>POST /internal/calls/renew</c>: a proxy is alive and has these calls, see <see cref="KeyRenewal"/>. Rows are locked in the order
/// of their ids, like the writer's, so that the two cannot deadlock.
/// </summary>
public static class RenewCalls
{
    public static void MapRenewCalls(this WebApplication app) => app.MapPost(
        "/internal/calls/renew",
        async (HttpContext http, NpgsqlDataSource database, CancellationToken token) =>
        {
            var renewal = await Body.ReadAsync<KeyRenewal>(http);
            if (renewal.Requests.Count > KeyRenewal.MaxAtOnce)
                return Problems.Invalid("requests", $"at most {KeyRenewal.MaxAtOnce} requests at once");
            var running = await RenewAsync(database, renewal, token);
            Failpoint.Hit("wallet.call.renewed");
            return Results.Json(new KeyRenewal(running), Defaults.Json);
        });

    /// <summary>The time after which they are all booked, also those that an outage has sent away.</summary>
    static TimeSpan LastSettlements => Redelivery.MayBeUnderWay(LeaseSweeper.LastSettlements)
        ? Redelivery.Delay + LeaseSweeper.LastSettlements
        : LeaseSweeper.LastSettlements;

    static Task<List<Guid>> RenewAsync(
        NpgsqlDataSource database, KeyRenewal renewal, CancellationToken token) => database.ByIndexAsync(async connection =>
    {
        await using var renew = connection.Sql($"""
            with mine as (
                select id from paid_call where request_id = any($1) and state <= {(short)CallState.Doubted} order by id for update)
            update paid_call set state = {(short)CallState.Running}, until = now() + $2
            from mine where paid_call.id = mine.id returning request_id
            """, renewal.Requests.ToArray(), KeyTerms.Silence);
        var running = new List<Guid>();
        await using var row = await renew.ExecuteReaderAsync(token);
        while (await row.ReadAsync(token))
            running.Add(row.GetGuid(0));
        return running;
    }, token);

    /// <summary>
    /// The proxy is known to be dead: its keys are free in a moment. Its last settlements may still be in the hands of another consumer,
    /// and they decide what their keys stand for. A key that is doubted already is left alone: the news comes again and again.
    /// </summary>
    public static Task DoubtAsync(
        NpgsqlDataSource database, string holder, CancellationToken token) => database.ByIndexAsync(async connection =>
    {
        await using var doubt = connection.Sql($"""
            with gone as (
                select id from paid_call where holder = $1 and state = {(short)CallState.Running} order by id for update)
            update paid_call set state = {(short)CallState.Doubted}, until = now() + $2 from gone where paid_call.id = gone.id
            """, holder, LastSettlements);
        return await doubt.ExecuteNonQueryAsync(token);
    }, token);
}
