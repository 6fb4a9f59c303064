using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using Npgsql;

namespace LlmGateway.Wallet;

/// <summary>
/// <c>POST /internal/calls/{request}</c>: the settlement of a call whose answer was whole, and behind it the sealed answer, or nothing
/// where it is too large. Both are booked in one transaction (<see cref="Writer"/>). The same settlement comes again through the queue and
/// is recognised there. <c>DELETE</c>: the call has ended without a whole answer, and its key is free.
/// </summary>
public static class EndCall
{
    /// <summary>A settlement has a few hundred bytes, and with it the provider's usage object of 4 KB.</summary>
    const int MaxBodyBytes = KeyTerms.MaxAnswerBytes + (64 * 1024);

    /// <summary>
    /// What an owner has too much, the oldest first. Those that another transaction is just changing are skipped, so that the two cannot
    /// wait for each other; the next answer makes up for it.
    /// </summary>
    static readonly string Evict = $"""
        with newest as (
            select owner, (
                select max(total) from paid_call of_owner
                where of_owner.state = {(short)CallState.Answered} and of_owner.owner = mine.owner) as total
            from paid_call mine where request_id = $1)
        update paid_call set state = {(short)CallState.Charged}, sealed = null, total = null where id in (
            select old.id from newest
            join paid_call old on old.owner = newest.owner and old.state = {(short)CallState.Answered} and old.total <= newest.total - $2
            for update of old skip locked)
        """;

    /// <summary>What lies further back than this leaves. The oldest answer that stays reaches beyond it by its own bytes at most.</summary>
    const long Reach = KeyTerms.OwnerBytes - KeyTerms.MaxAnswerBytes - KeyTerms.RowBytes;

    public static void MapEndCall(this WebApplication app)
    {
        app.MapPost("/internal/calls/{request:guid}", EndAsync);
        app.MapDelete("/internal/calls/{request:guid}", FreeAsync);
    }

    /// <summary>
    /// Where too much waits already, it is refused. Its proxy tells its caller all the same and has the charge in its spool, so the answer
    /// is not kept and nothing else is lost.
    /// </summary>
    static async Task<IResult> EndAsync(
        Guid request, HttpContext http, Writer writer, AnswerBudget waiting, NpgsqlDataSource database, CancellationToken token)
    {
        if (http.Request.ContentLength is not (> 0 and <= MaxBodyBytes and var length))
            return Problems.TooLarge(MaxBodyBytes);
        if (!waiting.TryTake(length))
            return Problems.Unavailable;
        try
        {
            return await BookAsync(request, http, (int)length, writer, database, token);
        }
        finally
        {
            waiting.Give(length);
        }
    }

    static async Task<IResult> BookAsync(
        Guid request, HttpContext http, int length, Writer writer, NpgsqlDataSource database, CancellationToken token)
    {
        var (record, answer) = await ReadAsync(http.Request.Body, length, token);
        if (SettlementConsumer.Read(record) is not ([{ Settlement.Key: KeyEnd.Used } settle], null)
            || settle.Settlement.RequestId != request)
            return Problems.Malformed("The body is not the settlement of this call.");
        await writer.RunAsync(settle with { Answer = answer.Length == 0 ? null : answer, IsAwaited = true });
        Failpoint.Hit("wallet.call.settled");
        if (answer.Length > 0)
            await EvictAsync(database, request, token);
        return Results.NoContent();
    }

    /// <summary>
    /// The settlement and the answer behind it, each in an array of its own: together they have as many bytes as the body, which is what
    /// <see cref="AnswerBudget"/> has counted. The settlement is empty where none can stand.
    /// </summary>
    public static async Task<(byte[] Record, byte[] Answer)> ReadAsync(Stream body, int length, CancellationToken token)
    {
        var head = new byte[Math.Min(length, SettlementRecord.HeadBytes)];
        await body.ReadExactlyAsync(head, token);
        var record = new byte[SettlementRecord.LengthOf(head, length)];
        if (record.Length == 0)
            return ([], []);
        head.CopyTo(record, 0);
        await body.ReadExactlyAsync(record.AsMemory(head.Length), token);
        var answer = new byte[length - record.Length];
        await body.ReadExactlyAsync(answer, token);
        return (record, answer);
    }

    static Task<int> EvictAsync(
        NpgsqlDataSource database, Guid request, CancellationToken token) => database.ByIndexAsync(async connection =>
    {
        await using var evict = connection.Sql(Evict, request, Reach);
        return await evict.ExecuteNonQueryAsync(token);
    }, token);

    static async Task<IResult> FreeAsync(Guid request, NpgsqlDataSource database, CancellationToken token)
    {
        await using var free = database.Sql($"""
            update paid_call set state = {(short)CallState.Free}, until = now()
            where request_id = $1 and state <= {(short)CallState.Doubted}
            """, request);
        await free.ExecuteNonQueryAsync(token);
        Failpoint.Hit("wallet.call.freed");
        return Results.NoContent();
    }
}
