using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using Microsoft.EntityFrameworkCore;

namespace LlmGateway.Sessions;

/// <summary>
/// How often calls may change a project's configuration. What is in force has bounds of its own; each change of it is in the audit for two
/// years, with what was before, and nobody may delete that earlier.
/// </summary>
public static class DailyChanges
{
    /// <summary>Of one kind, in a day. An import of a whole catalogue is thousands of models.</summary>
    public const int Max = 1000, MaxOfModels = 30_000;

    static readonly TimeSpan OneHour = TimeSpan.FromHours(1);

    /// <summary>
    /// Throws a 429 when the project has had as many. Its lock is held, so that no other call makes one more. The operator's seeds count
    /// for nothing, and what is deleted was made before.
    /// </summary>
    /// <param name="kind">What the audit's actions begin with.</param>
    /// <param name="most">Entries.</param>
    public static async Task MustBeFewAsync(SessionsDb db, Guid project, string kind, CancellationToken token, int most = Max)
    {
        var first = Ids.FirstAt(db.Author!.At.AddDays(-1));
        var made = await db.AuditEntries.Where(entry => entry.ProjectId == project && entry.Id > first
            && entry.Actor != Author.Seed && entry.Action.StartsWith(kind)).Take(most).CountAsync(token);
        if (made == most)
            throw new ProblemException(Problems.RateLimited(
                $"Calls may change things of this kind {most} times a day in a project. What is there stays in force.", OneHour));
    }
}
