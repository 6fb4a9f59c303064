using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using Npgsql;

namespace LlmGateway.Sessions;

/// <summary>
/// <c>POST /internal/provider-objects/claim</c>: the batches that are due to be asked whether they have ended. A claimed batch is due again
/// after a pause that grows from seconds to minutes. So proxies share the work, and another proxy does what one left undone.
/// </summary>
public static class ClaimBatches
{
    static readonly TimeSpan FirstPause = TimeSpan.FromSeconds(5), LongestPause = TimeSpan.FromMinutes(10);

    public static void MapClaimBatches(this WebApplication app) => app.MapPost("/internal/provider-objects/claim", HandleAsync);

    static async Task<IResult> HandleAsync(HttpContext http, NpgsqlDataSource database, DatabaseReady ready)
    {
        // Proxies ask from their first moment on, which can be before the tables are there.
        if (!ready.Task.IsCompletedSuccessfully)
            return Problems.Unavailable;
        var claim = await Body.ReadAsync<BatchClaim>(http);
        if (claim.Limit is < 1 or > BatchClaim.MaxLimit)
            return Problems.Invalid("limit", $"'limit' must be from 1 to {BatchClaim.MaxLimit}.");
        await using var update = database.Sql($"""
            update provider_object set next_check_at = now() + {Database.Pause("$1", "$2", "checks")}, checks = checks + 1
            where id in (
                select id from provider_object
                where next_check_at is not null and case when $3 = '' then next_check_at <= now() else id = $3 end
                order by next_check_at limit $4 for update skip locked)
            returning {StoredObjects.Columns}
            """, FirstPause, LongestPause, claim.Id ?? "", claim.Limit);
        return Results.Json(await StoredObjects.ReadAsync(update, http.RequestAborted), Defaults.Json);
    }
}
