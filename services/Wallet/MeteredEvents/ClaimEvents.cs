using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using Npgsql;

namespace LlmGateway.Wallet;

/// <summary>
/// <c>POST /internal/metered-events</c>: gives each event the id of the request that it is booked under, see <see cref="EventClaims"/>. Who
/// tells an event again gets the same id, so that the ledger books it once, also when two tell it at the same time.
/// </summary>
public static class ClaimEvents
{
    const string Take = """
        insert into metered_event (project, test, event, input_hash, request_id, claimed_at)
        select $1, $2, event, hash, request, now() from unnest($3, $4, $5) as asked (event, hash, request)
        on conflict do nothing
        """;

    /// <summary>
    /// An event that was refused and is told again months later. Nothing can be booked under its old id any more, so that it is not booked
    /// twice.
    /// </summary>
    const string Renew = """
        update metered_event known set request_id = asked.request
        from unnest($3, $4, $5) as asked (event, hash, request)
        where known.project = $1 and known.test = $2 and known.event = asked.event and known.input_hash = asked.hash
            and known.booked_at is null
            and not exists (
                select from usage_month where not closed and from_id <= known.request_id and to_id > known.request_id)
        """;

    const string Find = """
        select event, request_id, booked_at is not null, input_hash from metered_event
        where project = $1 and test = $2 and event = any($3)
        """;

    public static void MapClaimEvents(this WebApplication app) => app.MapPost(
        "/internal/metered-events",
        async (HttpContext http, NpgsqlDataSource database, CancellationToken token) =>
        {
            var asked = await Body.ReadAsync<EventClaims>(http);
            if (asked.Events.Count > MeteredEvent.MaxAtOnce || asked.Events.DistinctBy(one => one.Event).Count() != asked.Events.Count)
                return Problems.Invalid("events", $"at most {MeteredEvent.MaxAtOnce} events at once, and each id once");
            return Results.Json(new ClaimedEvents(await ClaimAsync(database, asked, token)), Defaults.Json);
        });

    static async Task<IReadOnlyList<ClaimedEvent>> ClaimAsync(NpgsqlDataSource database, EventClaims asked, CancellationToken token)
    {
        // In one order, so that two calls with the same events do not wait for each other.
        var events = asked.Events.OrderBy(one => one.Event, StringComparer.Ordinal).ToList();
        string[] ids = [.. events.Select(one => one.Event)];
        byte[][] hashes = [.. events.Select(one => one.InputHash)];
        Guid[] requests = [.. events.Select(one => one.Request)];
        foreach (var statement in (string[])[Take, Renew])
        {
            await using var command = database.Sql(statement, asked.Project, asked.Test, ids, hashes, requests);
            await command.ExecuteNonQueryAsync(token);
        }
        var hashOf = events.ToDictionary(one => one.Event, one => one.InputHash, StringComparer.Ordinal);
        var known = new Dictionary<string, ClaimedEvent>(StringComparer.Ordinal);
        await using var query = database.Sql(Find, asked.Project, asked.Test, ids);
        await using var row = await query.ExecuteReaderAsync(token);
        while (await row.ReadAsync(token))
            known[row.GetString(0)] = new(
                row.GetGuid(1), row.GetBoolean(2), row.GetFieldValue<byte[]>(3).AsSpan().SequenceEqual(hashOf[row.GetString(0)]));
        return [.. asked.Events.Select(one => known[one.Event])];
    }
}
