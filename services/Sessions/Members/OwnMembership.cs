using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using Microsoft.EntityFrameworkCore;

namespace LlmGateway.Sessions;

/// <summary>
/// <c>GET /v1/members/me</c>: who calls, what it may do, where this token is for, and which projects others could be for. For a dashboard,
/// which shows what the caller may do.
/// </summary>
public static class OwnMembership
{
    /// <summary>Projects that are shown.</summary>
    const int Max = 1_000;

    public static void MapOwnMembership(this WebApplication app) => app.MapGet("/v1/members/me", HandleAsync).WithQuery();

    static async Task<IResult> HandleAsync(HttpContext http, SessionsDb db, CancellationToken token)
    {
        var caller = http.Member();
        if (await db.Members.AsNoTracking().SingleOrDefaultAsync(one => one.Id == caller.Credential && one.RemovedAt == null, token)
            is not { } member)
            return Problems.RevokedCredential;
        var (organization, only) = (member.OrganizationId, member.ProjectId);
        var projects = await db.Projects.AsNoTracking()
            .Where(project => project.OrganizationId == organization && (only == null || project.Id == only))
            .OrderBy(project => project.Name).Take(Max).ToListAsync(token);
        return Results.Json(new
        {
            member = MemberView.Of(member),
            permissions = Roles.PermissionsOf(member.Role) ?? Permissions.All,
            organization = await db.Organizations.Where(one => one.Id == organization).Select(one => one.Name).SingleAsync(token),
            projectId = Ids.Show(Ids.Project, caller.Project),
            mode = Mode(caller.Test),
            caller.ExpiresAt,
            projects = projects.Select(one => new { id = Ids.Show(Ids.Project, one.Id), one.Name, mode = Mode(one.Test) }),
        }, Defaults.Json);
    }

    static string Mode(bool test) => test ? "test" : "live";
}
