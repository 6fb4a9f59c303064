using LlmGateway.ServiceDefaults;
using Npgsql;

namespace LlmGateway.Webhooks;

/// <summary>
/// <c>POST /internal/reseal</c>: brings the secrets of endpoints under the first master key, a bounded number at a time. It may be
/// interrupted and repeated.
/// </summary>
public static class ResealSecrets
{
    const int AtOnce = 500;

    public static void MapResealSecrets(this WebApplication app) => app.MapPost("/internal/reseal", HandleAsync);

    static async Task<IResult> HandleAsync(
        HttpContext http, NpgsqlDataSource database, EndpointSecrets secrets, CancellationToken token)
    {
        var (resealed, unreadable, last) = (0, 0, Guid.Empty);
        await Rounds.UntilNotFullAsync(AtOnce, async () =>
        {
            var (found, ids, now) = (0, new List<Guid>(), new List<string>());
            await using (var query = database.Sql("""
                select id, endpoint, sealed_secret from endpoint_secret
                where id > $1 and not starts_with(sealed_secret, $2) order by id limit $3
                """, last, secrets.CurrentMark, AtOnce))
            await using (var row = await query.ExecuteReaderAsync(token))
                for (; await row.ReadAsync(token); found++)
                {
                    last = row.GetGuid(0);
                    if (secrets.Reseal(row.GetGuid(1), row.GetString(2)) is not { } secret)
                        continue;
                    ids.Add(last);
                    now.Add(secret);
                }
            await using var update = database.Sql(
                "update endpoint_secret s set sealed_secret = new.now from unnest($1, $2) new (id, now) where s.id = new.id", ids, now);
            resealed += await update.ExecuteNonQueryAsync(token);
            unreadable += found - ids.Count;
            return found;
        });
        return http.WantsText()
            ? PlainText.Of(true, Lines(resealed, unreadable))
            : Results.Json(new { secrets = resealed, unreadable }, Defaults.Json);
    }

    static IEnumerable<string> Lines(int resealed, int unreadable)
    {
        yield return $"{resealed} secrets of webhook endpoints were brought under the first key.";
        if (unreadable > 0)
            yield return $"{unreadable} open with no key that is configured, and stay as they are.";
    }
}
