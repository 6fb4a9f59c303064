using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using Npgsql;

namespace LlmGateway.Sessions.ResponseState;

/// <summary>
/// <c>GET /internal/kept-responses/{customer}/{id}</c> and <c>POST …/{customer}/find</c>: responses of one customer whose time is not over.
/// Those of others are not found.
/// </summary>
public static class FindResponses
{
    const string Mine = "select id, marks, sealed from kept_response where customer_id = $1 and expires_at > now()";

    public static void MapFindResponses(this WebApplication app)
    {
        app.MapGet("/internal/kept-responses/{customer:guid}/{id:guid}", FindAsync);
        app.MapPost("/internal/kept-responses/{customer:guid}/find", FindItemsAsync);
    }

    static async Task<IResult> FindAsync(Guid customer, Guid id, NpgsqlDataSource database, CancellationToken token)
    {
        await using var query = database.Sql($"{Mine} and id = $2", customer, id);
        return await ReadAsync(query, token) is { } found ? Results.Json(found, Defaults.Json) : Problems.NotFound("response");
    }

    /// <summary>
    /// The newest response that has any of the items, then the newest that has any of the rest. The last turn of a conversation has all
    /// items of the turns before it, so one query answers nearly every question.
    /// </summary>
    static async Task<IResult> FindItemsAsync(Guid customer, HttpContext http, NpgsqlDataSource database, CancellationToken token)
    {
        var question = await Body.ReadAsync<KeptResponseQuestion>(http);
        var (found, missing, bytes) = (new List<KeptResponse>(), question.Marks.ToHashSet(), 0L);
        while (missing.Count > 0 && found.Count < KeptResponseQuestion.MaxFound)
        {
            await using var query = database.Sql(
                $"{Mine} and marks && $2 order by created_at desc, id desc limit 1", customer, missing.ToArray());
            if (await ReadAsync(query, token) is not { } next)
                break;
            bytes += next.Sealed.Length;
            if (bytes > KeptResponse.MaxBytes)
                break;
            found.Add(next);
            missing.ExceptWith(next.Marks);
        }
        return Results.Json(found, Defaults.Json);
    }

    static async Task<KeptResponse?> ReadAsync(NpgsqlCommand query, CancellationToken token)
    {
        await using var row = await query.ExecuteReaderAsync(token);
        return await row.ReadAsync(token)
            ? new(row.GetGuid(0), row.GetFieldValue<long[]>(1), row.GetFieldValue<byte[]>(2))
            : null;
    }
}
