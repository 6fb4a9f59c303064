using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using Microsoft.EntityFrameworkCore;

namespace LlmGateway.Sessions;

/// <summary>
/// <c>GET /v1/projects</c> → <c>{projects: [{id, publishableKey, settings}]}</c>, which has the caller's project alone, and
/// <c>GET /v1/projects/{id}</c>. The settings are what <c>PUT</c> takes.
/// </summary>
public static class ListProjects
{
    public static void MapListProjects(this WebApplication app)
    {
        app.MapGet("/v1/projects", async (HttpContext http, SessionsDb db, CancellationToken token) =>
            Results.Json(new { projects = new[] { View(await ReadAsync(http.Backend(), db, token)) } }, SeedPart.Shown)).WithQuery();
        app.MapGet("/v1/projects/{id}", async (string id, HttpContext http, SessionsDb db, CancellationToken token) =>
            IsOf(http.Backend(), id) ? Results.Json(View(await ReadAsync(http.Backend(), db, token)), SeedPart.Shown) : NotFound)
            .WithQuery();
    }

    public static Problem NotFound => Problems.NotFound("project");

    public static bool IsOf(Principal caller, string id) => id == Ids.Show(Ids.Project, caller.Project);

    public static object View(Project project) => new
    {
        id = Ids.Show(Ids.Project, project.Id), project.PublishableKey, settings = ProjectWriter.Describe(project),
    };

    static Task<Project> ReadAsync(Principal caller, SessionsDb db, CancellationToken token) =>
        db.Projects.AsNoTracking().SingleAsync(project => project.Id == caller.Project, token);
}
