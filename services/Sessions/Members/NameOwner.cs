using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using Microsoft.EntityFrameworkCore;

namespace LlmGateway.Sessions;

/// <summary>
/// <c>POST /internal/members</c> <c>{organization, project, email, name?}</c>, both by name, from who runs the gateway → 201 with
/// <c>token</c>: an organization's first owner, who makes the other members of it, or an owner who cannot come in any more. No secret key
/// can do that: it is one project's.
/// </summary>
public static class NameOwner
{
    public sealed record Request(string Organization, string Project, string Email, string? Name = null);

    public static void MapNameOwner(this WebApplication app) => app.MapPost("/internal/members", HandleAsync);

    static async Task<IResult> HandleAsync(HttpContext http, SessionsDb db, CredentialSeal seal, TimeProvider time, CancellationToken token)
    {
        var request = await Body.ReadAsync<Request>(http);
        var (now, email, name) = (time.GetUtcNow(), Members.Email(request.Email), Members.Name(request.Name));
        await using var transaction = await db.Database.BeginTransactionAsync(token);
        if (await db.Projects.SingleOrDefaultAsync(
            one => one.Name == request.Project
                && db.Organizations.Any(owner => owner.Id == one.OrganizationId && owner.Name == request.Organization), token)
            is not { } project)
            return ListProjects.NotFound;
        await db.LockOrganizationAsync(project.OrganizationId, token);
        db.Author = new(ServiceCall.Operator, http.RequestId(), now) { Project = project.Id };
        var member = await db.Members.SingleOrDefaultAsync(
            one => one.OrganizationId == project.OrganizationId && one.ProjectId == null && one.Email == email && one.RemovedAt == null,
            token);
        if (member is { Role: not Roles.Owner })
            return Problems.Conflict("member_exists", $"Who has this 'email' is a member already, with the role '{member.Role}'.", "email");
        if (member is null)
            db.Add(member = new Member
            {
                Id = Ids.New(), OrganizationId = project.OrganizationId, Role = Roles.Owner, Email = email, Name = name, CreatedAt = now,
            });
        var (row, secret) = Members.NewToken(
            member, project.Id, project.Test, now.AddSeconds(CreateMemberToken.MaxTtlSeconds), seal, now);
        db.Add(row);
        await db.SaveChangesAsync(token);
        await transaction.CommitAsync(CancellationToken.None);
        return Results.Json(CreateMemberToken.View.Of(row, secret), Defaults.Json, statusCode: 201);
    }
}
