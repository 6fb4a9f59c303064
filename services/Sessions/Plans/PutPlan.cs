using LlmGateway.ServiceDefaults;

namespace LlmGateway.Sessions;

/// <summary>
/// <c>PUT /v1/plans/{id}</c> with a plan as a seed file has it. Who has the plan has it as it is now within a second, and what was used of
/// its quota stays used.
/// </summary>
public static class PutPlan
{
    public static void MapPutPlan(this WebApplication app) => app.MapPut("/v1/plans/{id}", HandleAsync);

    static async Task<IResult> HandleAsync(string id, HttpContext http, SessionsDb db, HotCopies copies, CancellationToken token)
    {
        var caller = http.Backend();
        var seed = await SeedPart.ReadAsync<SeedPlan>(http);
        SeedPart.MustBeNamed(seed.Id, id);
        seed = seed with { Id = id };
        SeedPart.MustBeRight(SeedRules.Plan(seed, ""));
        await using var transaction = await db.Database.BeginTransactionAsync(token);
        await SeedPart.LockAsync(db, caller, token);
        await DailyChanges.MustBeFewAsync(db, caller.Project, "plan.", token);
        var plans = await PlanWriter.ReadAsync(db, caller.Project, token);
        if (!plans.All.ContainsKey(id) && plans.All.Count >= SeedRules.MaxEntries)
            return Problems.Conflict("too_many_plans", $"A project may have {SeedRules.MaxEntries} plans. Delete one first.");
        var plan = plans.Write(seed);
        await db.SaveChangesAsync(token);
        await using (copies.PlanChanging(caller.Project, id, db))
            await transaction.CommitAsync(CancellationToken.None);
        return Results.Json(PlanWriter.Describe(plan), SeedPart.Shown);
    }
}
