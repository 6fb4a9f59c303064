using LlmGateway.ServiceDefaults;
using Microsoft.EntityFrameworkCore;

namespace LlmGateway.Sessions;

/// <summary><c>GET /v1/plans</c> → <c>{plans}</c> and <c>GET /v1/plans/{id}</c>: as a seed file has them.</summary>
public static class ListPlans
{
    public static void MapListPlans(this WebApplication app)
    {
        app.MapGet("/v1/plans", async (HttpContext http, SessionsDb db, CancellationToken token) => Results.Json(
            new { plans = (await Of(db, http.Backend().Project).ToListAsync(token)).Select(PlanWriter.Describe) }, SeedPart.Shown))
            .WithQuery();
        app.MapGet("/v1/plans/{id}", async (string id, HttpContext http, SessionsDb db, CancellationToken token) =>
            await Of(db, http.Backend().Project).SingleOrDefaultAsync(plan => plan.Id == id, token) is { } found
                ? Results.Json(PlanWriter.Describe(found), SeedPart.Shown)
                : NotFound).WithQuery();
    }

    public static Problem NotFound => Problems.NotFound("plan");

    static IQueryable<Plan> Of(SessionsDb db, Guid project) =>
        db.Plans.AsNoTracking().Where(plan => plan.ProjectId == project).OrderBy(plan => plan.Id);
}
