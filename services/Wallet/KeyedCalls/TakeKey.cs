using System.Security.Cryptography;
using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using Npgsql;

namespace LlmGateway.Wallet;

/// <summary><c>POST /internal/calls</c>: takes a key for a request, or says what has it; see <see cref="KeyRequest"/>.</summary>
public static class TakeKey
{
    /// <summary>
    /// One statement decides among all who ask at the same time. A key is taken when nobody has it: it is new, free, or its time is over.
    /// </summary>
    static readonly string Take = $"""
        insert into paid_call as call (id, owner, request_id, holder, input_hash, state, until)
        values ($1, $2, $3, $4, $5, {(short)CallState.Running}, now() + $6)
        on conflict (id) do update set
            owner = excluded.owner, request_id = excluded.request_id, holder = excluded.holder, input_hash = excluded.input_hash,
            state = {(short)CallState.Running}, until = excluded.until, sealed = null, total = null
        where call.state = {(short)CallState.Free}
            or (call.state <> {(short)CallState.Running} and call.until <= now())
            or (call.state <= {(short)CallState.Doubted} and call.request_id = excluded.request_id)
        """;

    public static void MapTakeKey(this WebApplication app) => app.MapPost(
        "/internal/calls",
        async (HttpContext http, NpgsqlDataSource database, CancellationToken token) =>
        {
            var asked = await Body.ReadAsync<KeyRequest>(http);
            if (asked.InputHash.Length != SHA256.HashSizeInBytes)
                return Problems.Invalid("inputHash", $"must have {SHA256.HashSizeInBytes} bytes");
            var answer = await HandleAsync(database, asked, token);
            Failpoint.Hit("wallet.call.keyed");
            return answer;
        });

    static async Task<IResult> HandleAsync(NpgsqlDataSource database, KeyRequest asked, CancellationToken token)
    {
        if (await TryTakeAsync(database, asked, token))
            return Results.NoContent();
        if (await FindAsync(database, asked.Call, token) is not { } stored)
            return Results.StatusCode(StatusCodes.Status409Conflict); // it was deleted a moment ago
        if (stored.IsToBeDoubted)
            await DoubtAsync(database, asked.Call, token);
        return stored.MetBy(asked.InputHash) switch
        {
            Repetition.Answer => Results.Bytes(stored.Sealed!),
            Repetition.NoAnswer => Results.StatusCode(StatusCodes.Status410Gone),
            Repetition.OtherInput => Results.StatusCode(StatusCodes.Status422UnprocessableEntity),
            _ => Results.StatusCode(StatusCodes.Status409Conflict),
        };
    }

    static async Task<bool> TryTakeAsync(NpgsqlDataSource database, KeyRequest asked, CancellationToken token)
    {
        await using var insert = database.Sql(
            Take, asked.Call, asked.Owner, asked.Request, asked.Holder, asked.InputHash, KeyTerms.Silence);
        return await insert.ExecuteNonQueryAsync(token) == 1;
    }

    static async Task<StoredCall?> FindAsync(NpgsqlDataSource database, Guid call, CancellationToken token)
    {
        await using var query = database.Sql("select input_hash, state, until <= now(), sealed from paid_call where id = $1", call);
        await using var row = await query.ExecuteReaderAsync(token);
        return await row.ReadAsync(token)
            ? new(
                row.GetFieldValue<byte[]>(0),
                (CallState)row.GetInt16(1),
                row.GetBoolean(2),
                row.IsDBNull(3) ? null : row.GetFieldValue<byte[]>(3))
            : null;
    }

    static async Task DoubtAsync(NpgsqlDataSource database, Guid call, CancellationToken token)
    {
        await using var doubt = database.Sql($"""
            update paid_call set state = {(short)CallState.Doubted}, until = now() + $2
            where id = $1 and state = {(short)CallState.Running} and until <= now()
            """, call, KeyTerms.Doubt);
        await doubt.ExecuteNonQueryAsync(token);
    }
}
