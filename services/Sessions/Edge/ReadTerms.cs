using System.Text.Json;
using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using Microsoft.EntityFrameworkCore;

namespace LlmGateway.Sessions;

/// <summary>
/// <c>GET /internal/projects/{project}/terms?customer=</c>: what Billing must know of a project, and of one of its customers, before it
/// takes money for it.
/// </summary>
public static class ReadTerms
{
    public static void MapTerms(this WebApplication app) => app.MapGet("/internal/projects/{project:guid}/terms", HandleAsync);

    static async Task<IResult> HandleAsync(Guid project, Guid? customer, SessionsDb db, CancellationToken token) =>
        await db.Projects.AsNoTracking().SingleOrDefaultAsync(one => one.Id == project, token) is { } found
            ? Results.Json(
                new ProjectTerms(found.OrganizationId, found.Name, found.Active, found.MarkupPpm, found.PlatformFeePpm)
                {
                    CustomerActive = customer is not { } id || await db.Customers.AnyAsync(
                        one => one.Id == id && one.ProjectId == project && one.Status == CustomerStatus.Active, token),
                    Branding = ProjectWriter.BrandingOf(found),
                    TopUpLimits = found.TopUpLimits is { } limits
                        ? JsonSerializer.Deserialize<TopUpAllowance>(limits, Defaults.Json)
                        : null,
                },
                Defaults.Json)
            : Problems.NotFound("project");
}
