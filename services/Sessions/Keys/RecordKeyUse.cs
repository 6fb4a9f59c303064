using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using Npgsql;

namespace LlmGateway.Sessions;

/// <summary>
/// <c>POST /internal/keys/used</c>: proxies report when keys were last used and members have called. Late and repeated reports have no
/// effect. A row is written twice a minute at most, however many proxies report it however often.
/// </summary>
public static class RecordKeyUse
{
    public static void MapRecordKeyUse(this WebApplication app) => app.MapPost("/internal/keys/used", HandleAsync);

    static async Task<IResult> HandleAsync(HttpContext http, NpgsqlDataSource database, CancellationToken token)
    {
        var uses = (await Body.ReadAsync<KeyUses>(http)).Credentials;
        if (uses.Count > KeyUses.MaxAtOnce)
            return Problems.Invalid("credentials", $"'credentials' may have at most {KeyUses.MaxAtOnce} entries.");
        await using var update = database.Sql("""
            with used as (select id, max(at) as at from unnest($1, $2) as report (id, at) group by id),
                secret as (
                    update secret_key set last_used_at = used.at from used
                    where secret_key.id = used.id and (last_used_at is null or last_used_at <= used.at - interval '30 seconds')),
                person as (
                    update member set last_used_at = used.at from used
                    where member.id = used.id and (last_used_at is null or last_used_at <= used.at - interval '30 seconds'))
            update customer_key set last_used_at = used.at from used
            where customer_key.id = used.id and (last_used_at is null or last_used_at <= used.at - interval '30 seconds')
            """, uses.Select(use => use.Id).ToArray(), uses.Select(use => use.At.UtcDateTime).ToArray());
        await update.ExecuteNonQueryAsync(token);
        return Results.NoContent();
    }
}
