using LlmGateway.ServiceDefaults;
using Microsoft.EntityFrameworkCore;

namespace LlmGateway.Sessions;

/// <summary><c>GET /v1/routes</c> → <c>{routes}</c> and <c>GET /v1/routes/{id}</c>: as a seed file has them.</summary>
public static class ListRoutes
{
    public static void MapListRoutes(this WebApplication app)
    {
        app.MapGet("/v1/routes", async (HttpContext http, SessionsDb db, CancellationToken token) => Results.Json(
            new { routes = (await Of(db, http.Backend().Project).ToListAsync(token)).Select(RouteWriter.Read) }, SeedPart.Shown))
            .WithQuery();
        app.MapGet("/v1/routes/{id}", async (string id, HttpContext http, SessionsDb db, CancellationToken token) =>
        {
            var (project, name) = (http.Backend().Project, SeedPart.NameIn(id));
            return await Of(db, project).SingleOrDefaultAsync(route => route.Id == name, token) is { } found
                ? Results.Json(RouteWriter.Read(found), SeedPart.Shown)
                : NotFound;
        }).WithQuery();
    }

    public static Problem NotFound => Problems.NotFound("route");

    static IQueryable<ProjectRoute> Of(SessionsDb db, Guid project) =>
        db.ProjectRoutes.AsNoTracking().Where(route => route.ProjectId == project).OrderBy(route => route.Id);
}
