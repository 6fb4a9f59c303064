using Microsoft.EntityFrameworkCore;

namespace LlmGateway.Sessions;

/// <summary>Customers' batches whose cost is still to be asked of a provider. Nobody can ask it elsewhere.</summary>
public static class OpenBatches
{
    /// <summary>
    /// Providers end a batch after a day, and its cost is found within minutes. One that is open so long after it was made has not been
    /// found for a day, and holds nobody where he does not want to be.
    /// </summary>
    public static readonly TimeSpan HoldFor = TimeSpan.FromDays(2);

    public static Task<bool> AreAtAsync(SessionsDb db, Guid project, string provider, DateTimeOffset since, CancellationToken token) =>
        db.Database.SqlQuery<bool>($"""
            select exists (
                select 1 from provider_object
                where next_check_at is not null and project_id = {project} and provider_id = {provider}
                    and created_at >= {since}) as "Value"
            """).SingleAsync(token);
}
