using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using Npgsql;

namespace LlmGateway.Sessions.ResponseState;

/// <summary>
/// <c>PUT /internal/kept-responses/{customer}/{id}</c> → 204: the response is kept. A repetition changes nothing. 507 when it is not: there
/// is no room for it, or its customer was deleted.
/// </summary>
public static class KeepResponse
{
    public static void MapKeepResponse(this WebApplication app) =>
        app.MapPut("/internal/kept-responses/{customer:guid}/{id:guid}", HandleAsync);

    static async Task<IResult> HandleAsync(
        Guid customer, Guid id, HttpContext http, NpgsqlDataSource database, Bounds bounds, InFlight inFlight, CancellationToken token)
    {
        if (http.Request.ContentLength is not (> 0 and <= 2 * KeptResponse.MaxBytes and var length))
            return Problems.TooLarge(KeptResponse.MaxBytes);
        using var room = await inFlight.TakeAsync(length, token);
        var body = new byte[length];
        await http.Request.Body.ReadExactlyAsync(body, token);
        if (KeptResponse.Read(id, body) is not { } response)
            return Problems.Malformed("The body is not a kept response.");
        var bytes = Bounds.Count(response.Sealed.Length, response.Marks.Count);
        if (!bounds.Takes(bytes))
            return Results.StatusCode(StatusCodes.Status507InsufficientStorage);
        await new Eviction(database, bounds).MakeRoomAsync(customer, bytes, token);
        return await KeepAsync(database, customer, response, bytes, bounds, token)
            ? Results.NoContent()
            : Results.StatusCode(StatusCodes.Status507InsufficientStorage);
    }

    /// <summary>
    /// One transaction and one round trip; PostgreSQL makes the commits of many such transactions durable together. The lock on the
    /// customer makes a deletion of the customer come before this, which then keeps nothing, or after it.
    /// </summary>
    /// <returns>The response is there.</returns>
    static async Task<bool> KeepAsync(
        NpgsqlDataSource database, Guid customer, KeptResponse response, long bytes, Bounds bounds, CancellationToken token)
    {
        await using var batch = database.CreateBatch();
        batch.BatchCommands.Add(Command(
            """
            insert into kept_response (id, customer_id, project_id, expires_at, bytes, plain_bytes, marks, sealed)
            select $1, id, project_id, now() + $3, $4, $5, $6, $7 from customer where id = $2 and status <> 'Deleted' for share
            on conflict do nothing
            """,
            response.Id, customer, bounds.Life, bytes, response.PlainBytes, response.Marks.ToArray(), response.Sealed));
        batch.BatchCommands.Add(Command(
            "select exists(select from kept_response where id = $1 and customer_id = $2)", response.Id, customer));
        await using var answer = await batch.ExecuteReaderAsync(token);
        return await answer.ReadAsync(token) && answer.GetBoolean(0);
    }

    static NpgsqlBatchCommand Command(string sql, params ReadOnlySpan<object> values)
    {
        var command = new NpgsqlBatchCommand(sql);
        foreach (var value in values)
            command.Parameters.Add(new() { Value = value });
        return command;
    }
}
