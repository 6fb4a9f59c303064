using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using Microsoft.EntityFrameworkCore;

namespace LlmGateway.Sessions;

/// <summary><c>GET /internal/projects/{project}/terms</c>: what Billing must know of a project before it takes money for it.</summary>
public static class ReadTerms
{
    public static void MapTerms(this WebApplication app) => app.MapGet("/internal/projects/{project:guid}/terms", HandleAsync);

    static async Task<IResult> HandleAsync(Guid project, SessionsDb db, CancellationToken token) =>
        await db.Projects.AsNoTracking().SingleOrDefaultAsync(one => one.Id == project, token) is { } found
            ? Results.Json(
                new ProjectTerms(found.OrganizationId, found.Name, found.Active, found.MarkupPpm, found.PlatformFeePpm), Defaults.Json)
            : Problems.NotFound("project");
}
