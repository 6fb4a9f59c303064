using LlmGateway.ServiceDefaults;
using Microsoft.EntityFrameworkCore;

namespace LlmGateway.Sessions;

/// <summary><c>DELETE /v1/plans/{id}</c> → 204. 409 when a customer has it or had it last: its quota follows from it.</summary>
public static class DeletePlan
{
    public static void MapDeletePlan(this WebApplication app) => app.MapDelete("/v1/plans/{id}", HandleAsync);

    static async Task<IResult> HandleAsync(string id, HttpContext http, SessionsDb db, HotCopies copies, CancellationToken token)
    {
        var caller = http.Backend();
        await using var transaction = await db.Database.BeginTransactionAsync(token);
        await SeedPart.LockAsync(db, caller, token);
        if (await db.Plans.SingleOrDefaultAsync(one => one.ProjectId == caller.Project && one.Id == id, token) is not { } plan)
            return ListPlans.NotFound;
        if (await db.CustomerPlans.AnyAsync(had => had.ProjectId == caller.Project && had.PlanId == id, token))
            return Problems.Conflict("plan_in_use", "Customers have this plan, or had it last.");
        db.Remove(plan);
        await db.SaveChangesAsync(token);
        await using (copies.ProjectChanging(caller.Project))
            await transaction.CommitAsync(CancellationToken.None);
        return Results.NoContent();
    }
}
