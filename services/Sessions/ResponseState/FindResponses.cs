using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using Npgsql;

namespace LlmGateway.Sessions.ResponseState;

/// <summary>
/// <c>POST /internal/kept-responses/{customer}/find</c>: which responses of one customer a request refers to and how long they are;
/// <c>GET …/{id}</c>: one of them, sealed. Those of others, and those whose time is over, are not found.
/// </summary>
public static class FindResponses
{
    const string Mine = "from kept_response where customer_id = $1 and expires_at > now()";

    public static void MapFindResponses(this WebApplication app)
    {
        app.MapGet("/internal/kept-responses/{customer:guid}/{id:guid}", GetAsync);
        app.MapPost("/internal/kept-responses/{customer:guid}/find", FindAsync);
    }

    static async Task<IResult> GetAsync(
        Guid customer, Guid id, HttpContext http, NpgsqlDataSource database, InFlight inFlight, CancellationToken token)
    {
        await using var length = database.Sql($"select octet_length(sealed) {Mine} and id = $2", customer, id);
        if (await length.ExecuteScalarAsync(token) is not int bytes)
            return Problems.NotFound("response");
        http.Response.RegisterForDispose(await inFlight.TakeAsync(bytes, token));
        await using var query = database.Sql($"select sealed {Mine} and id = $2", customer, id);
        return await query.ExecuteScalarAsync(token) is byte[] found ? Results.Bytes(found) : Problems.NotFound("response");
    }

    /// <summary>
    /// The response that is asked for, then the newest that has any of the items, then the newest that has any of the rest. The last turn
    /// of a conversation has all items of the turns before it, so one query answers nearly every question.
    /// </summary>
    static async Task<IResult> FindAsync(Guid customer, HttpContext http, NpgsqlDataSource database, CancellationToken token)
    {
        var question = await Body.ReadAsync<KeptResponseQuestion>(http);
        var (found, missing) = (new List<FoundResponse>(), question.Marks.ToHashSet());
        if (question.Id is { } id)
        {
            await using var byId = database.Sql($"select id, plain_bytes, marks {Mine} and id = $2", customer, id);
            await TakeAsync(byId);
        }
        while (missing.Count > 0)
        {
            await using var byItem = database.Sql(
                $"select id, plain_bytes, marks {Mine} and marks && $2 order by created_at desc, id desc limit 1",
                customer, missing.ToArray());
            if (!await TakeAsync(byItem))
                break;
        }
        return Results.Json(found, Defaults.Json);

        async Task<bool> TakeAsync(NpgsqlCommand query)
        {
            await using var row = await query.ExecuteReaderAsync(token);
            if (!await row.ReadAsync(token))
                return false;
            found.Add(new(row.GetGuid(0), row.GetInt32(1)));
            missing.ExceptWith(row.GetFieldValue<long[]>(2));
            if (found.Count > KeptResponseQuestion.MaxFound || found.Sum(one => (long)one.PlainBytes) > KeptResponse.MaxBytes)
                throw new ProblemException(Problems.TooLarge(KeptResponse.MaxBytes));
            return true;
        }
    }
}
