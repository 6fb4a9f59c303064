using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using Npgsql;

namespace LlmGateway.Sessions.ResponseState;

/// <summary>
/// <c>PUT /internal/kept-responses/{customer}/{id}</c> → 204: keeps a response. A repetition changes nothing. 507 when there is no room for
/// it. A customer's oldest responses leave when newer ones have filled its bound.
/// </summary>
public static class KeepResponse
{
    public static void MapKeepResponse(this WebApplication app) =>
        app.MapPut("/internal/kept-responses/{customer:guid}/{id:guid}", HandleAsync);

    static async Task<IResult> HandleAsync(
        Guid customer, Guid id, HttpContext http, NpgsqlDataSource database, Bounds bounds, TotalBytes total, CancellationToken token)
    {
        if (http.Request.ContentLength is not (> 0 and <= 2 * KeptResponse.MaxBytes and var length))
            return Problems.TooLarge(KeptResponse.MaxBytes);
        var body = new byte[length];
        await http.Request.Body.ReadExactlyAsync(body, token);
        if (KeptResponse.Read(id, body) is not { } response)
            return Problems.Malformed("The body is not a kept response.");
        var bytes = Bounds.Count(response.Sealed.Length, response.Marks.Count);
        if (!bounds.HasRoom(bytes, await total.NowAsync()))
            return Results.StatusCode(StatusCodes.Status507InsufficientStorage);
        await KeepAsync(database, customer, response, bytes, bounds, token);
        total.Add(bytes);
        return Results.NoContent();
    }

    /// <summary>
    /// One transaction and one round trip; PostgreSQL makes the commits of many such transactions durable together. Rows that another
    /// transaction of the same customer is just deleting are skipped, so that the two cannot wait for each other.
    /// </summary>
    static async Task KeepAsync(
        NpgsqlDataSource database, Guid customer, KeptResponse response, long bytes, Bounds bounds, CancellationToken token)
    {
        await using var batch = database.CreateBatch();
        batch.BatchCommands.Add(Command(
            """
            insert into kept_response (id, customer_id, expires_at, bytes, marks, sealed)
            values ($1, $2, now() + $3, $4, $5, $6) on conflict do nothing
            """,
            response.Id, customer, bounds.Life, bytes, response.Marks.ToArray(), response.Sealed));
        batch.BatchCommands.Add(Command(
            """
            delete from kept_response where id in (
                select id from kept_response where id in (
                    select id from (
                        select id, sum(bytes) over (order by created_at desc, id desc) as up_to_here
                        from kept_response where customer_id = $1 and expires_at > now()) newest
                    where up_to_here > $2)
                for update skip locked)
            """,
            customer, bounds.CustomerBytes));
        await batch.ExecuteNonQueryAsync(token);
    }

    static NpgsqlBatchCommand Command(string sql, params ReadOnlySpan<object> values)
    {
        var command = new NpgsqlBatchCommand(sql);
        foreach (var value in values)
            command.Parameters.Add(new() { Value = value });
        return command;
    }
}
